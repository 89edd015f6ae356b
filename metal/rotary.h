// Angles and pairs, shared by all kernels that rotate.
//
//   angle(h, n, f) = invFreq[f] · Σ_a u[h][f][a] · id[a][n]
//   (x, y) -> (x·c − y·s, y·c + x·s)        c = factor · cos(angle), s = factor · sin(angle)
//
//   id[a][n]        F                 phase, 32 bits: the angle as a fraction of a turn
//   int32      ×    64-bit fraction   = | quarter | rest ............................ |
//   fixed point     of a turn           2 bits    30 bits: sine and cosine by polynomials
//
// Phase      F = turns per unit of an id, fraction bits of the ids folded in: (high, low) words of frac(F) · 2^64.
//            id · high + mulhi(id, low), mod 2^32, is exact to 2^-32 turn (1.5e-9 rad) plus |id| · 2^-65 turn at every
//            int32. Sums over axes wrap where the angle does, so they need nothing more.
// Sine,      The phase splits into the nearest quarter turn and a rest in [−1/8, 1/8) turn; two minimax polynomials and a
// cosine     swap. No range reduction in float, no library call, no `fast::`. Absolute error below 1e-7.
// Limits     ids are int32: 1/256 steps reach ±2^23, 1/128 steps ±2^24. Ids that are not dyadic come as tables.
#ifndef MROPE_ROTARY_H
#define MROPE_ROTARY_H

#include <metal_stdlib>

#include "params.h"

using namespace metal;

constant int angleKind [[function_constant(ConstantAngles)]];
constant bool adjacentPairs [[function_constant(ConstantAdjacent)]];

// The buffers of RotaryBuffer as kernel arguments, and the same as one value.
#define MROPE_ROTARY_ARGUMENTS                                                                                      \
  const device int *rotaryIds [[buffer(RotaryIds)]], const device uint2 *rotaryFrequencies [[buffer(RotaryFrequencies)]], \
      const device uchar *rotaryAxes [[buffer(RotaryAxes)]], const device float *rotaryCos [[buffer(RotaryCos)]],   \
      const device float *rotarySin [[buffer(RotarySin)]]

struct Rotary {
  constant RotaryParams *params;
  const device int *ids;
  const device uint2 *frequencies;
  const device uchar *axes;
  const device float *cosTable;
  const device float *sinTable;
};

#define MROPE_ROTARY(parameters) \
  { &(parameters), rotaryIds, rotaryFrequencies, rotaryAxes, rotaryCos, rotarySin }

inline uint phaseOf(int id, uint2 frequency) {
  const uint bits = uint(id);
  uint carry = mulhi(bits, frequency.y);
  carry -= id < 0 ? frequency.y : 0u;  // bits is id + 2^32 there
  return bits * frequency.x + carry;
}

// (cos, sin) of phase / 2^32 turns.
inline float2 cosSinOfPhase(uint phase) {
  const uint turned = phase + 0x20000000u;  // bits 31 and 30: the nearest quarter turn
  const int rest = int(phase - (turned & 0xc0000000u));
  // 2π / 2^32 in two words times the rest in two exact words: one rounding.
  const float high = float(rest & ~0xff), low = float(rest & 0xff);
  const float x = fma(high, 1.46291812e-09f, fma(high, -4.07094027e-17f, low * 1.46291812e-09f));
  const float z = x * x;
  const float s = fma(x * z, fma(z, fma(z, -0.000194956359f, 0.00833197869f), -0.166666508f), x);
  const float c = fma(z * z, fma(z, fma(z, 2.44384519e-05f, -0.00138873677f), 0.0416666456f), fma(z, -0.5f, 1.0f));
  const bool swap = (turned & 0x40000000u) != 0u;
  float2 result;
  result.x = as_type<float>(as_type<uint>(swap ? s : c) ^ ((turned + 0x40000000u) & 0x80000000u));
  result.y = as_type<float>(as_type<uint>(swap ? c : s) ^ (turned & 0x80000000u));
  return result;
}

// (cos, sin) of pair f < pairs for token `token` of the dispatch and head `head` of the allocation.
inline float2 angleOf(const thread Rotary &r, uint head, uint token, uint f) {
  constant RotaryParams &p = *r.params;
  const uint column = p.column + token;
  float2 result;
  if (angleKind == AnglesTable) {
    const ulong at = (ulong(head) * p.tokens + column) * p.pairs + f;
    result.x = r.cosTable[at];
    result.y = r.sinTable[at];
    return result;
  }
  if (angleKind == AnglesDirections) {
    const device uint2 *steps = r.frequencies + (head * p.pairs + f) * p.axes;
    uint phase = 0;
    for (uint axis = 0; axis < p.axes; axis++) phase += phaseOf(r.ids[ulong(axis) * p.tokens + column], steps[axis]);
    return cosSinOfPhase(phase) * p.factor;
  }
  const uint axis = angleKind == AnglesNone ? uint(noAxis) : uint(r.axes[head * p.pairs + f]);
  if (axis == uint(noAxis)) {
    result.x = angleKind == AnglesNone ? 1.0f : p.factor;
    result.y = 0.0f;
    return result;
  }
  const int id = r.ids[ulong(axis) * p.tokens + column];
  if (angleKind == AnglesPerId) {
    const ulong at = ulong(id) * p.pairs + f;
    result.x = r.cosTable[at];
    result.y = r.sinTable[at];
    return result;
  }
  return cosSinOfPhase(phaseOf(id, r.frequencies[f])) * p.factor;
}

// (x, y) turned by (cos, sin).
inline void turnPair(thread float &x, thread float &y, float2 angle) {
  const float first = x;
  x = fma(first, angle.x, -y * angle.y);
  y = fma(y, angle.x, first * angle.y);
}

// ---- Runs. A thread takes MROPE_WIDTH neighbouring pairs at once: 2 where shapes and alignment allow, else 1. Their
// channels are two runs of as many neighbours:
//
//   half-split             |f f+1|...|f+pairs f+pairs+1|...      pair i: (first[i], second[i])
//   adjacent               |2f 2f+1|2f+2 2f+3|...                pair 0: first, pair 1: second
//   channels not turned    as adjacent
#ifndef MROPE_WIDTH
#define MROPE_WIDTH 2
#endif

struct Runs {
  float first[MROPE_WIDTH], second[MROPE_WIDTH];
};

inline uint firstChannel(uint f, uint pairs) { return adjacentPairs || f >= pairs ? 2u * f : f; }
inline uint secondChannel(uint f, uint pairs) {
  return adjacentPairs || f >= pairs ? 2u * f + uint(MROPE_WIDTH) : f + pairs;
}

// `angles` holds (cos, sin) of pairs f …
inline void turnRuns(thread Runs &x, const thread float2 *angles) {
#if MROPE_WIDTH == 2
  if (adjacentPairs) {
    turnPair(x.first[0], x.first[1], angles[0]);
    turnPair(x.second[0], x.second[1], angles[1]);
    return;
  }
#endif
  for (int i = 0; i < MROPE_WIDTH; i++) turnPair(x.first[i], x.second[i], angles[i]);
}

template <typename T>
inline void loadChannels(const device T *from, thread float *to) {
#if MROPE_WIDTH == 2
  const vec<T, 2> couple = *(const device vec<T, 2> *)from;
  to[0] = float(couple.x);
  to[1] = float(couple.y);
#else
  to[0] = float(from[0]);
#endif
}

template <typename T>
inline void storeChannels(device T *to, const thread float *from) {
#if MROPE_WIDTH == 2
  vec<T, 2> couple;
  couple.x = T(from[0]);
  couple.y = T(from[1]);
  *(device vec<T, 2> *)to = couple;
#else
  to[0] = T(from[0]);
#endif
}

#endif
