#pragma once

#include "rotate.h"
#include "tiles.h"

// Attention on the device: metal/attention.metal.

namespace mrope::gpu {

/** core's Attend on the device. Keys and values of a cache are views with its strides, rotateK false. */
struct AttendRequest {
  /** (queries, heads, headDim), (keys, kvHeads, headDim), (keys, kvHeads, valueDim), (queries, heads, valueDim). */
  View q, k, v, out;
  /** Column 0 is that of key 0; query i has column tableOffset + i. */
  Rotary rotary;
  bool rotateQ = false, rotateK = false;
  int64_t tableOffset = 0, queryOffset = 0;
  Mask mask;
  BiasView bias;
  double scale = 0;
  /** (queries), or null: one factor per query instead of `scale`. */
  const double *scales = nullptr;
  RowNorm qNorm, kNorm;
};

/** What a plan will take, known before anything is compiled or allocated. */
struct AttendCost {
  size_t scratchBytes = 0;
  int64_t dispatches = 0;
  /** Threadgroups of the attention itself, and its products of 8×8 matrices. */
  int64_t threadgroups = 0, matrixProducts = 0;
  int64_t splits = 1;
};

struct AttendPlan : Plan {
  /**
   * One byte for each (query, head), 1 where the result is not to be trusted: an input was NaN or infinite, or scores
   * were out of the reach of float32. `redoRows` of redo.h does these rows again.
   */
  BufferRef doubt;
  TileShape shape;
  AttendCost cost;
};

/** Every check of native/core, and what this device takes: head dims of up to 256. */
Status checkAttend(const AttendRequest &);

AttendCost costOf(const Limits &, const AttendRequest &);

/**
 * Adds the dispatches of a request to the plan:
 *
 *   attention                        keys of a cache; short segments with raw keys (windows of a vision tower)
 *   rotate, attention                raw keys of long segments: rotated once, into scratch memory
 *   attention, attention_reduce      few queries on many keys: the keys are split
 *
 * Keys and values whose rows are not aligned to 16 bytes, and head dims that are no multiple of 8, go through scratch
 * memory too.
 */
Status planAttend(Device &, const AttendRequest &, AttendPlan &);

}  // namespace mrope::gpu
