#pragma once

// What the kernel tests share: reproducible data, and attention by its definition.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "../../../native/core/half.h"
#include "../../../native/core/params.h"

namespace mrope::test {

inline int passed = 0, failed = 0;

inline bool expect(bool fine, const std::string &what) {
  (fine ? passed : failed)++;
  if (!fine) std::printf("FAILED %s\n", what.c_str()), std::fflush(stdout);
  return fine;
}

/** The last lines of a test program; one that checked nothing has failed. */
inline int report() {
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

/** Uniform numbers between −1 and 1, the same for a seed everywhere. */
struct Noise {
  uint64_t state;
  double operator()() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return double(int64_t(state) >> 11) / double(int64_t(1) << 52);
  }
  int64_t below(int64_t n) { return int64_t(((*this)() + 1) / 2 * double(n)) % n; }
};

/** Numbers in a storage type. */
struct Data {
  DType type = DType::Float32;
  std::vector<char> bytes;

  Data() = default;
  Data(DType type, int64_t elements) : type(type), bytes(size_t(elements * bytesOf(type))) {}
  Data(DType type, int64_t elements, Noise &noise, double size = 1) : Data(type, elements) {
    for (int64_t i = 0; i < elements; i++) set(i, size * noise());
  }
  int64_t length() const { return int64_t(bytes.size()) / bytesOf(type); }
  void *data() { return bytes.data(); }
  double at(int64_t i) const { return loadAs(bytes.data(), type, i); }
  void set(int64_t i, double x) { storeAs(bytes.data(), type, i, x); }
};

inline const char *nameOf(DType type) {
  return type == DType::Float32 ? "f32" : type == DType::Float16 ? "f16" : "bf16";
}

inline double stored(DType type, double x) {
  char bytes[4];
  storeAs(bytes, type, 0, x);
  return loadAs(bytes, type, 0);
}

/** Half a unit in the last place of numbers of order 1. */
inline double roundingOf(DType type) {
  return type == DType::Float32 ? 0x1p-24 : type == DType::Float16 ? 0x1p-11 : 0x1p-8;
}

/** Largest |a − b|; infinite where only one of them is NaN. */
inline double largestError(const std::vector<double> &a, const std::vector<double> &b) {
  double worst = a.size() == b.size() ? 0 : HUGE_VAL;
  for (size_t i = 0; i < a.size() && i < b.size(); i++) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double error = std::fabs(a[i] - b[i]);
    worst = std::max(worst, std::isnan(error) ? HUGE_VAL : error);
  }
  return worst;
}

struct CosSin {
  double cos = 1, sin = 0;
};
/** Angles as exactly as the test knows them: (head of the table, row, pair). */
using AngleFunction = std::function<CosSin(int64_t head, int64_t row, int64_t pair)>;

/** Where the cosines and sines of a table are all that the test knows. */
inline AngleFunction anglesOf(const Table &table) {
  return [table](int64_t head, int64_t row, int64_t pair) {
    return CosSin{table.cos[table.row(head, row) + pair], table.sin[table.row(head, row) + pair]};
  };
}

inline void turnLine(std::vector<double> &line, const Table &shape, const AngleFunction &angle, int64_t head,
                     int64_t row) {
  for (int64_t f = 0; f < shape.pairs; f++) {
    const int64_t i = shape.adjacent ? 2 * f : f, j = shape.adjacent ? 2 * f + 1 : f + shape.pairs;
    const auto [c, s] = angle(head, row, f);
    const double x = line[i], y = line[j];
    line[i] = x * c - y * s;
    line[j] = y * c + x * s;
  }
}

inline void normLine(std::vector<double> &line, const Norm &norm) {
  double squares = 0;
  for (double x : line) squares += x * x;
  const double factor = 1 / std::sqrt(squares / double(line.size()) + norm.eps);
  for (size_t i = 0; i < line.size(); i++) line[i] *= factor * norm.weight[i];
}

/** One row of q or k, normed and rotated, in float64. */
inline std::vector<double> preparedLine(const Tensor &x, int64_t token, int64_t head, bool rotated, const Table &shape,
                                        const AngleFunction &angle, int64_t row, const Norm &norm) {
  std::vector<double> line(x.dim);
  for (int64_t i = 0; i < x.dim; i++) line[i] = loadAs(x.data, x.type, (token * x.heads + head) * x.dim + i);
  if (norm.weight && !norm.after) normLine(line, norm);
  if (rotated) turnLine(line, shape, angle, head * shape.heads / x.heads, row);
  if (norm.weight && norm.after) normLine(line, norm);
  return line;
}

inline double biasAt(const Attend &a, int64_t head, int64_t query, int64_t j) {
  const Bias &b = a.bias;
  const int64_t plane = b.heads == 1 ? 0 : head, i = a.queryOffset + query;
  const auto value = [&](int64_t at) { return loadAs(b.values, b.type, at); };
  switch (b.kind) {
    case BiasKind::None:
      return 0;
    case BiasKind::Tensor:
      return value((plane * a.q.tokens + query) * a.k.tokens + j);
    case BiasKind::Slope:
      return -value(plane) * double(std::abs(i - j));
    case BiasKind::Distance:
      return value(plane * b.span + std::clamp<int64_t>(j - i + b.origin, 0, b.span - 1));
    case BiasKind::Grid: {
      const int64_t cells = b.rows * b.columns, y = i % cells / b.columns - j % cells / b.columns;
      const int64_t x = i % cells % b.columns - j % cells % b.columns, width = 2 * b.columns - 1;
      return value(plane * (2 * b.rows - 1) * width + (y + b.rows - 1) * width + x + b.columns - 1);
    }
    case BiasKind::Difference:
      return value(plane * a.k.tokens + i) - value(plane * a.k.tokens + j);
  }
  return 0;
}

inline bool sees(const Attend &a, int64_t query, int64_t j) {
  const int64_t i = a.queryOffset + query;
  const Mask &m = a.mask;
  if (i < m.padding || j < m.padding || (m.causal && j > i)) return false;
  if (m.window > 0 && i - j >= m.window) return false;
  if (m.window > 0 && m.window < a.k.tokens && j - i >= m.window) return false;
  for (int64_t s = 0; m.cuSeqlens && s < m.segments; s++) {
    const bool mine = i >= m.cuSeqlens[s] && i < m.cuSeqlens[s + 1];
    if (mine && (j < m.cuSeqlens[s] || j >= m.cuSeqlens[s + 1])) return false;
  }
  return true;
}

/**
 * Attention by its definition: all scores of a row, the softmax, the sum. Real is double for the exact result. With
 * `rounds` it is the straightforward algorithm of the storage type: rotated queries and keys are stored in their own
 * types, and so is the result.
 */
template <class Real>
std::vector<double> attention(const Attend &a, const AngleFunction &angle, bool rounds) {
  const int64_t group = a.q.heads / a.k.heads, dim = a.q.dim;
  const auto row = [&](const Tensor &x, int64_t token, int64_t head, bool rotated, int64_t at, const Norm &norm) {
    std::vector<double> line = preparedLine(x, token, head, rotated, a.table, angle, at, norm);
    for (double &each : line) each = rounds ? stored(x.type, each) : each;
    return std::vector<Real>(line.begin(), line.end());
  };
  std::vector<std::vector<Real>> keys(a.k.tokens * a.k.heads);
  for (int64_t n = 0; n < int64_t(keys.size()); n++) {
    keys[n] = row(a.k, n / a.k.heads, n % a.k.heads, a.rotateK, n / a.k.heads, a.kNorm);
  }
  std::vector<Real> values(a.v.elements());
  for (int64_t n = 0; n < a.v.elements(); n++) values[n] = Real(loadAs(a.v.data, a.v.type, n));
  std::vector<double> out(a.out.elements());
  for (int64_t i = 0; i < a.q.tokens; i++) {
    for (int64_t h = 0; h < a.q.heads; h++) {
      const std::vector<Real> q = row(a.q, i, h, a.rotateQ, a.tableOffset + i, a.qNorm);
      std::vector<int64_t> seen;
      std::vector<Real> scores;
      Real largest = -HUGE_VALF;
      for (int64_t j = 0; j < a.k.tokens; j++) {
        if (!sees(a, i, j)) continue;
        const Real *k = keys[j * a.k.heads + h / group].data();
        Real score = 0;
        for (int64_t c = 0; c < dim; c++) score += q[c] * k[c];
        const double bias = biasAt(a, h, i, j);
        score = bias == -HUGE_VAL ? Real(-HUGE_VALF) : score * Real(a.scales ? a.scales[i] : a.scale) + Real(bias);
        if (score == Real(-HUGE_VALF)) continue;
        seen.push_back(j);
        scores.push_back(score);
        largest = std::max(largest, score);
      }
      Real total = 0;
      std::vector<Real> sums(a.v.dim);
      for (size_t n = 0; n < seen.size(); n++) {
        const Real weight = scores[n] == largest ? 1 : std::exp(scores[n] - largest);
        total += weight;
        const Real *v = values.data() + (seen[n] * a.v.heads + h / group) * a.v.dim;
        for (int64_t c = 0; c < a.v.dim; c++) sums[c] += weight * v[c];
      }
      for (int64_t c = 0; c < a.v.dim; c++) {
        const double y = total == 0 ? 0 : double(sums[c] / total);
        out[(i * a.q.heads + h) * a.v.dim + c] = rounds ? stored(a.out.type, y) : y;
      }
    }
  }
  return out;
}

}  // namespace mrope::test
