#include "gpu-operations.h"
#include "gpu-parts.h"
#include "gpu.h"

namespace mrope::binding {
namespace {

constexpr napi_type_tag deviceTag = {0x6d726f70652d6770, 0x752d646576696365};

napi_value text(napi_env env, const std::string &from) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, from.c_str(), from.size(), &value);
  return value;
}

napi_value number(napi_env env, double from) {
  napi_value value = nullptr;
  napi_create_double(env, from, &value);
  return value;
}

napi_value object(napi_env env, std::initializer_list<std::pair<const char *, napi_value>> entries) {
  napi_value result = nullptr;
  napi_create_object(env, &result);
  for (const auto &[name, value] : entries) napi_set_named_property(env, result, name, value);
  return result;
}

/** As Apple names them. */
const char *familyName(gpu::Family family) {
  switch (family) {
    case gpu::Family::Unknown: break;
    case gpu::Family::Apple7: return "Apple7";
    case gpu::Family::Apple8: return "Apple8";
    case gpu::Family::Apple9: return "Apple9";
    case gpu::Family::Apple10: return "Apple10";
  }
  return "unknown";
}

/** What a handle holds; nothing once it was closed. */
struct Held {
  DeviceRef device;
  std::shared_ptr<KeptAngles> angles = std::make_shared<KeptAngles>();
};

Held *heldBy(Call &call, std::size_t i) {
  bool is = false;
  void *data = nullptr;
  if (!call.ok()) return nullptr;
  if (call.isObject(i) && napi_check_object_type_tag(call.env, call.arg(i), &deviceTag, &is) == napi_ok && is &&
      napi_unwrap(call.env, call.arg(i), &data) == napi_ok) {
    return static_cast<Held *>(data);
  }
  call.fail(Status::type(code::argument, call.text("device", "must be a handle of gpuOpen")));
  return nullptr;
}

}  // namespace

DeviceRef deviceOf(Call &call, std::size_t i) {
  const Held *held = heldBy(call, i);
  if (held && !held->device) call.fail(Status::range(code::state, call.text("device", "was closed")));
  return held ? held->device : nullptr;
}

std::shared_ptr<KeptAngles> keptAnglesOf(Call &call, std::size_t i) {
  const Held *held = heldBy(call, i);
  return held ? held->angles : nullptr;
}

napi_value gpuDevices(Call &call) {
  std::string why;
  const std::vector<std::string> found = apple::MetalDevice::names(why);
  napi_value names = nullptr;
  napi_create_array_with_length(call.env, found.size(), &names);
  for (uint32_t i = 0; i < found.size(); i++) napi_set_element(call.env, names, i, text(call.env, found[i]));
  return object(call.env, {{"names", names}, {"why", text(call.env, found.empty() ? why : "")}});
}

napi_value gpuOpen(Call &call) {
  double index = 0;
  napi_get_value_double(call.env, call.arg(0), &index);
  auto held = std::make_unique<Held>();
  const bool fits = index >= 0 && index < 64 && index == std::floor(index);
  call.fail(fits ? apple::MetalDevice::open(std::size_t(index), held->device)
                 : Status::range(code::argument, call.text("index", "must be a place in the list of devices")));
  napi_value handle = nullptr;
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  if (napi_create_object(call.env, &handle) != napi_ok) return nullptr;
  const auto drop = [](napi_env, void *data, void *) { delete static_cast<Held *>(data); };
  if (napi_wrap(call.env, handle, held.get(), drop, nullptr, nullptr) != napi_ok) return nullptr;
  (void)held.release();
  napi_type_tag_object(call.env, handle, &deviceTag);
  return handle;
}

napi_value gpuClose(Call &call) {
  if (Held *held = heldBy(call, 0)) *held = {nullptr, nullptr};
  if (!call.ok()) throwStatus(call.env, call.status());
  return nullptr;
}

napi_value gpuInfo(Call &call) {
  const DeviceRef device = deviceOf(call, 0);
  if (!device) return throwStatus(call.env, call.status()), nullptr;
  const napi_env env = call.env;
  const gpu::Limits &limits = device->limits();
  const apple::Counters counters = device->counters();
  const std::vector<apple::BuiltPipeline> built = device->pipelines();
  napi_value pipelines = nullptr;
  napi_create_array_with_length(env, built.size(), &pipelines);
  for (uint32_t i = 0; i < built.size(); i++) {
    const apple::BuiltPipeline &one = built[i];
    const napi_value entry = object(env, {{"library", text(env, one.library)},
                                          {"kernel", text(env, one.kernel)},
                                          {"variant", text(env, one.variant)},
                                          {"maxThreads", number(env, one.maxThreads)},
                                          {"threadgroupBytes", number(env, one.threadgroupBytes)}});
    napi_set_element(env, pipelines, i, entry);
  }
  return object(env, {{"name", text(env, limits.name)},
                      {"family", text(env, familyName(limits.family))},
                      {"threadgroupBytes", number(env, double(limits.threadgroupBytes))},
                      {"maxBufferBytes", number(env, double(limits.maxBufferBytes))},
                      {"workingSetBytes", number(env, double(limits.workingSetBytes))},
                      {"commandBuffers", number(env, double(counters.commandBuffers))},
                      {"dispatches", number(env, double(counters.dispatches))},
                      {"gpuSeconds", number(env, counters.gpuSeconds)},
                      {"pipelines", pipelines}});
}

}  // namespace mrope::binding
