#pragma once

#include "bias.h"

// Running softmax of one row (Milakov and Gimelshein, arXiv 1805.02867).

namespace mrope::cpu::MROPE_ISA {

struct Running {
  float maximum;
  float total;
};

static inline bool hasNaN(const float *scores, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    if (scores[j] != scores[j]) return true;
  }
  return false;
}

/**
 * Turns n scores (a multiple of W) into weights relative to the running maximum. Returns the factor of all that was
 * summed before. `masked` says that scores of −Infinity may be among them, which get the weight 0.
 * Sets `exact` where float32 does not do: infinite or NaN scores. The weights are then 0.
 */
template <bool masked>
MROPE_INLINE float weighRow(float *scores, int64_t n, Running &running, uint8_t &exact) {
  vf m0 = splat(-infinity), m1 = m0;
  int64_t j = 0;
  for (; j + 2 * W <= n; j += 2 * W) {
    m0 = max(m0, load(scores + j));
    m1 = max(m1, load(scores + j + W));
  }
  if (j < n) m0 = max(m0, load(scores + j));
  const float block = largest(max(m0, m1));
  const float next = block > running.maximum ? block : running.maximum;
  if (!(__builtin_fabsf(next) < infinity)) {
    // The maximum passes over NaN, so a block of nothing but NaN looks like one that is masked.
    if (!masked || next != -infinity || hasNaN(scores, n)) exact = 1;
    __builtin_memset(scores, 0, n * sizeof(float));
    return 1;
  }
  const vf shift = splat(next);
  vf s0 = {}, s1 = {};
  const auto weight = [&](vf score) __attribute__((always_inline)) {
    const vf w = exp2(max(splat(leastExponent), score - shift));
    return masked ? select(score == splat(-infinity), vf{}, w) : w;
  };
  for (j = 0; j + 2 * W <= n; j += 2 * W) {
    const vf a = weight(load(scores + j)), b = weight(load(scores + j + W));
    s0 += a;
    s1 += b;
    store(scores + j, a);
    store(scores + j + W, b);
  }
  if (j < n) {
    const vf a = weight(load(scores + j));
    s0 += a;
    store(scores + j, a);
  }
  const float added = sum(s0 + s1);
  if (!(added < infinity)) {
    exact = 1;
    __builtin_memset(scores, 0, n * sizeof(float));
    return 1;
  }
  float decay = 1;
  if (next > running.maximum && running.maximum > -infinity) {
    const float drop = running.maximum - next;
    decay = exp2(drop > leastExponent ? drop : leastExponent);
  }
  running.maximum = next;
  running.total = running.total * decay + added;
  return decay;
}

MROPE_INLINE void scaleRow(float *row, int64_t n, float factor) {
  for (int64_t i = 0; i < n; i += W) store(row + i, load(row + i) * factor);
}

/** Rounds sums / total to a row of out. False where the result is not finite. */
template <class T>
MROPE_INLINE bool writeRow(T *out, const float *sums, int64_t dim, float total) {
  const vf factor = splat(total == 0 ? 0.f : 1 / total);
  vf rest = {};
  for (int64_t i = 0; i < dim; i += W) {
    const vf x = load(sums + i) * factor;
    rest += i + W <= dim ? x - x : vf{};
    storeUpTo(out + i, x, dim - i);
  }
  for (int64_t i = dim / W * W; i < dim; i++) rest[0] += sums[i] - sums[i];
  return !anyNan(rest);
}

static bool writeRow(const Tensor &out, int64_t token, int64_t head, const float *sums, float total) {
  char *row = out.at(token, head);
  switch (out.type) {
    case DType::Float16:
      return writeRow((Half *)row, sums, out.dim, total);
    case DType::Bfloat16:
      return writeRow((Bfloat *)row, sums, out.dim, total);
    default:
      return writeRow((float *)row, sums, out.dim, total);
  }
}

}  // namespace mrope::cpu::MROPE_ISA
