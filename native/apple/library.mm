#import "library.h"

#include <memory>

#import "../gpu/sources.h"
#import "errors.h"

namespace mrope::apple {
namespace {

/** The language is set, never left to the default of the machine; 3.1 is the first with bfloat. */
void setLanguage(MTLCompileOptions *options) {
  if (@available(macOS 14.0, *)) options.languageVersion = MTLLanguageVersion3_1;
#if __MAC_OS_X_VERSION_MAX_ALLOWED >= 150000
  if (@available(macOS 15.0, *)) {
    options.languageVersion = MTLLanguageVersion3_2;
    options.mathMode = MTLMathModeSafe;
    options.mathFloatingPointFunctions = MTLMathFloatingPointFunctionsPrecise;
    return;
  }
#endif
  options.fastMathEnabled = NO;
}

MTLCompileOptions *optionsFor(const Macros &macros) {
  NSMutableDictionary<NSString *, NSObject *> *definitions = [[NSMutableDictionary alloc] init];
  for (const auto &[name, value] : macros) [definitions setObject:stringOf(value) forKey:stringOf(name)];
  MTLCompileOptions *options = [[MTLCompileOptions alloc] init];
  options.preprocessorMacros = definitions;
  setLanguage(options);
  return options;
}

Status failed(const std::string &name, NSError *error) {
  return Status::range(code::compile, "metal: " + name + " does not compile: " + reasonOf(error));
}

}  // namespace

std::string libraryName(const std::string &file, const Macros &macros) {
  std::string name = file;
  for (const auto &[macro, value] : macros) name += " " + macro + "=" + value;
  return name;
}

std::shared_future<Compiled> Libraries::start(const std::string &file, const Macros &macros) {
  const auto promise = std::make_shared<std::promise<Compiled>>();
  std::shared_future<Compiled> future = promise->get_future().share();
  const std::string name = libraryName(file, macros);
  const char *source = gpu::metalSource(file);
  if (!source) {
    promise->set_value({nil, Status::range(code::compile, "metal: there is no library " + file)});
    return future;
  }
  [device_ newLibraryWithSource:[NSString stringWithUTF8String:source]
                        options:optionsFor(macros)
              completionHandler:^(id<MTLLibrary> library, NSError *error) {
                // A library may come with an error that holds warnings only.
                promise->set_value({library, library ? Status() : failed(name, error)});
              }];
  return future;
}

Compiled Libraries::get(const std::string &file, const Macros &macros) {
  const std::string name = libraryName(file, macros);
  std::shared_future<Compiled> future;
  {
    const std::lock_guard lock(mutex_);
    if (const auto place = known_.find(name); place != known_.end()) {
      future = place->second;
    } else {
      future = start(file, macros);
      known_.emplace(name, future);
    }
  }
  Compiled compiled = future.get();
  if (compiled.status.ok()) return compiled;
  const std::lock_guard lock(mutex_);
  known_.erase(name);
  return compiled;
}

}  // namespace mrope::apple
