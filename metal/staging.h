// Rows of queries and keys into threadgroup memory: normed, turned and scaled on the way.
//
//   before:  rotate(x · weight / √(mean(x²) + eps)) · scale
//   after:   rotate(x) · weight / √(mean(rotate(x)²) + eps) · scale
//
// An item is MROPE_WIDTH neighbouring pairs of one token. Its angles are made once and serve every head of the group:
//
//     item          (token 0, pairs 0 1)   (token 0, pairs 2 3) …                one thread each
//     rows          token 0, head 0 … G − 1                                      a loop over the heads
//
// Numerics   float, rounded once to the type of the tile.
#ifndef MROPE_STAGING_H
#define MROPE_STAGING_H

#include "fragments.h"
#include "rotary.h"

/** The rotation of one tile: `head` of the allocation, `column` of token 0. */
struct Turning {
  bool turns;
  uint head, column;
};

struct RowNorm {
  int place;  // a NormPlace
  const device float *weight;
  float eps;
};

/** (cos, sin) of the pairs of an item; (1, 0) for channels that pass through. */
inline void itemAngles(Rotary r, Turning turning, uint token, uint f, thread float2 *angles) {
  const uint pairs = r.params->pairs;
  for (uint i = 0; i < uint(MROPE_WIDTH); i++) {
    angles[i].x = 1.0f;
    angles[i].y = 0.0f;
    if (turning.turns && f < pairs) angles[i] = angleOf(r, turning.head, turning.column + token, f + i);
  }
}

/** Angles with the same lengths as those of an item, which is all that a norm sees, without a sine or cosine. */
inline void itemLengths(Rotary r, Turning turning, uint token, uint f, thread float2 *angles) {
  if (angleKind == AnglesTable || angleKind == AnglesPerId) {
    itemAngles(r, turning, token, f, angles);
    return;
  }
  const bool turned = turning.turns && angleKind != AnglesNone && f < r.params->pairs;
  for (int i = 0; i < MROPE_WIDTH; i++) {
    angles[i].x = turned ? r.params->factor : 1.0f;
    angles[i].y = 0.0f;
  }
}

template <typename T>
inline Runs loadItem(const device T *x, uint f, uint pairs) {
  Runs runs;
  loadChannels(x + firstChannel(f, pairs), runs.first);
  loadChannels(x + secondChannel(f, pairs), runs.second);
  return runs;
}

/** 1 / rms of one row, by the lanes of a simdgroup. */
template <typename T, int D>
inline float inverseRms(const device T *x, RowNorm norm, Rotary r, Turning turning, uint token, uint lane) {
  const uint pairs = turning.turns ? r.params->pairs : 0u;
  float squares = 0.0f;
  for (uint f = lane * uint(MROPE_WIDTH); f < uint(D) / 2; f += 32u * uint(MROPE_WIDTH)) {
    Runs runs = loadItem(x, f, pairs);
    if (norm.place == NormAfter) {
      float2 angles[MROPE_WIDTH];
      itemLengths(r, turning, token, f, angles);
      turnRuns(runs, angles);
    }
    for (int i = 0; i < MROPE_WIDTH; i++) squares += runs.first[i] * runs.first[i] + runs.second[i] * runs.second[i];
  }
  return 1.0f / sqrt(simd_sum(squares) / float(D) + norm.eps);
}

/** One item of one row: `factor` is scale / rms. */
inline void finishItem(thread Runs &runs, uint f, uint pairs, float factor, RowNorm norm, const thread float2 *angles) {
  const uint first = firstChannel(f, pairs), second = secondChannel(f, pairs);
  const bool turned = f < pairs;
  if (turned && norm.place == NormAfter) turnRuns(runs, angles);
  for (uint i = 0; i < uint(MROPE_WIDTH); i++) {
    runs.first[i] *= factor;
    runs.second[i] *= factor;
    if (norm.place != NormNone) {
      runs.first[i] *= norm.weight[first + i];
      runs.second[i] *= norm.weight[second + i];
    }
  }
  if (turned && norm.place != NormAfter) turnRuns(runs, angles);
}

/** Where a tile of query rows comes from: `x` is its segment's first query, first head of the group. */
template <typename T>
struct QueryRows {
  const device T *x;
  uint token, head;            // strides
  int group;
  int row, end;                // first row of the tile, end of the segment's rows
  const device float *scales;  // of the segment's queries, or null: `scale`
  float scale;
};

/**
 * ROWS query rows in the order of `querySlot`; rows past the end are zero. All threads call it; no barrier at the end.
 * K is the storage type of the keys, M that of the tile; `rms` holds ROWS floats.
 */
template <typename T, typename K, typename M, int D, int ROWS, int LD>
inline void loadQueries(QueryRows<T> q, RowNorm norm, Rotary r, Turning turning, threadgroup M *to,
                        threadgroup float *rms, bool scaled, uint index, uint threads) {
  const int G = q.group, valid = min(ROWS, q.end - q.row);
  const uint pairs = turning.turns ? r.params->pairs : 0u, items = uint(D) / uint(2 * MROPE_WIDTH);
  if (norm.place != NormNone) {
    for (int i = int(index / 32); i < valid; i += int(threads / 32)) {
      const int token = (q.row + i) / G, head = (q.row + i) % G;
      const float inverse = inverseRms<T, D>(q.x + ulong(token) * q.token + ulong(head) * q.head, norm, r, turning,
                                             uint(token), index % 32);
      if (index % 32 == 0) rms[i] = inverse;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  const int token0 = q.row / G, tokens = (q.row + valid - 1) / G - token0 + 1;
  for (uint item = index; item < uint(tokens) * items; item += threads) {
    const int token = token0 + int(item / items);
    const uint f = item % items * uint(MROPE_WIDTH), first = firstChannel(f, pairs), second = secondChannel(f, pairs);
    float2 angles[MROPE_WIDTH];
    itemAngles(r, turning, uint(token), f, angles);
    const float scale = scaled ? q.scales[token] : q.scale;
    for (int head = max(0, q.row - token * G); head < G; head++) {
      const int row = token * G + head - q.row;
      if (row >= valid) break;
      Runs runs = loadItem(q.x + ulong(token) * q.token + ulong(head) * q.head, f, pairs);
      finishItem(runs, f, pairs, norm.place == NormNone ? scale : scale * rms[row], norm, angles);
      threadgroup M *place = to + row * LD;
      for (uint i = 0; i < uint(MROPE_WIDTH); i++) {
        place[querySlot<K, D>(first + i)] = M(runs.first[i]);
        place[querySlot<K, D>(second + i)] = M(runs.second[i]);
      }
    }
  }
  for (uint i = uint(max(valid, 0)) * LD + index; i < uint(ROWS) * LD; i += threads) to[i] = M(0);
}

/** A block of rows as they are, by 16 bytes; rows past `count` are zero. */
template <typename T, int D, int ROWS, int LD>
inline void stageRows(const device T *x, uint ld, int count, threadgroup T *to, uint index, uint threads) {
  const uint E = 16 / sizeof(T), PARTS = uint(D) / E;
  for (uint i = index; i < uint(ROWS) * PARTS; i += threads) {
    const uint row = i / PARTS, channel = i % PARTS * E;
    uint4 words;
    words.x = words.y = words.z = words.w = 0;
    if (int(row) < count) words = *(const device uint4 *)(x + row * ld + channel);
    *(threadgroup uint4 *)(to + row * LD + channel) = words;
  }
}

/** 1 / rms of a block of raw keys. */
template <typename T, int D>
inline void measureKeys(const device T *x, uint ld, int count, RowNorm norm, Rotary r, Turning turning, uint token,
                        threadgroup float *rms, uint index, uint threads) {
  for (uint row = index / 32; int(row) < count; row += threads / 32) {
    const float inverse = inverseRms<T, D>(x + row * ld, norm, r, turning, token + row, index % 32);
    if (index % 32 == 0) rms[row] = inverse;
  }
}

/** A block of raw keys, normed and turned; rows past `count` are zero. `token` is the first key's. */
template <typename T, int D, int ROWS, int LD>
inline void stageRawKeys(const device T *x, uint ld, int count, RowNorm norm, Rotary r, Turning turning, uint token,
                         threadgroup T *to, const threadgroup float *rms, uint index, uint threads) {
  const uint pairs = turning.turns ? r.params->pairs : 0u, items = uint(D) / uint(2 * MROPE_WIDTH);
  for (uint item = index; item < uint(ROWS) * items; item += threads) {
    const uint row = item / items, f = item % items * uint(MROPE_WIDTH);
    Runs runs;
    for (int i = 0; i < MROPE_WIDTH; i++) runs.first[i] = runs.second[i] = 0.0f;
    if (int(row) < count) {
      float2 angles[MROPE_WIDTH];
      itemAngles(r, turning, token + row, f, angles);
      runs = loadItem(x + row * ld, f, pairs);
      finishItem(runs, f, pairs, norm.place == NormNone ? 1.0f : rms[row], norm, angles);
    }
    threadgroup T *place = to + row * LD;
    for (uint i = 0; i < uint(MROPE_WIDTH); i++) {
      place[firstChannel(f, pairs) + i] = T(runs.first[i]);
      place[secondChannel(f, pairs) + i] = T(runs.second[i]);
    }
  }
}

#endif
