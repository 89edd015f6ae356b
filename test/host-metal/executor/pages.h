#pragma once

#include <cstddef>

namespace mrope::metal_host {

/** Memory whose end touches a page that nobody may touch; another such page lies before its first page. */
struct GuardedPages {
  void *data = nullptr;     // aligned to 16 bytes; null when there is no memory
  void *mapping = nullptr;
  std::size_t mapped = 0;
};

GuardedPages mapGuarded(std::size_t bytes);
/** Pages of which no byte may be touched. */
GuardedPages mapForbidden(std::size_t bytes);
void unmap(void *mapping, std::size_t mapped);

/** What memory holds that nobody wrote: NaN in every floating type. */
inline constexpr unsigned char poison = 0xff;

}  // namespace mrope::metal_host
