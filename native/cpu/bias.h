#pragma once

#include "kernels.h"
#include "vec.h"

// What is added to scores. Scores are in units of log2(e), so that the softmax is a power of 2.

namespace mrope::cpu::MROPE_ISA {

constexpr float log2e = 1.44269504f;
constexpr float infinity = __builtin_inff();

/** scores[j] += log2(e) · f(j) for 0 ≤ j < n; a bias of −Infinity masks whatever the score is. f gives W biases. */
template <class F>
MROPE_INLINE void addEach(float *scores, int64_t n, F f) {
  for (int64_t j = 0; j < n; j += W) {
    const vf bias = f(j, n - j), score = loadUpTo(scores + j, n - j);
    storeUpTo(scores + j, select(bias == splat(-infinity), bias, score + bias * log2e), n - j);
  }
}

template <class T>
MROPE_INLINE void addTensor(float *scores, const T *values, int64_t n) {
  addEach(scores, n, [&](int64_t j, int64_t lanes) { return loadUpTo(values + j, lanes); });
}

/** Biases of one query row for keys key … key + n. */
static void addBias(const AttendJob &job, int64_t head, int64_t query, int64_t key, int64_t n, float *scores) {
  const Bias &bias = job.a.bias;
  const int64_t token = job.a.queryOffset + query, keys = job.a.k.tokens;
  const int64_t plane = bias.heads == 1 ? 0 : head;
  const float *values = (const float *)bias.values;
  const auto each = [&](auto f) {
    addEach(scores, n, [&](int64_t j, int64_t lanes) {
      vf line = {};
      for (int64_t lane = 0; lane < least(W, lanes); lane++) line[lane] = f(key + j + lane);
      return line;
    });
  };
  // Far keys have large biases: what is computed is rounded once, at the sum.
  const auto eachExactly = [&](auto f) {
    for (int64_t j = 0; j < n; j++) {
      const double there = f(key + j);
      scores[j] = there == -infinity ? -infinity : float(double(scores[j]) + there * 1.4426950408889634);
    }
  };
  switch (bias.kind) {
    case BiasKind::None:
      break;
    case BiasKind::Tensor: {
      const int64_t at = (plane * job.a.q.tokens + query) * keys + key;
      if (bias.type == DType::Float32) addTensor(scores, values + at, n);
      if (bias.type == DType::Float16) addTensor(scores, (const Half *)bias.values + at, n);
      if (bias.type == DType::Bfloat16) addTensor(scores, (const Bfloat *)bias.values + at, n);
      break;
    }
    case BiasKind::Slope: {
      const double slope = -double(values[plane]);
      eachExactly([&](int64_t j) { return slope * double(j > token ? j - token : token - j); });
      break;
    }
    case BiasKind::Distance: {
      const float *row = values + plane * bias.span;
      each([&](int64_t j) { return row[least(most(j - token + bias.origin, 0), bias.span - 1)]; });
      break;
    }
    case BiasKind::Grid: {
      const int64_t width = 2 * bias.columns - 1, cells = bias.rows * bias.columns;
      const float *row = values + plane * width * (2 * bias.rows - 1);
      const auto place = [&](int64_t t) { return t % cells / bias.columns * width + t % cells % bias.columns; };
      const int64_t at = place(token) + (bias.rows - 1) * width + bias.columns - 1;
      each([&](int64_t j) { return row[at - place(j)]; });
      break;
    }
    case BiasKind::Difference: {
      const float *row = values + plane * keys;
      eachExactly([&](int64_t j) { return double(row[token]) - double(row[j]); });
      break;
    }
  }
}

}  // namespace mrope::cpu::MROPE_ISA
