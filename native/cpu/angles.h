#pragma once

#include "vec.h"

// cos and sin of angle(h, n, f) = invFreq[f] · Σ_a u[h][f][a] · ids[a][n].
//
// Everything is float64 and rounded once: the absolute error is within 3.1e-8 + 4e-9 for ids up to 2^24 and frequencies
// up to 1. The angle is reduced in turns, so no multiple-precision π is needed: t = along · (inv / 2π), minus the nearest
// quarter turn, leaves |x| ≤ π/4 for two Taylor polynomials (rest below 2e-11).

namespace mrope::cpu::MROPE_ISA {

/** Rounds to the nearest integer; |x| < 2^51. */
MROPE_INLINE vd nearest(vd x) { return (x + splatd(0x1.8p52)) - splatd(0x1.8p52); }

MROPE_INLINE void sinCosOfQuarters(vd quarters, vd &sin, vd &cos) {
  // Beyond 2^50 quarter turns float64 has no angle left; such ids get angle 0.
  const vl far = (quarters > splatd(0x1p50)) | (quarters < splatd(-0x1p50));
  quarters = (vd)(~far & (vl)quarters);
  const vd shifted = quarters + splatd(0x1.8p52);
  const vd x = (quarters - (shifted - splatd(0x1.8p52))) * splatd(1.5707963267948966);
  const vd y = x * x;
  vd s = splatd(-1.0 / 39916800);
  s = s * y + splatd(1.0 / 362880);
  s = s * y + splatd(-1.0 / 5040);
  s = s * y + splatd(1.0 / 120);
  s = s * y + splatd(-1.0 / 6);
  s = (s * y) * x + x;
  vd c = splatd(1.0 / 479001600);
  c = c * y + splatd(-1.0 / 3628800);
  c = c * y + splatd(1.0 / 40320);
  c = c * y + splatd(-1.0 / 720);
  c = c * y + splatd(1.0 / 24);
  c = c * y + splatd(-1.0 / 2);
  c = c * y + splatd(1.0);
  // Odd quarters swap sine and cosine; the second bit turns the signs.
  const vl quadrant = (vl)shifted;
  const vl swap = -(quadrant & 1);
  const vl sinSign = (quadrant & 2) << 62;
  const vl cosSign = ((quadrant + 1) & 2) << 62;
  sin = (vd)(((swap & (vl)c) | (~swap & (vl)s)) ^ sinSign);
  cos = (vd)(((swap & (vl)s) | (~swap & (vl)c)) ^ cosSign);
}

MROPE_INLINE void storeNarrow(float *to, vd x, int64_t lanes) {
  if (lanes == D) {
    *(vd_narrow *)to = __builtin_convertvector(x, vd_narrow);
  } else {
    for (int64_t lane = 0; lane < lanes; lane++) to[lane] = float(x[lane]);
  }
}

constexpr int64_t mostAxes = 64;

/** Fills the rows of tokens token … token + count of one head; cos and sin are (count, pairs). */
static void fillAngles(const Angles &a, int64_t head, int64_t token, int64_t count, float *cos, float *sin) {
  constexpr double quartersPerRadian = 0.63661977236758134;
  const vd factor = splatd(a.factor);
  for (int64_t f = 0; f < a.pairs; f += D) {
    const int64_t lanes = least(D, a.pairs - f);
    // Quarter turns of these pairs for a step along every axis; axes that turn none of them are left out.
    vd steps[mostAxes];
    const double *ids[mostAxes];
    int64_t axes = 0;
    for (int64_t axis = 0; axis < a.axes; axis++) {
      vd step = {};
      bool turns = false;
      for (int64_t lane = 0; lane < lanes; lane++) {
        const int64_t place = head * a.pairs + f + lane;
        const double u = a.directions ? a.directions[place * a.axes + axis] : a.axisOf[place] == axis;
        step[lane] = u * a.invFreq[f + lane] * quartersPerRadian;
        turns |= u != 0;
      }
      if (!turns) continue;
      steps[axes] = step;
      ids[axes++] = a.ids + axis * a.tokens + token;
    }
    for (int64_t n = 0; n < count; n++) {
      vd quarters = {};
      for (int64_t i = 0; i < axes; i++) quarters += steps[i] * ids[i][n];
      vd s, c;
      sinCosOfQuarters(quarters, s, c);
      storeNarrow(sin + n * a.pairs + f, s * factor, lanes);
      storeNarrow(cos + n * a.pairs + f, c * factor, lanes);
    }
  }
}

}  // namespace mrope::cpu::MROPE_ISA
