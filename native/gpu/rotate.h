#pragma once

#include "turns.h"

// Rotation on the device: metal/rotate.metal.

namespace mrope::gpu {

/** out = rotate(norm(x)): core's Rotate. `out` may be x itself (same buffer, offset and strides). */
struct RotateRequest {
  View x, out;
  Rotary rotary;
  RowNorm norm;
  bool inverse = false;
  /** All tokens turn by the angles of column 0. */
  bool oneColumn = false;
};

/** New keys, rotated, and values go to rows slot … slot + k.tokens of the cache. */
struct AppendRequest {
  View k, v;
  CacheView cache;
  int64_t slot = 0;
  Rotary rotary;
  RowNorm norm;
};

/** Adds one dispatch to the plan; none for no tokens. */
Status planRotate(Device &, const RotateRequest &, Plan &);
/**
 * Adds one dispatch to the plan; none for no tokens. `kept` becomes the angles of the new tokens for the dispatches that
 * follow: those that the kernel makes are written to a table, so that they are made once.
 */
Status planRotateAppend(Device &, const AppendRequest &, Plan &, Rotary *kept = nullptr);

/** Two neighbouring pairs a thread where all shapes, strides and offsets are even, else one: MROPE_WIDTH. */
int widthOf(const Rotary &, std::initializer_list<const View *>);

}  // namespace mrope::gpu
