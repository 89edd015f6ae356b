#pragma once

#include "call.h"

namespace mrope::binding {

// The exports of the Metal backend; there where the addon is built with Metal.
//
//   gpuDevices()                              { names, why }
//   gpuOpen(index), gpuClose(device)          a handle; what it made outlives it
//   gpuInfo(device)                           limits, counters and the pipelines that were built
//
//   gpuAllocate(device, bytes, written)       a handle of memory: zeros, but where the caller writes all of it
//   gpuAdopt(device, pointer, offset, bytes)  a handle of part of a foreign MTLBuffer (BigInt), which is retained
//   gpuWindow(buffer, offset, bytes)          a handle of part of a buffer
//   gpuHandle(buffer)                         the MTLBuffer behind it, as a BigInt
//   gpuWrite(buffer, array, abort), gpuRead(buffer, array, abort), gpuFree(buffer)
//
//   gpuRotate(device, params, x, out, cos, sin, norm, ANGLES, commandBuffer, report, abort)            and gpuRotateSync
//   gpuAttend(device, params, q, k, v, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, ANGLES,
//             commandBuffer, report, abort)                                                           and gpuAttendSync
//   gpuSelfTest(device, abort)
//
//   gpuCacheCreate(device, params), gpuCacheDispose(cache), gpuCacheLength(cache, layer)
//   gpuCacheAttend(cache, layer, params, q, k, v, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, ANGLES,
//                  commandBuffer, report, abort)                                                  and gpuCacheAttendSync
//   gpuCacheDrop(cache, params, cos, sin, ANGLES, abort), gpuCacheRead(cache, params, k, v, abort)
//
// Tensors are typed arrays or handles of device memory. ANGLES are (angles, ids, invFreq, axisOf, directions) as in
// `table`; with them cos and sin are not given. With a command buffer the work is encoded there and not waited for; with
// a report it is planned only and the report is filled; a step of a cache is then one after `queryOffset` tokens,
// whatever the layer holds.

napi_value gpuDevices(Call &);
napi_value gpuOpen(Call &);
napi_value gpuClose(Call &);
napi_value gpuInfo(Call &);

napi_value gpuAllocate(Call &);
napi_value gpuAdopt(Call &);
napi_value gpuWindow(Call &);
napi_value gpuHandle(Call &);
napi_value gpuWrite(Call &);
napi_value gpuRead(Call &);
napi_value gpuFree(Call &);

napi_value gpuRotate(Call &);
napi_value gpuRotateSync(Call &);
napi_value gpuAttend(Call &);
napi_value gpuAttendSync(Call &);
napi_value gpuSelfTest(Call &);

napi_value gpuCacheCreate(Call &);
napi_value gpuCacheLength(Call &);
napi_value gpuCacheAttend(Call &);
napi_value gpuCacheAttendSync(Call &);
napi_value gpuCacheDrop(Call &);
napi_value gpuCacheTruncate(Call &);
napi_value gpuCacheRead(Call &);
napi_value gpuCacheDispose(Call &);

}  // namespace mrope::binding
