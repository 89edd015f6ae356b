#pragma once

// Places of the numbers of the operations on a device; see layout.h. lib/backends/metal writes the same places.

namespace mrope::binding {

/** gpuCacheCreate(device, params) */
namespace gpuCacheAt {
enum : int { layers, type, kvHeads, headDim, valueDim, capacity, count };
}

/** gpuCacheDrop(cache, params, cos, sin, ANGLES, abort) */
namespace gpuDropAt {
enum : int { start, tokens, tableHeads, tableTokens, pairs, flags, count };
}

/** gpuCacheRead(cache, params, k, v, abort) */
namespace gpuReadAt {
enum : int { layer, start, end, count };
}

/** What an estimate finds; `report` of gpuRotate, gpuAttend and gpuCacheAttend. */
namespace gpuReportAt {
enum : int { scratchBytes, copiedBytes, dispatches, count };
}

}  // namespace mrope::binding
