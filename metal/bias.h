// What is added to a score, as a function of the head, the query and the key. An N×N tensor only where the caller has one.
//
//   tensor       values[head][query][j]
//   slope        −values[head] · |i − j|                                                     ALiBi, arXiv 2108.12409
//   distance     values[head][clamp(j − i + origin, 0, span − 1)]                            T5, KERPLE
//   grid         values[head][(yi − yj + rows − 1)·(2·columns − 1) + xi − xj + columns − 1]  Swin, arXiv 2103.14030
//   difference   values[head][i] − values[head][j]                                           CABLE
//
// i and j are indices in the sequence, `query` counts the queries of the call; (y, x) = token mod rows·columns, row by
// row. A bias of −infinity hides the key. A finite one never does: a score that falls too far is held at `faintScore`,
// above hidden scores and below all others, which the kernels notice at the end of a row.
#ifndef MROPE_BIAS_H
#define MROPE_BIAS_H

#include "fragments.h"
#include "params.h"

constant int biasKind [[function_constant(ConstantBias)]];
constant int biasType [[function_constant(ConstantBiasType)]];

// The kinds and types of native/core/params.h.
#define biasNone 0
#define biasTensor 1
#define biasSlope 2
#define biasDistance 3
#define biasGrid 4
#define biasDifference 5
#define typeFloat16 1
#define typeBfloat16 2

#define faintScore (-5.0e29f)
#define log2e 1.44269504f

struct Bias {
  const device uchar *values;
  uint head;           // stride from head to head, 0 where they share the values
  uint span;           // entries of a row (tensor) or of a head (distance)
  int origin;
  uint rows, columns;  // grid
};

/** What a row contributes: where its values begin, and its own part of the place. */
struct BiasRow {
  ulong at;
  int place;
  float own;
};

inline int gridPlace(Bias b, int token) {
  const uint cell = uint(token) % (b.rows * b.columns);
  return int(cell / b.columns * (2 * b.columns - 1) + cell % b.columns);
}

inline BiasRow biasRow(Bias b, uint head, uint query, int i) {
  const device float *values = (const device float *)b.values;
  BiasRow row;
  row.at = ulong(head) * b.head;
  row.place = 0;
  row.own = 0.0f;
  if (biasKind == biasTensor) row.at += ulong(query) * b.span;
  if (biasKind == biasSlope) {
    row.own = values[row.at];
    row.place = i;
  }
  if (biasKind == biasDistance) row.place = b.origin - i;
  if (biasKind == biasGrid) {
    row.place = gridPlace(b, i) + int((b.rows - 1) * (2 * b.columns - 1) + b.columns - 1);
  }
  if (biasKind == biasDifference) row.own = values[row.at + ulong(uint(i))];
  return row;
}

#define hidesKey 0xff800000u  // -infinity

/** The bits of a float, so that an infinity is seen even where the compiler takes all floats for finite ones. */
inline uint biasBits(Bias b, ulong at) {
  if (biasType == typeFloat16) {
    const ushort stored = ((const device ushort *)b.values)[at];
    return stored == ushort(0xfc00) ? hidesKey : as_type<uint>(float(as_type<half>(stored)));
  }
  if (biasType == typeBfloat16) return uint(((const device ushort *)b.values)[at]) << 16;
  return ((const device uint *)b.values)[at];
}

/** The bias of key j, as the bits of a float. */
inline uint biasOf(Bias b, BiasRow row, int j) {
  if (biasKind == biasSlope) return as_type<uint>(-row.own * float(abs(row.place - j)));
  if (biasKind == biasDistance) return biasBits(b, row.at + ulong(clamp(j + row.place, 0, int(b.span) - 1)));
  if (biasKind == biasGrid) return biasBits(b, row.at + ulong(row.place - gridPlace(b, j)));
  const ulong at = row.at + ulong(uint(j));
  if (biasKind == biasDifference) return as_type<uint>(row.own - ((const device float *)b.values)[at]);
  return biasBits(b, at);
}

/** A score, in units of log2 e, with its bias. */
inline float biasedScore(float score, uint bias) {
  if (bias == hidesKey) return hiddenScore;
  const float sum = fma(as_type<float>(bias), log2e, score);
  return sum < faintScore ? faintScore : sum;  // NaN stays NaN
}

#endif
