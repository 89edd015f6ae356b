#pragma once

#include "../core/visible.h"
#include "turns.h"

// One new token attends to the cache: metal/decode.metal.

namespace mrope::gpu {

/** core's Attend for one query, its keys in the cache. q and out have one token. */
struct DecodeRequest {
  View q, out;
  /** The token's key and value, to be rotated and appended first; no buffer: they are in the cache already. */
  View k, v;
  CacheView cache;
  /** Index of the query in the sequence, and of its key in the cache. */
  int64_t slot = 0;
  /** What the query sees: core's visibleKeys. */
  KeyRange keys{};
  /** Of the token, for q and k; AnglesNone where they are rotated already. */
  Rotary rotary;
  RowNorm qNorm, kNorm;
  BiasView bias;
  double scale = 0;
  /** (heads) bytes for the answer: 1 where a row is not to be trusted and is to be done again, as of AttendPlan. */
  BufferRef doubt;
};

/** True where the kernel takes the head dims: multiples of 8 up to 256. */
bool decodes(int64_t headDim, int64_t valueDim);

/** Adds one dispatch to the plan, or two where the keys are split; groups of more than 16 heads append in one of its own. */
Status planDecode(Device &, const DecodeRequest &, Plan &);

}  // namespace mrope::gpu
