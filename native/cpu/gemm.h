#pragma once

#include "vec.h"

// Register tiles: MR rows × NV vectors of sums.
//
//   C[i][j] (+)= Σ_k A[i][k] · B[k][j]      A rows lda apart, B packed in panels of NR columns, C rows ldc apart
//
// AVX2: 12 sums, 2 columns and a row element fill 15 of 16 registers; AVX-512: 24 of 32; SSE: 8 of 16; NEON: 16 of 32.

namespace mrope::cpu::MROPE_ISA {

#if MROPE_LANES == 16
constexpr int MR = 12, NV = 2;
#elif MROPE_LANES == 8
constexpr int MR = 6, NV = 2;
#elif defined(__aarch64__)
constexpr int MR = 4, NV = 4;
#else
constexpr int MR = 4, NV = 2;
#endif
/** Columns of a panel. */
constexpr int NR = NV * W;

/** V is a vector, or half of one: where two halves cost as much as a whole, a panel's last few columns take one. */
template <class V, int rows, int vectors, bool accumulate>
MROPE_INLINE void registerTile(float *C, int64_t ldc, const float *A, int64_t lda, const float *B, int64_t K) {
  constexpr int64_t lanes = sizeof(V) / sizeof(float);
  V c[rows][vectors] = {};
#pragma GCC unroll 16
  for (int i = 0; accumulate && i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) __builtin_memcpy(&c[i][j], C + i * ldc + j * lanes, sizeof(V));
  }
#pragma GCC unroll 2
  for (int64_t k = 0; k < K; k++) {
    V b[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) __builtin_memcpy(&b[j], B + k * NR + j * lanes, sizeof(V));
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
      const V a = A[i * lda + k] - V{};
#pragma GCC unroll 4
      for (int j = 0; j < vectors; j++) c[i][j] = c[i][j] + a * b[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) __builtin_memcpy(C + i * ldc + j * lanes, &c[i][j], sizeof(V));
  }
}

template <int rows, bool accumulate>
MROPE_INLINE void rowsTile(float *C, int64_t ldc, const float *A, int64_t lda, const float *B, int64_t K,
                           int64_t columns) {
#if MROPE_LANES == 16
  if (columns <= W / 2) return registerTile<vf_half, rows, 1, accumulate>(C, ldc, A, lda, B, K);
#endif
  if (columns > NR / 2) {
    registerTile<vf, rows, NV, accumulate>(C, ldc, A, lda, B, K);
  } else {
    registerTile<vf, rows, NV / 2, accumulate>(C, ldc, A, lda, B, K);
  }
}

/** Steps that the rows of a tile come in: the last strip of a window has few. */
constexpr int rowStep = MR % 3 == 0 ? MR / 3 : MR;

/** Up to MR rows, and as many vectors of a panel as `columns` needs. */
template <bool accumulate>
MROPE_INLINE void panelTile(int64_t rows, float *C, int64_t ldc, const float *A, int64_t lda, const float *B, int64_t K,
                            int64_t columns) {
  if (rows > 2 * rowStep || rowStep == MR) {
    rowsTile<MR, accumulate>(C, ldc, A, lda, B, K, columns);
  } else if (rows > rowStep) {
    rowsTile<2 * rowStep, accumulate>(C, ldc, A, lda, B, K, columns);
  } else {
    rowsTile<rowStep, accumulate>(C, ldc, A, lda, B, K, columns);
  }
}

}  // namespace mrope::cpu::MROPE_ISA
