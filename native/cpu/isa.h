#pragma once

#include "angles.h"
#include "attend.h"
#include "decode.h"
#include "rotate.h"

// The table of kernels of one instruction set; included once by its translation unit.

namespace mrope::cpu::MROPE_ISA {

static double peak(int64_t turns) {
  constexpr int chains = MR * NV;
  vf c[chains];
#pragma GCC unroll 32
  for (int i = 0; i < chains; i++) c[i] = splat(float(i));
  const vf x = splat(0.999f), y = splat(1e-6f);
  for (int64_t t = 0; t < turns; t++) {
#pragma GCC unroll 32
    for (int i = 0; i < chains; i++) c[i] = c[i] * x + y;
  }
  vf all = {};
#pragma GCC unroll 32
  for (int i = 0; i < chains; i++) all += c[i];
  return 2.0 * chains * W * double(turns) + (sum(all) == 12345.f);
}

constexpr Kernels tableOf(const char *name, bool (*supported)()) {
  return {.name = name,
          .lanes = W,
          .panel = NR,
          .supported = supported,
          .rotate = rotate,
          .angles = fillAngles,
          .packedKeyFloats = packedKeyFloats,
          .packedValueFloats = packedValueFloats,
          .pack = packBlock,
          .packScratch = packScratch,
          .prepareQueries = prepareQueries,
          .queryFloats = queryFloats,
          .tileFloats = tileFloats,
          .tile = attendTile,
          .decodeDim = decodeDim,
          .decodeFloats = decodeFloats,
          .decodePartial = partialLength,
          .decodeQuery = decodeQuery,
          .decode = decode,
          .join = join,
          .peak = peak};
}

}  // namespace mrope::cpu::MROPE_ISA
