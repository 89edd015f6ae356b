#include "redo.h"

#include <atomic>
#include <cmath>
#include <cstring>

#include "../core/arena.h"
#include "../core/half.h"
#include "../core/visible.h"

namespace mrope::gpu {
namespace {

/** The least weight of a seen key: no finite sum sees it. */
constexpr double leastWeight = 1e-250;
constexpr double infinity = HUGE_VAL;

template <class T>
const T *hostOf(const BufferRef &buffer, size_t offset = 0) {
  return reinterpret_cast<const T *>(static_cast<const char *>(buffer->host()) + offset);
}

double elementOf(const View &view, int64_t token, int64_t head, int64_t channel) {
  const char *rows = hostOf<char>(view.buffer, view.offset);
  return loadAs(rows, view.type, token * view.tokenStride + head * view.headStride + channel);
}

struct CosSin {
  double cos = 1, sin = 0;
};

/** The phase of an id as a fraction of a turn, times 2^64: the arithmetic of metal/rotary.h with all its bits. */
uint64_t phaseOf(int32_t id, const uint32_t *frequency) {
  return uint64_t(int64_t(id)) * (uint64_t(frequency[0]) << 32 | frequency[1]);
}

CosSin angleOf(const Rotary &rotary, int64_t head, int64_t token, int64_t f) {
  const RotaryParams &p = rotary.params;
  const int64_t column = p.column + token, place = head * p.pairs + f;
  const auto table = [&](int64_t at) { return CosSin{hostOf<float>(rotary.cos)[at], hostOf<float>(rotary.sin)[at]}; };
  const auto id = [&](int64_t axis) { return hostOf<int32_t>(rotary.ids)[axis * p.tokens + column]; };
  const auto turned = [&](uint64_t phase) {
    const double angle = double(int64_t(phase)) * (M_PI / 0x1p63);
    return CosSin{p.factor * std::cos(angle), p.factor * std::sin(angle)};
  };
  if (rotary.kind == AnglesNone) return {};
  if (rotary.kind == AnglesTable) return table((head * p.tokens + column) * p.pairs + f);
  if (rotary.kind == AnglesDirections) {
    uint64_t phase = 0;
    for (int64_t axis = 0; axis < p.axes; axis++) {
      phase += phaseOf(id(axis), hostOf<uint32_t>(rotary.frequencies) + 2 * (place * p.axes + axis));
    }
    return turned(phase);
  }
  const uint8_t axis = hostOf<uint8_t>(rotary.axes)[place];
  if (axis == noAxis) return turned(0);
  if (rotary.kind == AnglesPerId) return table(int64_t(id(axis)) * p.pairs + f);
  return turned(phaseOf(id(axis), hostOf<uint32_t>(rotary.frequencies) + 2 * f));
}

void turnLine(double *line, const Rotary &rotary, int64_t head, int64_t token) {
  const int64_t pairs = rotary.params.pairs;
  for (int64_t f = 0; f < pairs; f++) {
    double &x = line[rotary.adjacent ? 2 * f : f], &y = line[rotary.adjacent ? 2 * f + 1 : f + pairs];
    const CosSin angle = angleOf(rotary, head, token, f);
    const double first = x;
    x = first * angle.cos - y * angle.sin;
    y = y * angle.cos + first * angle.sin;
  }
}

void normLine(double *line, int64_t dim, const RowNorm &norm) {
  double squares = 0;
  for (int64_t i = 0; i < dim; i++) squares += line[i] * line[i];
  const double factor = 1 / std::sqrt(squares / double(dim) + norm.eps);
  for (int64_t i = 0; i < dim; i++) line[i] *= factor * hostOf<float>(norm.weight, norm.offset)[i];
}

void loadLine(const AttendRequest &r, const View &x, int64_t token, int64_t head, bool rotated, int64_t column,
              const RowNorm &norm, double *line) {
  for (int64_t i = 0; i < x.dim; i++) line[i] = elementOf(x, token, head, i);
  if (norm.place == NormBefore) normLine(line, x.dim, norm);
  if (rotated) turnLine(line, r.rotary, head * r.rotary.params.heads / x.heads, column);
  if (norm.place == NormAfter) normLine(line, x.dim, norm);
}

double biasOf(const AttendRequest &r, int64_t head, int64_t query, int64_t j) {
  const BiasView &b = r.bias;
  const int64_t plane = b.heads == 1 ? 0 : head, i = r.queryOffset + query;
  const auto value = [&](int64_t at) { return loadAs(hostOf<char>(b.values, b.offset), b.type, at); };
  switch (b.kind) {
    case BiasKind::None:
      return 0;
    case BiasKind::Tensor:
      return value((plane * r.q.tokens + query) * r.k.tokens + j);
    case BiasKind::Slope:
      return -value(plane) * double(i > j ? i - j : j - i);
    case BiasKind::Distance: {
      const int64_t at = j - i + b.origin;
      return value(plane * b.span + (at < 0 ? 0 : at >= b.span ? b.span - 1 : at));
    }
    case BiasKind::Grid: {
      const int64_t cells = b.rows * b.columns, width = 2 * b.columns - 1;
      const int64_t y = i % cells / b.columns - j % cells / b.columns;
      const int64_t x = i % cells % b.columns - j % cells % b.columns;
      return value(plane * width * (2 * b.rows - 1) + (y + b.rows - 1) * width + x + b.columns - 1);
    }
    case BiasKind::Difference:
      return value(plane * r.k.tokens + i) - value(plane * r.k.tokens + j);
  }
  return 0;
}

/** One row; `memory` holds two head dims and a value dim. */
void redoRow(const AttendRequest &r, const KeyRange &range, int64_t query, int64_t head, double *memory) {
  const int64_t kvHead = head * r.k.heads / r.q.heads;
  double *q = memory, *k = q + r.q.dim, *sums = k + r.k.dim;
  char *out = static_cast<char *>(r.out.buffer->host()) + r.out.offset;
  const int64_t outAt = query * r.out.tokenStride + head * r.out.headStride;
  const double scale = r.scales ? r.scales[query] : r.scale;
  loadLine(r, r.q, query, head, r.rotateQ, r.tableOffset + query, r.qNorm, q);
  std::memset(sums, 0, r.v.dim * sizeof(double));
  double maximum = -infinity, total = 0;
  for (int64_t j = range.first; j < range.end && !std::isnan(total); j++) {
    const double bias = biasOf(r, head, query, j);
    if (bias == -infinity) continue;
    loadLine(r, r.k, j, kvHead, r.rotateK, j, r.kNorm, k);
    double score = 0;
    for (int64_t i = 0; i < r.q.dim; i++) score += q[i] * k[i];
    score = score * scale + bias;
    if (score == -infinity) continue;
    if (score > maximum) {
      const double decay = std::fmax(std::exp(maximum - score), leastWeight);
      for (int64_t c = 0; c < r.v.dim; c++) sums[c] *= decay;
      total *= decay;
      maximum = score;
    }
    if (std::isnan(score)) total = score;
    const double weight = score == maximum ? 1 : std::fmax(std::exp(score - maximum), leastWeight);
    total += weight;
    for (int64_t c = 0; c < r.v.dim; c++) sums[c] += weight * elementOf(r.v, j, kvHead, c);
  }
  for (int64_t c = 0; c < r.v.dim; c++) {
    const double y = std::isnan(total) ? total : total == 0 ? 0 : sums[c] / total;
    storeAs(out, r.out.type, outAt + c, y);
  }
}

}  // namespace

int64_t redoRows(const AttendRequest &r, const Buffer &doubt, const cpu::Run &run) {
  const auto *marks = static_cast<const uint8_t *>(doubt.host());
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < r.q.tokens * r.q.heads; i++) {
    if (marks[i]) rows.push_back(i);
  }
  if (rows.empty()) return 0;
  Attend mask;
  mask.q.tokens = r.q.tokens, mask.k.tokens = r.k.tokens;
  mask.queryOffset = r.queryOffset;
  mask.mask = r.mask;
  std::vector<KeyRange> ranges(r.q.tokens);
  visibleKeys(mask, ranges.data());
  std::atomic<bool> noMemory{false};
  const double cost = double(rows.size()) * double(r.k.tokens * (r.q.dim + r.v.dim)) * 4;
  const bool finished = cpu::forEach(run, int64_t(rows.size()), cost, [&](int64_t item) {
    const int64_t query = rows[item] / r.q.heads, head = rows[item] % r.q.heads;
    Scratch memory((r.q.dim + r.k.dim + r.v.dim) * sizeof(double));
    if (!memory.as<double>()) return noMemory.store(true);
    redoRow(r, ranges[query], query, head, memory.as<double>());
  });
  const int64_t last = (r.out.tokens - 1) * r.out.tokenStride + (r.out.heads - 1) * r.out.headStride + r.out.dim;
  r.out.buffer->modified(r.out.offset, last * bytesOf(r.out.type));
  return finished && !noMemory.load() ? int64_t(rows.size()) : -1;
}

}  // namespace mrope::gpu
