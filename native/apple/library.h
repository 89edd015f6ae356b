#pragma once

#import <Metal/Metal.h>

#include <future>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../core/status.h"

namespace mrope::apple {

using Macros = std::vector<std::pair<std::string, std::string>>;

/** A compiled library, or why there is none. */
struct Compiled {
  id<MTLLibrary> library = nil;
  Status status;
};

/** The libraries of a device, compiled from the embedded sources when they are first asked for. */
class Libraries {
 public:
  explicit Libraries(id<MTLDevice> device) : device_(device) {}

  /** Waits where another thread has the same library under way. What failed is tried again by the next call. */
  Compiled get(const std::string &file, const Macros &macros);

 private:
  std::shared_future<Compiled> start(const std::string &file, const Macros &macros);

  id<MTLDevice> device_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_future<Compiled>> known_;
};

/** File and macros as one text. */
std::string libraryName(const std::string &file, const Macros &macros);

}  // namespace mrope::apple
