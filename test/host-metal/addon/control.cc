// What tests tell the fakes and ask of them, as functions of JavaScript: see control.ts.
#include <napi.h>

#include "../objc/metal/host-metal.h"
#include "../objc/runtime/objc-runtime.h"

namespace {

using Info = const Napi::CallbackInfo &;

Napi::Value live(Info info) {
  Napi::Object classes = Napi::Object::New(info.Env());
  objcVisitLive(
      [](const char *name, long count, void *context) {
        static_cast<Napi::Object *>(context)->Set(name, static_cast<double>(count));
      },
      &classes);
  return classes;
}

std::string text(Info info, size_t at) { return info[at].ToString().Utf8Value(); }
int64_t number(Info info, size_t at) { return info[at].ToNumber().Int64Value(); }

Napi::Value refuse(Info info, const char *what) {
  const std::string message = std::string(what) + ": " + text(info, 0) + " is unknown";
  Napi::TypeError::New(info.Env(), message).ThrowAsJavaScriptException();
  return {};
}

Napi::Value fail(Info info) {
  const bool known = hostMetalFail(text(info, 0).c_str(), number(info, 1), number(info, 2));
  return known ? info.Env().Undefined() : refuse(info, "fail");
}

Napi::Value schedule(Info info) {
  const bool known = hostMetalSchedule(text(info, 0).c_str(), number(info, 1));
  return known ? info.Env().Undefined() : refuse(info, "schedule");
}

Napi::Value report(Info info) {
  char *json = hostMetalReport();
  const Napi::String copy = Napi::String::New(info.Env(), json);
  free(json);
  return copy;
}

Napi::Object start(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char *name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("live", live);
  add("fail", fail);
  add("schedule", schedule);
  add("report", report);
  add("delay", [](Info info) { hostMetalDelay(number(info, 0)); });
  add("memory", [](Info info) { hostMetalMemory(number(info, 0)); });
  add("reset", [](Info) { hostMetalReset(); });
  add("drain", [](Info) { hostMetalDrain(); });
  return exports;
}

}  // namespace

NODE_API_MODULE(host_control, start)
