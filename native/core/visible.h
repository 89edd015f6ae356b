#pragma once

#include "params.h"

namespace mrope {

/** Query i sees keys first ≤ j < end; none where they are equal. */
struct KeyRange {
  int32_t first;
  int32_t end;
};

/** Resolves a checked mask for every query into `ranges` (queries). */
void visibleKeys(const Attend &, KeyRange *ranges);

}  // namespace mrope
