#include <exception>
#include <iterator>

#ifdef MROPE_METAL
#include "gpu-operations.h"
#endif
#include "operations.h"
#include "work.h"

namespace mrope::binding {
namespace {

/** The border between JavaScript and C++: no exception of C++ crosses it. */
template <napi_value (*operation)(Call &)>
napi_value guarded(napi_env env, napi_callback_info info, const char *name) {
  try {
    Call call(env, info, name);
    return operation(call);
  } catch (const std::exception &error) {
    throwStatus(env, Status::range(code::state, std::string(name) + ": " + error.what()));
  } catch (...) {
    throwStatus(env, Status::range(code::state, std::string(name) + ": the work failed"));
  }
  return nullptr;
}

struct Export {
  const char *name;
  napi_callback callback;
};

#define MROPE_EXPORT(operation) \
  {#operation, [](napi_env env, napi_callback_info call) { return guarded<operation>(env, call, #operation); }}

const Export exportsOf[] = {
    MROPE_EXPORT(attend),         MROPE_EXPORT(attendSync),      MROPE_EXPORT(rotate),
    MROPE_EXPORT(rotateSync),     MROPE_EXPORT(table),           MROPE_EXPORT(tableSync),
    MROPE_EXPORT(cacheCreate),    MROPE_EXPORT(cacheLength),     MROPE_EXPORT(cacheAppend),
    MROPE_EXPORT(cacheAppendSync), MROPE_EXPORT(cacheAttend),    MROPE_EXPORT(cacheAttendSync),
    MROPE_EXPORT(cacheRerotate),  MROPE_EXPORT(cacheRerotateSync), MROPE_EXPORT(cacheRead),
    MROPE_EXPORT(cacheStep),      MROPE_EXPORT(cacheStepSync),   MROPE_EXPORT(cacheDrop),
    MROPE_EXPORT(cacheDropSync),  MROPE_EXPORT(cacheTruncate),   MROPE_EXPORT(cacheDispose),
    MROPE_EXPORT(info),
    MROPE_EXPORT(setThreads),     MROPE_EXPORT(useInstructions), {"createAbort", createAbort},
    {"abort", raiseAbort},
#ifdef MROPE_METAL
    MROPE_EXPORT(gpuDevices),     MROPE_EXPORT(gpuOpen),         MROPE_EXPORT(gpuClose),
    MROPE_EXPORT(gpuInfo),        MROPE_EXPORT(gpuSelfTest),     MROPE_EXPORT(gpuAllocate),
    MROPE_EXPORT(gpuAdopt),       MROPE_EXPORT(gpuWindow),       MROPE_EXPORT(gpuHandle),
    MROPE_EXPORT(gpuWrite),       MROPE_EXPORT(gpuRead),         MROPE_EXPORT(gpuFree),
    MROPE_EXPORT(gpuRotate),      MROPE_EXPORT(gpuRotateSync),   MROPE_EXPORT(gpuAttend),
    MROPE_EXPORT(gpuAttendSync),  MROPE_EXPORT(gpuCacheCreate),  MROPE_EXPORT(gpuCacheLength),
    MROPE_EXPORT(gpuCacheAttend), MROPE_EXPORT(gpuCacheDrop),    MROPE_EXPORT(gpuCacheRead),
    MROPE_EXPORT(gpuCacheTruncate), MROPE_EXPORT(gpuCacheDispose), MROPE_EXPORT(gpuCacheAttendSync),
#endif
};

/** What the callbacks get as their data; freed with the environment. */
struct Holder {
  std::shared_ptr<Addon> addon;
};

/** Keeps the engine's own getter of ArrayBuffer.prototype.resizable. */
void keepGetter(napi_env env, Addon &addon) {
  napi_value global, object, describe, buffer, prototype, name, descriptor, getter;
  napi_valuetype type = napi_undefined;
  const bool found = napi_get_global(env, &global) == napi_ok &&
                     napi_get_named_property(env, global, "Object", &object) == napi_ok &&
                     napi_get_named_property(env, object, "getOwnPropertyDescriptor", &describe) == napi_ok &&
                     napi_get_named_property(env, global, "ArrayBuffer", &buffer) == napi_ok &&
                     napi_get_named_property(env, buffer, "prototype", &prototype) == napi_ok &&
                     napi_create_string_utf8(env, "resizable", NAPI_AUTO_LENGTH, &name) == napi_ok;
  if (!found) return;
  napi_value args[] = {prototype, name};
  if (napi_call_function(env, object, describe, 2, args, &descriptor) != napi_ok) return;
  if (napi_typeof(env, descriptor, &type) != napi_ok || type != napi_object) return;
  if (napi_get_named_property(env, descriptor, "get", &getter) != napi_ok) return;
  if (napi_typeof(env, getter, &type) == napi_ok && type == napi_function) {
    napi_create_reference(env, getter, 1, &addon.resizable);
  }
}

}  // namespace

void registerAll(napi_env env, napi_value exports, const std::shared_ptr<Addon> &addon) {
  auto holder = std::make_unique<Holder>(Holder{addon});
  keepGetter(env, *addon);
  napi_property_descriptor properties[std::size(exportsOf)];
  for (std::size_t i = 0; i < std::size(exportsOf); i++) {
    properties[i] = {exportsOf[i].name, nullptr, exportsOf[i].callback, nullptr, nullptr, nullptr,
                     napi_enumerable,   &holder->addon};
  }
  if (napi_define_properties(env, exports, std::size(exportsOf), properties) != napi_ok) return;
  // Work under way ends at the next tile; libuv waits for it before the environment goes.
  const auto cleanup = [](void *data) {
    auto *held = static_cast<Holder *>(data);
    for (const auto &flag : held->addon->running) flag->store(true);
    delete held;
  };
  napi_add_env_cleanup_hook(env, cleanup, holder.release());
}

}  // namespace mrope::binding
