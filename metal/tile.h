// One tile of attention.metal: its sizes, from the macros, and the state of its rows.
#ifndef MROPE_TILE_H
#define MROPE_TILE_H

#include "bias.h"
#include "fragments.h"
#include "params.h"
#include "staging.h"

template <typename A, typename B>
struct Operand {
  typedef float type;
};
template <>
struct Operand<half, half> {
  typedef half type;
};

typedef Operand<MROPE_Q, MROPE_K>::type QueryOperand;
typedef Operand<MROPE_V, MROPE_V>::type ValueOperand;

enum {
  D = MROPE_HEAD_DIM,
  DV = MROPE_VALUE_DIM,
  ROWS = MROPE_ROWS,
  KEYS = MROPE_KEYS,
  THREADS = 32 * MROPE_SIMDGROUPS,
  TQ = MROPE_ROWS / (8 * MROPE_SIMDGROUPS),
  KB = MROPE_KEYS / 8,
  Q_LD = D + 16 / int(sizeof(QueryOperand)),
  K_LD = D + 16 / int(sizeof(MROPE_K)),
  V_LD = DV + 16 / int(sizeof(MROPE_V)),
  Q_BYTES = ROWS * Q_LD * int(sizeof(QueryOperand)),
  K_BYTES = MROPE_STAGED ? KEYS * K_LD * int(sizeof(MROPE_K)) : 0,
  V_BYTES = MROPE_STAGED ? KEYS * V_LD * int(sizeof(MROPE_V)) : 0,
  K_AT = MROPE_KEEP ? 0 : Q_BYTES,
  BYTES = Q_BYTES > K_AT + K_BYTES + V_BYTES ? Q_BYTES : K_AT + K_BYTES + V_BYTES
};

/** The state of a simdgroup: 8·TQ rows of one tile, seen from one lane. */
struct RowState {
  simdgroup_matrix<QueryOperand, 8, 8> kept[MROPE_KEEP ? TQ : 1][MROPE_KEEP ? D / 8 : 1];
  Fragment sums[TQ][DV / 8];
  float top[TQ], total[TQ];
  int first[TQ], last[TQ];  // keys that a row sees
  BiasRow bias[TQ];
};

inline void hideKeys(thread Fragment (&s)[TQ][KB], int key0, uint column, thread RowState &state) {
  MROPE_UNROLL
  for (int t = 0; t < TQ; t++) {
    MROPE_UNROLL
    for (int kb = 0; kb < KB; kb++) {
      MROPE_UNROLL
      for (int e = 0; e < 2; e++) {
        const int j = key0 + kb * 8 + int(column) + e;
        if (j < state.first[t] || j > state.last[t]) s[t][kb].thread_elements()[e] = hiddenScore;
      }
    }
  }
}

/** `shift` counts from the key of the segment to the key of the sequence; keys past `end` are not there. */
inline void addBias(thread Fragment (&s)[TQ][KB], Bias bias, int key0, int end, int shift, uint column,
                    thread RowState &state) {
  MROPE_UNROLL
  for (int kb = 0; kb < KB; kb++) {
    MROPE_UNROLL
    for (int e = 0; e < 2; e++) {
      const int j = min(key0 + kb * 8 + int(column) + e, end - 1) + shift;
      MROPE_UNROLL
      for (int t = 0; t < TQ; t++) {
        s[t][kb].thread_elements()[e] = biasedScore(s[t][kb].thread_elements()[e], biasOf(bias, state.bias[t], j));
      }
    }
  }
}

/** One run of channels of one output row. */
template <int W>
inline void storeOutput(device MROPE_OUT *to, int b, uint column, thread Fragment (&sums)[DV / 8], float factor) {
  MROPE_OUT run[W];
  MROPE_UNROLL
  for (int i = 0; i < W / 2; i++) {
    run[2 * i] = MROPE_OUT(sums[b / 8 + i].thread_elements()[0] * factor);
    run[2 * i + 1] = MROPE_OUT(sums[b / 8 + i].thread_elements()[1] * factor);
  }
  storeWide<MROPE_OUT, W>(to + uint(b) + column / 2 * W, run);
}

inline void storeRow(device MROPE_OUT *to, uint column, thread Fragment (&sums)[DV / 8], float factor) {
  const int W = 16 / int(sizeof(MROPE_V)), FULL = DV / (4 * W) * (4 * W), REST = (DV - FULL) / 4;
  MROPE_UNROLL
  for (int b = 0; b < FULL; b += 4 * W) storeOutput<W>(to, b, column, sums, factor);
  if (REST & 4) storeOutput<4>(to, FULL, column, sums, factor);
  if (REST & 2) storeOutput<2>(to, FULL + (REST & 4) * 4, column, sums, factor);
}

inline void storePart(device float *to, uint column, thread Fragment (&sums)[DV / 8]) {
  MROPE_UNROLL
  for (int n = 0; n < DV / 8; n++) {
    const uint channel = valueChannel<MROPE_V, DV>(uint(n), column);
    to[channel] = sums[n].thread_elements()[0];
    to[channel + 1] = sums[n].thread_elements()[1];
  }
}

#endif
