#include "visible.h"

#include <algorithm>

namespace mrope {

void visibleKeys(const Attend &a, KeyRange *ranges) {
  const Mask &mask = a.mask;
  const int64_t keys = a.k.tokens;
  int64_t segment = 0;
  for (int64_t query = 0; query < a.q.tokens; query++) {
    const int64_t token = a.queryOffset + query;
    int64_t from = mask.padding, to = token < mask.padding ? 0 : keys;
    if (mask.causal) to = std::min(to, token + 1);
    if (mask.window > 0) {
      from = std::max(from, token - mask.window + 1);
      if (mask.window < keys) to = std::min(to, token + mask.window);
    }
    if (mask.cuSeqlens != nullptr) {
      while (mask.cuSeqlens[segment + 1] <= token) segment++;
      from = std::max<int64_t>(from, mask.cuSeqlens[segment]);
      to = std::min<int64_t>(to, mask.cuSeqlens[segment + 1]);
    }
    ranges[query] = {int32_t(from), int32_t(std::max(from, to))};
  }
}

}  // namespace mrope
