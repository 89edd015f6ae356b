// One row of channels by one simdgroup: norm, rotation, conversion; shared by rotate, rotate_append, rerotate and decode.
//
//   before:  out = rotate(x · weight / √(mean(x²) + eps)) · scale
//   after:   out = rotate(x) · weight / √(mean(rotate(x)²) + eps) · scale
//
//   lane         0     1     2  ...  31    0     1  ...
//   pairs     | 0 1 | 2 3 | 4 5 ... 62 63 | 64 65 ...      (MROPE_WIDTH = 2), then the channels that do not turn
//
// A lane reads and writes the same channels in every pass, so a row may be turned in place.
// Numerics   float; the only rounding to a storage type is the store.
#ifndef MROPE_ROWS_H
#define MROPE_ROWS_H

#include "rotary.h"

// (cos, sin) of `count` tokens from `token` on, pair by pair, into threadgroup memory. Once per token and pair; all
// heads of the token use them. No barrier at the end.
inline void fillAngles(const thread Rotary &r, uint head, uint token, uint count, float sign,
                       threadgroup float2 *angles, uint index, uint threads) {
  const uint pairs = r.params->pairs;
  for (uint i = index; i < count * pairs; i += threads) {
    float2 angle = angleOf(r, head, token + i / pairs, i % pairs);
    angle.y *= sign;
    angles[i] = angle;
  }
}

template <typename T>
struct DeviceRow {
  device T *to;
  void store(uint channel, const thread float *run) const { storeChannels(to + channel, run); }
};

struct RowTask {
  uint dim, pairs;
  const threadgroup float2 *angles;  // of the row's token: (pairs)
  int norm;                          // a NormPlace
  const device float *weight;        // (dim)
  float eps, scale;
};

template <typename T>
inline void loadRuns(const device T *x, uint f, uint pairs, uint dim, thread Runs &runs) {
  loadChannels(x + firstChannel(f, pairs), runs.first);
  const uint second = secondChannel(f, pairs);
  for (int i = 0; i < MROPE_WIDTH; i++) runs.second[i] = 0.0f;
  if (second < dim) loadChannels(x + second, runs.second);  // an odd dim ends in half an item
}

inline void turnRunsOf(thread Runs &runs, uint f, const thread RowTask &task) {
  if (f >= task.pairs) return;
  float2 angles[MROPE_WIDTH];
  for (int i = 0; i < MROPE_WIDTH; i++) angles[i] = task.angles[f + uint(i)];
  turnRuns(runs, angles);
}

template <typename T, typename Row>
inline void turnRow(const device T *x, const thread Row &out, const thread RowTask &task, uint lane) {
  const uint places = (task.dim + 1u) / 2u, step = 32u * uint(MROPE_WIDTH);
  float factor = task.scale;
  if (task.norm != NormNone) {
    float squares = 0.0f;
    for (uint f = lane * uint(MROPE_WIDTH); f < places; f += step) {
      Runs runs;
      loadRuns(x, f, task.pairs, task.dim, runs);
      if (task.norm == NormAfter) turnRunsOf(runs, f, task);
      for (int i = 0; i < MROPE_WIDTH; i++)
        squares += runs.first[i] * runs.first[i] + runs.second[i] * runs.second[i];
    }
    factor *= 1.0f / sqrt(simd_sum(squares) / float(task.dim) + task.eps);
  }
  for (uint f = lane * uint(MROPE_WIDTH); f < places; f += step) {
    const uint first = firstChannel(f, task.pairs), second = secondChannel(f, task.pairs);
    Runs runs;
    loadRuns(x, f, task.pairs, task.dim, runs);
    if (task.norm == NormAfter) turnRunsOf(runs, f, task);
    for (int i = 0; i < MROPE_WIDTH; i++) {
      runs.first[i] *= factor;
      runs.second[i] *= factor;
    }
    if (task.norm != NormNone) {
      for (uint i = 0; i < uint(MROPE_WIDTH); i++) {
        runs.first[i] *= task.weight[first + i];
        if (second < task.dim) runs.second[i] *= task.weight[second + i];
      }
    }
    if (task.norm != NormAfter) turnRunsOf(runs, f, task);
    out.store(first, runs.first);
    if (second < task.dim) out.store(second, runs.second);
  }
}

template <typename From, typename To>
inline void copyRow(const device From *x, device To *out, uint dim, uint lane) {
  float run[MROPE_WIDTH];
  for (uint channel = lane * uint(MROPE_WIDTH); channel < dim; channel += 32u * uint(MROPE_WIDTH)) {
    loadChannels(x + channel, run);
    storeChannels(out + channel, run);
  }
}

#endif
