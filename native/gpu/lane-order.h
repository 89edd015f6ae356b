#pragma once

#include "plan.h"

// Whether a device deals out matrix fragments as the kernels count on: metal/lane_order.metal.

namespace mrope::gpu {

/** Adds one dispatch; `wrong` is for `checkLanes` once it has run. */
Status planLaneOrder(Device &, Plan &, BufferRef &wrong);

/** An error of the device where a lane held other elements. */
Status checkLanes(const Limits &, const Buffer &wrong);

}  // namespace mrope::gpu
