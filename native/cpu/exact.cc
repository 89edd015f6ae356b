#include <cmath>
#include <cstring>

#include "../core/arena.h"
#include "../core/half.h"
#include "kernels.h"

// One row by the definition, in float64. It runs where a float32 sum overflows or an input is NaN or infinite, so that
// every input has its defined result: a score of −Infinity masks its key, scores of +Infinity share the whole weight,
// a NaN score makes the row NaN, and a value that is not finite reaches its channel however small its weight.

namespace mrope::cpu {
namespace {

/** The least weight of a seen key: no finite sum sees it. */
constexpr double leastWeight = 1e-250;
constexpr double infinity = HUGE_VAL;

void rotateLine(double *line, const Table &table, int64_t head, int64_t token) {
  const int64_t at = table.row(head, token);
  for (int64_t f = 0; f < table.pairs; f++) {
    double &x = line[table.adjacent ? 2 * f : f];
    double &y = line[table.adjacent ? 2 * f + 1 : f + table.pairs];
    const double c = table.cos[at + f], s = table.sin[at + f], first = x;
    x = first * c - y * s;
    y = y * c + first * s;
  }
}

void normLine(double *line, int64_t dim, const Norm &norm) {
  double squares = 0;
  for (int64_t i = 0; i < dim; i++) squares += line[i] * line[i];
  const double factor = 1 / std::sqrt(squares / double(dim) + norm.eps);
  for (int64_t i = 0; i < dim; i++) line[i] *= factor * norm.weight[i];
}

void loadLine(const Attend &a, const Tensor &x, int64_t token, int64_t head, bool rotated, int64_t tableRow,
              const Norm &norm, double *line) {
  const int64_t at = (token * x.heads + head) * x.dim;
  for (int64_t i = 0; i < x.dim; i++) line[i] = loadAs(x.data, x.type, at + i);
  if (norm.weight && !norm.after) normLine(line, x.dim, norm);
  if (rotated) rotateLine(line, a.table, a.table.headOf(head, x.heads), tableRow);
  if (norm.weight && norm.after) normLine(line, x.dim, norm);
}

double biasOf(const Attend &a, int64_t head, int64_t query, int64_t j) {
  const Bias &bias = a.bias;
  const int64_t plane = bias.heads == 1 ? 0 : head, i = a.queryOffset + query;
  const float *values = static_cast<const float *>(bias.values);
  switch (bias.kind) {
    case BiasKind::None:
      return 0;
    case BiasKind::Tensor:
      return loadAs(bias.values, bias.type, (plane * a.q.tokens + query) * a.k.tokens + j);
    case BiasKind::Slope:
      return -double(values[plane]) * double(i > j ? i - j : j - i);
    case BiasKind::Distance: {
      const int64_t at = j - i + bias.origin;
      return values[plane * bias.span + (at < 0 ? 0 : at >= bias.span ? bias.span - 1 : at)];
    }
    case BiasKind::Grid: {
      const int64_t cells = bias.rows * bias.columns, width = 2 * bias.columns - 1;
      const int64_t yi = i % cells / bias.columns, xi = i % cells % bias.columns;
      const int64_t yj = j % cells / bias.columns, xj = j % cells % bias.columns;
      return values[plane * width * (2 * bias.rows - 1) + (yi - yj + bias.rows - 1) * width + xi - xj + bias.columns -
                    1];
    }
    case BiasKind::Difference:
      return double(values[plane * a.k.tokens + i]) - values[plane * a.k.tokens + j];
  }
  return 0;
}

}  // namespace

bool attendExactly(const AttendJob &job, int64_t query, int64_t head) {
  const Attend &a = job.a;
  const int64_t kvHead = head / job.group, dim = a.q.dim;
  const KeyRange range = job.ranges[query];
  Scratch scratch((2 * dim + a.v.dim) * sizeof(double));
  double *q = scratch.as<double>();
  const int64_t outAt = (query * a.q.heads + head) * a.v.dim;
  const auto fill = [&](double x) {
    for (int64_t c = 0; c < a.v.dim; c++) storeAs(a.out.data, a.out.type, outAt + c, x);
  };
  if (!q) return false;
  double *k = q + dim, *sums = k + dim;
  std::memset(sums, 0, a.v.dim * sizeof(double));
  loadLine(a, a.q, query, head, a.rotateQ, a.tableOffset + query, a.qNorm, q);
  const double scale = a.scales ? a.scales[query] : a.scale;
  double maximum = -infinity, total = 0;
  for (int64_t j = range.first; j < range.end; j++) {
    loadLine(a, a.k, j, kvHead, a.rotateK, j, a.kNorm, k);
    double score = 0;
    for (int64_t i = 0; i < dim; i++) score += q[i] * k[i];
    score *= scale;
    if (a.bias.kind != BiasKind::None) {
      const double bias = biasOf(a, head, query, j);
      score = bias == -infinity ? bias : score + bias;
    }
    if (std::isnan(score)) {
      fill(std::nan(""));
      return true;
    }
    if (score == -infinity) continue;
    if (score > maximum) {
      const double decay = std::fmax(std::exp(maximum - score), leastWeight);
      for (int64_t c = 0; c < a.v.dim; c++) sums[c] *= decay;
      total *= decay;
      maximum = score;
    }
    const double weight = score == maximum ? 1 : std::fmax(std::exp(score - maximum), leastWeight);
    total += weight;
    const int64_t at = (j * a.v.heads + kvHead) * a.v.dim;
    for (int64_t c = 0; c < a.v.dim; c++) sums[c] += weight * loadAs(a.v.data, a.v.type, at + c);
  }
  for (int64_t c = 0; c < a.v.dim; c++) {
    storeAs(a.out.data, a.out.type, outAt + c, total == 0 ? 0 : sums[c] / total);
  }
  return true;
}

}  // namespace mrope::cpu
