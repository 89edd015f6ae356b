// 8×8 matrix fragments fed by runs of up to 16 bytes: no transposed copy, no shuffles.
//
// A simdgroup_matrix gives every lane two neighbours of one row: lane l holds (row(l), column(l)) and (row(l),
// column(l) + 1). For S = Q·Kᵀ the right operand is Kᵀ, so lane l must hold channel row(l) of the keys column(l) and
// column(l) + 1. The channel trick: a dot product may sum its channels in any order, so the 8 channels of fragment i
// need not be neighbours. Row r of fragment i is channel b + r·W + i, and one load of W neighbours per key gives a lane
// its element of W fragments:
//
//     a key in memory   | r = 0: W channels | r = 1: W channels | … | r = 7: W channels |     one segment: 8·W channels
//     fragment i takes     ↑ number i          ↑ number i             ↑ number i
//
// The queries are stored in that order when they are rotated (`querySlot`). For O = P·V the columns are permuted in the
// same way: columns (2c, 2c + 1) of fragment i are channels b + c·W + 2i, b + c·W + 2i + 1, one load serves W / 2
// fragments, and O leaves in runs of W channels (`valueChannel`).
//
// W is 16 bytes of elements, then half of it, a quarter … for what is left (runs.h): 72 = 64 + 8, 88 = 64 + 16 + 8.
// Nothing is padded; dims are multiples of 8.
//
// Softmax     base 2: log2 e is part of the scale that multiplies q. Hidden scores are finite and lie below the start of
//             the running maximum, so their weights are exactly 0 and a row that sees nothing sums to 0: no branch, no
//             infinity.
// Lanes       nothing relies on lanes running in step. The order of elements among lanes is that of ggml and MLX;
//             lane_order.metal tests it when a device is opened.
#ifndef MROPE_FRAGMENTS_H
#define MROPE_FRAGMENTS_H

#include <metal_simdgroup_matrix>

#include "runs.h"

#define hiddenScore (-3.0e38f)
#define lowestMaximum (-1.0e30f)
#define doubtfulMaximum (-1.0e29f)  // no honest score falls so low

typedef simdgroup_matrix<float, 8, 8> Fragment;

inline uint laneRow(uint lane) { return ((lane >> 4) & 1u) * 4u + ((lane >> 1) & 3u); }
inline uint laneColumn(uint lane) { return ((lane >> 3) & 1u) * 4u + (lane & 1u) * 2u; }

/** A row of a fragment lives in four lanes: these two steps visit them. */
inline float rowMaximum(float x) {
  x = max(x, simd_shuffle_xor(x, ushort(1)));
  return max(x, simd_shuffle_xor(x, ushort(8)));
}
inline float rowSum(float x) {
  x += simd_shuffle_xor(x, ushort(1));
  return x + simd_shuffle_xor(x, ushort(8));
}
inline uint rowUnion(uint x) {
  x |= simd_shuffle_xor(x, ushort(1));
  return x | simd_shuffle_xor(x, ushort(8));
}

template <typename M>
inline void setFragment(thread simdgroup_matrix<M, 8, 8>& f, M first, M second) {
  f.thread_elements()[0] = first;
  f.thread_elements()[1] = second;
}

// ------------------------------------------------------------------------------------------------------------- queries

// Query fragments of a simdgroup: kept in registers (KEEP), or read from threadgroup memory for every block of keys.
// `corner` is the lane's first element of the simdgroup's rows, LD the length of a row. Without KEEP the array has one
// entry that nobody uses.

template <bool KEEP, typename M, int D, int TQ, int LD>
inline void keepQueries(const threadgroup M* corner,
                        thread simdgroup_matrix<M, 8, 8> (&kept)[KEEP ? TQ : 1][KEEP ? D / 8 : 1]) {
  if (!KEEP) return;
  MROPE_UNROLL
  for (int t = 0; t < (KEEP ? TQ : 1); t++) {
    MROPE_UNROLL
    for (int n = 0; n < (KEEP ? D / 8 : 1); n++) {
      setFragment<M>(kept[t][n], corner[t * 8 * LD + n * 8], corner[t * 8 * LD + n * 8 + 1]);
    }
  }
}

// -------------------------------------------------------------------------------------------------------- S = Q·Kᵀ

/**
 * One segment of W fragments from channel b on. Keys past `last` read key `last` again: the caller hides their scores.
 * With KEEP two runs of keys are live at a time; otherwise a query fragment is read once and used for all KB blocks.
 */
template <bool KEEP, typename T, typename M, int D, int TQ, int KB, int LD, int W, typename S>
inline void scoreSegment(typename S::template row<T> k, uint ld, int last, int b, uint row, uint column,
                         const threadgroup M* corner,
                         thread simdgroup_matrix<M, 8, 8> (&kept)[KEEP ? TQ : 1][KEEP ? D / 8 : 1],
                         thread Fragment (&s)[TQ][KB]) {
  const uint at = uint(b) + row * W;
  if (KEEP) {
    MROPE_UNROLL
    for (int kb = 0; kb < KB; kb++) {
      T x[W], y[W];
      loadWide<T, W, S>(k + uint(min(kb * 8 + int(column), last)) * ld + at, x);
      loadWide<T, W, S>(k + uint(min(kb * 8 + int(column) + 1, last)) * ld + at, y);
      MROPE_UNROLL
      for (int i = 0; i < W; i++) {
        simdgroup_matrix<M, 8, 8> keys;
        setFragment<M>(keys, M(x[i]), M(y[i]));
        MROPE_UNROLL
        for (int t = 0; t < TQ; t++) {
          simdgroup_multiply_accumulate(s[t][kb], kept[KEEP ? t : 0][KEEP ? b / 8 + i : 0], keys, s[t][kb]);
        }
      }
    }
    return;
  }
  T x[KB][W], y[KB][W];
  MROPE_UNROLL
  for (int kb = 0; kb < KB; kb++) {
    loadWide<T, W, S>(k + uint(min(kb * 8 + int(column), last)) * ld + at, x[kb]);
    loadWide<T, W, S>(k + uint(min(kb * 8 + int(column) + 1, last)) * ld + at, y[kb]);
  }
  MROPE_UNROLL
  for (int i = 0; i < W; i++) {
    MROPE_UNROLL
    for (int t = 0; t < TQ; t++) {
      const threadgroup M* from = corner + t * 8 * LD + b + i * 8;
      simdgroup_matrix<M, 8, 8> queries;
      setFragment<M>(queries, from[0], from[1]);
      MROPE_UNROLL
      for (int kb = 0; kb < KB; kb++) {
        simdgroup_matrix<M, 8, 8> keys;
        setFragment<M>(keys, M(x[kb][i]), M(y[kb][i]));
        simdgroup_multiply_accumulate(s[t][kb], queries, keys, s[t][kb]);
      }
    }
  }
}

/** s = scores of 8·TQ rows and 8·KB keys. k is the block's first key, ld a row's length, `last` the last key there is. */
template <bool KEEP, typename T, typename M, int D, int TQ, int KB, int LD, typename S>
inline void scores(typename S::template row<T> k, uint ld, int last, uint row, uint column, const threadgroup M* corner,
                   thread simdgroup_matrix<M, 8, 8> (&kept)[KEEP ? TQ : 1][KEEP ? D / 8 : 1],
                   thread Fragment (&s)[TQ][KB]) {
  const int W = 16 / int(sizeof(T)), FULL = D / (8 * W) * (8 * W), REST = (D - FULL) / 8;
  MROPE_UNROLL
  for (int t = 0; t < TQ; t++) {
    MROPE_UNROLL
    for (int kb = 0; kb < KB; kb++) setFragment<float>(s[t][kb], 0.0f, 0.0f);
  }
  MROPE_UNROLL
  for (int b = 0; b < FULL; b += 8 * W) {
    scoreSegment<KEEP, T, M, D, TQ, KB, LD, W, S>(k, ld, last, b, row, column, corner, kept, s);
  }
  if (REST & 4) scoreSegment<KEEP, T, M, D, TQ, KB, LD, 4, S>(k, ld, last, FULL, row, column, corner, kept, s);
  if (REST & 2) {
    scoreSegment<KEEP, T, M, D, TQ, KB, LD, 2, S>(k, ld, last, FULL + (REST & 4) * 8, row, column, corner, kept, s);
  }
  if (REST & 1) {
    scoreSegment<KEEP, T, M, D, TQ, KB, LD, 1, S>(k, ld, last, FULL + (REST & 6) * 8, row, column, corner, kept, s);
  }
}

// --------------------------------------------------------------------------------------------------------- O += P·V

template <typename T, typename M, int D, int TQ, int KB, int W, typename S>
inline void valueSegment(typename S::template row<T> v, uint ld, int last, int b, uint row, uint column,
                         thread Fragment (&p)[TQ][KB], thread Fragment (&o)[TQ][D / 8]) {
  MROPE_UNROLL
  for (int kb = 0; kb < KB; kb++) {
    T x[W];
    loadWide<T, W, S>(v + uint(min(kb * 8 + int(row), last)) * ld + uint(b) + column / 2 * W, x);
    MROPE_UNROLL
    for (int i = 0; i < W / 2; i++) {
      simdgroup_matrix<M, 8, 8> values;
      setFragment<M>(values, M(x[2 * i]), M(x[2 * i + 1]));
      MROPE_UNROLL
      for (int t = 0; t < TQ; t++) simdgroup_multiply_accumulate(o[t][b / 8 + i], p[t][kb], values, o[t][b / 8 + i]);
    }
  }
}

/** o += weights · values of one block of 8·KB keys. Values past `last` are those of `last`: their weights are 0. */
template <typename T, typename M, int D, int TQ, int KB, typename S>
inline void addValues(typename S::template row<T> v, uint ld, int last, uint row, uint column,
                      thread Fragment (&p)[TQ][KB], thread Fragment (&o)[TQ][D / 8]) {
  const int W = 16 / int(sizeof(T)), FULL = D / (4 * W) * (4 * W), REST = (D - FULL) / 4;
  MROPE_UNROLL
  for (int b = 0; b < FULL; b += 4 * W) valueSegment<T, M, D, TQ, KB, W, S>(v, ld, last, b, row, column, p, o);
  if (REST & 4) valueSegment<T, M, D, TQ, KB, 4, S>(v, ld, last, FULL, row, column, p, o);
  if (REST & 2) valueSegment<T, M, D, TQ, KB, 2, S>(v, ld, last, FULL + (REST & 4) * 4, row, column, p, o);
}

// ------------------------------------------------------------------------------------------------------------- softmax

/** Fresh state of 8·TQ rows. */
template <int D, int TQ>
inline void startRows(thread Fragment (&o)[TQ][D / 8], thread float (&top)[TQ], thread float (&sum)[TQ]) {
  MROPE_UNROLL
  for (int t = 0; t < TQ; t++) {
    top[t] = lowestMaximum;
    sum[t] = 0;
    MROPE_UNROLL
    for (int n = 0; n < D / 8; n++) setFragment<float>(o[t][n], 0.0f, 0.0f);
  }
}

/** Scores become weights relative to the running maximum; sum is the lane's part until `rowSum` at the end. */
template <int D, int TQ, int KB>
inline void weigh(thread Fragment (&s)[TQ][KB], thread Fragment (&o)[TQ][D / 8], thread float (&top)[TQ],
                  thread float (&sum)[TQ]) {
  MROPE_UNROLL
  for (int t = 0; t < TQ; t++) {
    float m = top[t];
    MROPE_UNROLL
    for (int kb = 0; kb < KB; kb++) {
      m = max(m, max(s[t][kb].thread_elements()[0], s[t][kb].thread_elements()[1]));
    }
    m = rowMaximum(m);
    const float shrink = fast::exp2(top[t] - m);
    top[t] = m;
    float part = 0;
    MROPE_UNROLL
    for (int kb = 0; kb < KB; kb++) {
      const float x = fast::exp2(s[t][kb].thread_elements()[0] - m), y = fast::exp2(s[t][kb].thread_elements()[1] - m);
      setFragment<float>(s[t][kb], x, y);
      part += x + y;
    }
    sum[t] = sum[t] * shrink + part;
    MROPE_UNROLL
    for (int n = 0; n < D / 8; n++) {
      o[t][n].thread_elements()[0] *= shrink;
      o[t][n].thread_elements()[1] *= shrink;
    }
  }
}

/** True for NaN and the infinities, whatever the math mode. */
inline bool notFinite(float x) { return (as_type<uint>(x) & 0x7f800000u) == 0x7f800000u; }

#endif
