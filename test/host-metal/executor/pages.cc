#include "pages.h"

#include <sys/mman.h>
#include <unistd.h>

namespace mrope::metal_host {

namespace {

std::size_t roundUp(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

void *map(std::size_t bytes) {
  void *p = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

}  // namespace

GuardedPages mapGuarded(std::size_t bytes) {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (bytes > (std::size_t{1} << 46)) return {};
  const std::size_t used = roundUp(bytes, 16), inner = roundUp(used == 0 ? 1 : used, page);
  char *base = static_cast<char *>(map(inner + 2 * page));
  if (base == nullptr) return {};
  if (mprotect(base + page, inner, PROT_READ | PROT_WRITE) != 0) {
    munmap(base, inner + 2 * page);
    return {};
  }
  return {base + page + inner - used, base, inner + 2 * page};
}

GuardedPages mapForbidden(std::size_t bytes) {
  void *base = map(bytes);
  return {base, base, base == nullptr ? 0 : bytes};
}

void unmap(void *mapping, std::size_t mapped) {
  if (mapping != nullptr) munmap(mapping, mapped);
}

}  // namespace mrope::metal_host
