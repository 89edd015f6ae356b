#pragma once

#include <optional>

#include "../../metal/params.h"
#include "../cpu/cpu.h"
#include "plan.h"

// Angles for kernels: integer turns where the ids allow it, tables otherwise. Formulas in metal/rotary.h.

namespace mrope::gpu {

/** Where the kernels take their angles from. Made once per call or per token; copies share the buffers. */
struct Rotary {
  AngleKind kind = AnglesNone;
  bool adjacent = false;
  RotaryParams params{.pairs = 0, .tokens = 0, .axes = 0, .heads = 1, .column = 0, .factor = 1};
  /** Of the ids, where they are fixed point. */
  int fractionBits = 0;
  BufferRef ids, frequencies, axes, cos, sin;

  /** Adds the function constants of the angles. */
  void specialise(PipelineKey &) const;
  /** Binds the buffers of the angles; `unused` stands where the kind needs none. */
  void bind(Dispatch &, const BufferRef &unused) const;
  /** The same angles, token 0 being `tokens` later. */
  Rotary from(int64_t tokens) const;
  size_t bytes() const;
};

/** How often a kernel makes the angles of a token. */
enum class AngleUse {
  Once,   // once: by turns where that is possible
  Again,  // again for heads and tiles: from a table, per distinct id where that is smaller than per token
};

/**
 * Angles of checked ids and frequencies. Turns, where they are made once and all ids are dyadic and fit int32;
 * otherwise a table, per distinct id where that is smaller than per token, made by native/cpu.
 */
Status rotaryFrom(Device &, const Angles &, bool adjacent, AngleUse, const cpu::Run &, Rotary &out);

/** Angles of a table in host memory, copied to the device. */
Status rotaryFrom(Device &, const Table &, Rotary &out);

/** The fewest fraction bits that make all ids integers of 32 bits, or nothing where no number of up to 24 does. */
std::optional<int> fractionBitsOf(const double *ids, int64_t count);

/**
 * Turns per unit of a fixed-point id: round(frac(frequency · direction / 2π / 2^fractionBits) · 2^64), as the kernels want
 * it. Exact but for the rounding. Nothing for a product of 2^128 or more.
 */
std::optional<uint64_t> turnsOf(double frequency, double direction, int fractionBits);

}  // namespace mrope::gpu
