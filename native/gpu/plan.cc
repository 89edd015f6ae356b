#include "plan.h"

#include <algorithm>

namespace mrope::gpu {

Status checkView(const char *caller, const char *name, const View &view) {
  const std::string who = std::string(caller) + ": " + name;
  for (const int64_t value : {view.tokens, view.heads, view.dim, view.tokenStride, view.headStride}) {
    if (value >= 0 && value <= INT32_MAX) continue;
    return Status::range(code::shape, who + " has a dim or stride of " + std::to_string(value) +
                                          ", which the device does not take");
  }
  if (view.tokens == 0 || view.heads == 0 || view.dim == 0) return {};
  const int64_t last = (view.tokens - 1) * view.tokenStride + (view.heads - 1) * view.headStride + view.dim;
  const size_t bytes = bytesOf(view.type);
  if (view.buffer && view.offset % bytes == 0 && view.offset + last * bytes <= view.buffer->bytes()) return {};
  return Status::range(code::shape, who + " ends at byte " + std::to_string(view.offset + last * bytes) +
                                        ", its buffer has " +
                                        std::to_string(view.buffer ? view.buffer->bytes() : 0));
}

Status checkCache(const char *caller, const CacheView &cache) {
  if (Status s = checkView(caller, "the key cache", cache.keys(0, cache.capacity)); !s.ok()) return s;
  return checkView(caller, "the value cache", cache.values(0, cache.capacity));
}

}  // namespace mrope::gpu
