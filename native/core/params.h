#pragma once

#include <cstddef>
#include <cstdint>

// What the operations take. Plain data: no ownership, no JavaScript, no instruction set.

namespace mrope {

enum class DType : int { Float32 = 0, Float16 = 1, Bfloat16 = 2 };

/** Storage of one float16 or bfloat16; types of their own, so that templates tell them apart. */
struct Half {
  uint16_t bits;
};
struct Bfloat {
  uint16_t bits;
};

/** Widest head: scratch memory is planned for it. */
constexpr int64_t mostDim = 8192;

constexpr int64_t bytesOf(DType type) { return type == DType::Float32 ? 4 : 2; }

/** A dense row-major tensor (tokens, heads, dim) in host memory. */
struct Tensor {
  void *data = nullptr;
  DType type = DType::Float32;
  int64_t tokens = 0;
  int64_t heads = 0;
  int64_t dim = 0;

  int64_t elements() const { return tokens * heads * dim; }
  char *at(int64_t token, int64_t head) const {
    return static_cast<char *>(data) + (token * heads + head) * dim * bytesOf(type);
  }
};

/** Cosines and sines (heads, tokens, pairs), attention factor included. heads is 1 or the number of KV heads. */
struct Table {
  const float *cos = nullptr;
  const float *sin = nullptr;
  int64_t heads = 0;
  int64_t tokens = 0;
  int64_t pairs = 0;
  /** Pair f is channels (2f, 2f + 1), otherwise (f, f + pairs). */
  bool adjacent = false;

  /** The head of the table that turns one of `count` heads: all share it, or as many neighbours share one. */
  int64_t headOf(int64_t head, int64_t count) const { return heads <= 1 ? 0 : head * heads / count; }
  int64_t row(int64_t head, int64_t token) const { return (head * tokens + token) * pairs; }
};

/**
 * Where a table comes from: angle(h, n, f) = invFreq[f] · Σ_a u[h][f][a] · ids[a][n], times nothing else; cos and sin
 * are multiplied by the attention factor.
 */
struct Angles {
  /** (axes, tokens). */
  const double *ids = nullptr;
  const double *invFreq = nullptr;
  /** (heads, pairs): the one axis of a pair, −1 for a pair that does not turn. Not used where `directions` is given. */
  const int32_t *axisOf = nullptr;
  /** (heads, pairs, axes) or null. */
  const double *directions = nullptr;
  int64_t axes = 0;
  int64_t tokens = 0;
  int64_t heads = 0;
  int64_t pairs = 0;
  double factor = 1;
};

/** RMS norm of every query or key vector: x · weight / √(mean(x²) + eps). No weight, no norm. */
struct Norm {
  /** (dim). */
  const float *weight = nullptr;
  double eps = 0;
  /** After the rotation (HunYuan) instead of before it (Qwen3). */
  bool after = false;
};

/** Every mask leaves a query one run of keys. Query i is token queryOffset + i of the sequence. */
struct Mask {
  bool causal = true;
  /** 0: none. Otherwise a query sees keys with |i − j| < window. */
  int64_t window = 0;
  /** The first keys, which nobody sees, and the first queries, which see nothing. */
  int64_t padding = 0;
  /** (segments + 1) borders of packed segments, or null. */
  const int32_t *cuSeqlens = nullptr;
  int64_t segments = 0;
};

enum class BiasKind : int {
  None = 0,
  /** values (1 | heads, queries, keys) of any storage type. */
  Tensor = 1,
  /** ALiBi: −values[head] · |i − j|, values (heads). */
  Slope = 2,
  /** T5, KERPLE, any function of the distance: values (1 | heads, span), entry clamp(j − i + origin, 0, span − 1). */
  Distance = 3,
  /**
   * Swin: values (1 | heads, (2·rows − 1)·(2·columns − 1)), entry (yi − yj + rows − 1)·(2·columns − 1) + xi − xj +
   * columns − 1, where a token's place in its window is (token mod rows·columns).
   */
  Grid = 4,
  /** CABLE: values[head][i] − values[head][j], values (1 | heads, keys). */
  Difference = 5,
};

struct Bias {
  BiasKind kind = BiasKind::None;
  const void *values = nullptr;
  DType type = DType::Float32;
  int64_t length = 0;
  int64_t heads = 0;
  int64_t span = 0;
  int64_t origin = 0;
  int64_t rows = 0;
  int64_t columns = 0;
};

struct Rotate {
  Tensor x;
  /** May be x itself; otherwise shares no byte with it. */
  Tensor out;
  Table table;
  Norm norm;
  bool inverse = false;
};

/** out = softmax(scale · rotate(q) · rotate(k)ᵀ + bias) · v, heads grouped. */
struct Attend {
  /** (queries, heads, headDim), (keys, kvHeads, headDim), (keys, kvHeads, valueDim), (queries, heads, valueDim). */
  Tensor q, k, v, out;
  /** Row of the table for query i is tableOffset + i, for key j it is j. */
  Table table;
  bool rotateQ = false;
  bool rotateK = false;
  int64_t tableOffset = 0;
  int64_t queryOffset = 0;
  Mask mask;
  Bias bias;
  double scale = 0;
  /** (queries), or null: one factor per query instead of `scale`. */
  const double *scales = nullptr;
  Norm qNorm, kNorm;
};

}  // namespace mrope
