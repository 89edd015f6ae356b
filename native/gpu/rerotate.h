#pragma once

#include "rotate.h"

// Cached keys that move: rotations compose, so a key turned for id p becomes the key for id p + d by the angles of d.

namespace mrope::gpu {

struct RerotateRequest {
  CacheView cache;
  /** Rows first … first + tokens are turned … */
  int64_t first = 0, tokens = 0;
  /** … and go, with their values, to rows to … to + tokens. */
  int64_t to = 0;
  /**
   * Of the differences new id − old id, with an attention factor of 1: of one token where all move alike (`equal`), else
   * of every row. Nothing turns where its kind is AnglesNone.
   */
  Rotary differences;
  bool equal = false;
};

/**
 * In place where `to` is `first`. Otherwise rows go through scratch memory, so that they may move by any distance towards
 * the front: `to` ≤ `first`.
 */
Status planRerotate(Device &, const RerotateRequest &, Plan &);

}  // namespace mrope::gpu
