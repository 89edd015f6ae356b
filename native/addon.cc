// The native addon: registration only. What JavaScript sees:
//
//   info()                                   { instructions, available, compiler, threads }
//   setThreads(n), useInstructions(name)     for the whole process
//   createAbort(), abort(handle)             stops promised work at its next tile
//
//   attend(params, q, k, v, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, abort)      and attendSync
//   rotate(params, x, out, cos, sin, norm, abort)                                             and rotateSync
//   table(params, ids, invFreq, axisOf, directions, cos, sin, abort)                          and tableSync
//
//   cacheCreate(params)                      a handle for keys and values of one layer
//   cacheAppend(cache, params, k, v, cos, sin, kNorm, abort)                                  and cacheAppendSync
//   cacheAttend(cache, params, q, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, abort)  and cacheAttendSync
//   cacheRerotate(cache, params, cos, sin, abort)                                             and cacheRerotateSync
//   cacheRead(cache, params, k, v), cacheLength(cache), cacheTruncate(cache, length), cacheDispose(cache)
//
// Built with Metal it has the functions of binding/gpu-operations.h besides.
//
// `params` is a Float64Array laid out by binding/layout.h. Tensors are Float32Array, or Uint16Array of float16 or
// bfloat16 bits; cos, sin and norm weights Float32Array; cuSeqlens and axisOf Int32Array; scales, ids, invFreq and
// directions Float64Array. What is optional may be undefined.
//
// The plain functions give a promise of true, or of false where the work was aborted; the Sync twins give undefined.
// Everything is checked before anything is written; errors are TypeError or RangeError with a `code` of lib/errors.ts.
// Arguments are kept alive until a promise settles. They must not be transferred meanwhile: a transferred buffer that
// is freed takes the memory away from under the work, which Node-API cannot prevent.

#include "binding/addon.h"

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  try {
    mrope::binding::registerAll(env, exports, std::make_shared<mrope::binding::Addon>());
  } catch (const std::exception &error) {
    Napi::Error::New(env, error.what()).ThrowAsJavaScriptException();
  }
  return exports;
}

NODE_API_MODULE(mrope, initialise)
