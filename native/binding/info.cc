#include "../cpu/kernels.h"
#include "operations.h"

namespace mrope::binding {
namespace {

#if defined(__clang__)
constexpr const char *compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char *compiler = "gcc " __VERSION__;
#else
constexpr const char *compiler = "unknown";
#endif

void put(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, name, value);
}

}  // namespace

napi_value info(Call &call) {
  napi_value result = nullptr, threads = nullptr;
  napi_create_object(call.env, &result);
  put(call.env, result, "instructions", cpu::kernels().name);
  put(call.env, result, "available", cpu::kernelNames());
  put(call.env, result, "compiler", compiler);
  napi_create_int32(call.env, (*call.addon)->pool->threads(), &threads);
  napi_set_named_property(call.env, result, "threads", threads);
  return result;
}

napi_value setThreads(Call &call) {
  double threads = 0;
  napi_get_value_double(call.env, call.arg(0), &threads);
  if (threads >= 1 && threads <= 256 && threads == std::floor(threads)) {
    (*call.addon)->pool->setThreads(int(threads));
  } else {
    throwStatus(call.env, Status::range(code::argument, call.text("threads", "must be a whole number of 1 … 256")));
  }
  return nullptr;
}

napi_value useInstructions(Call &call) {
  char name[16] = {};
  napi_get_value_string_utf8(call.env, call.arg(0), name, sizeof name, nullptr);
  if (!cpu::useKernels(name)) {
    throwStatus(call.env, Status::range(code::argument, call.text("name", "must be one of ") + cpu::kernelNames()));
  }
  return nullptr;
}

}  // namespace mrope::binding
