#include "arena.h"

namespace mrope {

ArenaCache &ArenaCache::shared() {
  // Never destroyed: a thread may give an arena back while the process ends.
  static ArenaCache &cache = *new ArenaCache;
  return cache;
}

/** The smallest kept arena that is large enough, otherwise an empty one. */
Arena ArenaCache::take(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  Arena *best = nullptr;
  for (Arena &arena : arenas_) {
    if (arena.size() >= bytes && arena.size() > 0 && (!best || arena.size() < best->size())) best = &arena;
  }
  return best ? std::move(*best) : Arena();
}

void ArenaCache::give(Arena arena) {
  if (arena.size() == 0 || arena.size() > kept) return;
  std::lock_guard lock(mutex_);
  Arena *smallest = &arenas_[0];
  for (Arena &slot : arenas_) {
    if (slot.size() < smallest->size()) smallest = &slot;
  }
  // What does not stay is freed with the argument.
  if (smallest->size() < arena.size()) std::swap(*smallest, arena);
}

}  // namespace mrope
