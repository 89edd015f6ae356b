#pragma once

#include "vec.h"

// One vector of one head: rotation, RMS norm, conversion.
//
//   half-split   [x0 x1 … xF-1 | y0 y1 … yF-1 | rest]      pair f is (f, f + F)
//   adjacent     [x0 y0 x1 y1 …              | rest]      pair f is (2f, 2f + 1)
//
//   (x, y) → (x·c − y·s, y·c + x·s)

namespace mrope::cpu::MROPE_ISA {

/** Angles of one token; without pairs nothing turns. */
struct Turn {
  const float *cos = nullptr;
  const float *sin = nullptr;
  int64_t pairs = 0;
  bool adjacent = false;
};

MROPE_INLINE Turn turnOf(const Table &table, bool on, int64_t head, int64_t token) {
  if (!on) return {};
  const int64_t at = table.row(head, token);
  return {table.cos + at, table.sin + at, table.pairs, table.adjacent};
}

template <class V>
struct Pair {
  V x, y;
};

/** The same bits wherever a pair lies. */
template <class V>
MROPE_INLINE Pair<V> turned(V x, V y, V c, V s) {
  x = held(x), y = held(y), c = held(c), s = held(s);
  return {multiplyAdd(x, c, -(y * s)), multiplyAdd(y, c, x * s)};
}

template <class From, class To>
MROPE_INLINE void copyRow(const From *from, To *to, int64_t n, vf factor) {
  int64_t i = 0;
  for (; i + W <= n; i += W) store(to + i, load(from + i) * factor);
  if (i < n) storePart(to + i, loadPart(from + i, n - i) * factor, n - i);
}

#if MROPE_LANES == 16
/** Half-split float32 whose pairs are whole halves of a vector. */
MROPE_INLINE void turnByHalves(const float *from, float *to, const Turn &turn, float sign, float factor) {
  const auto at = [](const float *p) __attribute__((always_inline)) {
    vf_half v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  };
  const auto put = [](float *p, vf_half v) __attribute__((always_inline)) { __builtin_memcpy(p, &v, sizeof v); };
  for (int64_t f = 0; f < turn.pairs; f += W / 2) {
    const vf_half x = at(from + f) * factor, y = at(from + turn.pairs + f) * factor;
    const vf_half c = at(turn.cos + f), s = at(turn.sin + f) * sign;
    const Pair<vf_half> t = turned(x, y, c, s);
    put(to + f, t.x);
    put(to + turn.pairs + f, t.y);
  }
}
#endif

/** Half-split; `to` may be `from`. */
template <class From, class To>
MROPE_INLINE void turnHalves(const From *from, To *to, const Turn &turn, vf sign, vf factor) {
  const int64_t F = turn.pairs;
  const auto pair = [&](int64_t f, int64_t lanes) __attribute__((always_inline)) {
    const vf x = loadUpTo(from + f, lanes) * factor, y = loadUpTo(from + F + f, lanes) * factor;
    const vf c = loadUpTo(turn.cos + f, lanes), s = loadUpTo(turn.sin + f, lanes) * sign;
    return turned(x, y, c, s);
  };
  const auto put = [&](int64_t f, Pair<vf> t, int64_t lanes) __attribute__((always_inline)) {
    storeUpTo(to + f, t.x, lanes);
    storeUpTo(to + F + f, t.y, lanes);
  };
  if (F < W) return put(0, pair(0, F), F);
  // The last pairs once more as a whole vector, read before anything is written.
  const bool rest = F % W != 0;
  const Pair<vf> last = rest ? pair(F - W, W) : Pair<vf>{};
  for (int64_t f = 0; f + W <= F; f += W) put(f, pair(f, W), W);
  if (rest) put(F - W, last, W);
}

/** Adjacent; `to` may be `from`. */
template <class From, class To>
MROPE_INLINE void turnNeighbours(const From *from, To *to, const Turn &turn, vf sign, vf factor) {
  const int64_t F = turn.pairs;
  const auto one = [&](int64_t f, int64_t lanes) __attribute__((always_inline)) {
    const int64_t second = 2 * lanes - W;
    const vf a = loadUpTo(from + 2 * f, 2 * lanes) * factor;
    const vf b = second > 0 ? loadUpTo(from + 2 * f + W, second) * factor : vf{};
    const vf x = evens(a, b), y = odds(a, b);
    const vf c = loadUpTo(turn.cos + f, lanes), s = loadUpTo(turn.sin + f, lanes) * sign;
    const Pair<vf> t = turned(x, y, c, s);
    storeUpTo(to + 2 * f, interleaveLow(t.x, t.y), 2 * lanes);
    if (second > 0) storeUpTo(to + 2 * f + W, interleaveHigh(t.x, t.y), second);
  };
  int64_t f = 0;
  for (; f + W <= F; f += W) one(f, W);
  if (f < F) one(f, F - f);
}

template <class From, class To>
MROPE_INLINE void turnRow(const From *from, To *to, const Turn &turn, float sign, float factor) {
  if (turn.pairs == 0) return;
#if MROPE_LANES == 16
  // An odd number of halves: half a vector crosses a cache line half as often as a whole one does.
  if constexpr (__is_same(From, float) && __is_same(To, float)) {
    if (!turn.adjacent && turn.pairs % W == W / 2) return turnByHalves(from, to, turn, sign, factor);
  }
#endif
  if (turn.adjacent) {
    turnNeighbours(from, to, turn, splat(sign), splat(factor));
  } else {
    turnHalves(from, to, turn, splat(sign), splat(factor));
  }
}

/** row · weight · factor / rms(row). */
static void normRow(float *row, int64_t dim, const Norm &norm, float factor) {
  vf squares = {};
  int64_t i = 0;
  for (; i + W <= dim; i += W) squares += load(row + i) * load(row + i);
  double mean = sum(squares);
  for (; i < dim; i++) mean += double(row[i]) * row[i];
  const vf rms = splat(float(factor / __builtin_sqrt(mean / double(dim) + norm.eps)));
  for (i = 0; i < dim; i += W) {
    const int64_t lanes = dim - i;
    storeUpTo(row + i, loadUpTo(row + i, lanes) * rms * loadUpTo(norm.weight + i, lanes), lanes);
  }
}

/** A query or key as float32: normed, rotated and multiplied by `factor`. */
template <class T>
MROPE_INLINE void prepareRow(const T *from, float *row, int64_t dim, const Turn &turn, const Norm &norm, float factor) {
  const int64_t turned = 2 * turn.pairs;
  if (norm.weight == nullptr) {
    turnRow(from, row, turn, 1, factor);
    copyRow(from + turned, row + turned, dim - turned, splat(factor));
  } else if (norm.after) {
    turnRow(from, row, turn, 1, 1);
    copyRow(from + turned, row + turned, dim - turned, splat(1.f));
    normRow(row, dim, norm, factor);
  } else {
    copyRow(from, row, dim, splat(1.f));
    normRow(row, dim, norm, factor);
    turnRow(row, row, turn, 1, 1);
  }
}

}  // namespace mrope::cpu::MROPE_ISA
