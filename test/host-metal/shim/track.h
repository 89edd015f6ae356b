#pragma once

// Strict lane: clang instruments every access for ThreadSanitizer; its callbacks are these, and end in the executor.
// The real ThreadSanitizer is not linked.

#include "runtime.h"

#if __has_feature(thread_sanitizer)

#define MSL_HOOK extern "C" __attribute__((weak, used, visibility("hidden"), disable_sanitizer_instrumentation)) inline
#define MSL_CALLER __builtin_return_address(0)


namespace msl {
// Constructors run before the executor attaches.
MSL_UNTRACKED inline void loads(const void *p, std::size_t bytes, const void *site) {
  if (attached) attached->read(std::uintptr_t(p), bytes, site);
}
MSL_UNTRACKED inline void stores(const void *p, std::size_t bytes, const void *site) {
  if (attached) attached->write(std::uintptr_t(p), bytes, site);
}
}  // namespace msl

#define MSL_ACCESS(bytes)                                                               \
  MSL_HOOK void __tsan_read##bytes(void *p) { msl::loads(p, bytes, MSL_CALLER); }       \
  MSL_HOOK void __tsan_write##bytes(void *p) { msl::stores(p, bytes, MSL_CALLER); }
#define MSL_UNALIGNED(bytes)                                                                  \
  MSL_HOOK void __tsan_unaligned_read##bytes(void *p) { msl::loads(p, bytes, MSL_CALLER); }   \
  MSL_HOOK void __tsan_unaligned_write##bytes(void *p) { msl::stores(p, bytes, MSL_CALLER); }

MSL_ACCESS(1)
MSL_ACCESS(2)
MSL_ACCESS(4)
MSL_ACCESS(8)
MSL_ACCESS(16)
MSL_UNALIGNED(2)
MSL_UNALIGNED(4)
MSL_UNALIGNED(8)
MSL_UNALIGNED(16)

MSL_HOOK void *__tsan_memcpy(void *to, const void *from, std::size_t n) {
  msl::loads(from, n, MSL_CALLER);
  msl::stores(to, n, MSL_CALLER);
  return __builtin_memcpy(to, from, n);
}
MSL_HOOK void *__tsan_memmove(void *to, const void *from, std::size_t n) {
  msl::loads(from, n, MSL_CALLER);
  msl::stores(to, n, MSL_CALLER);
  return __builtin_memmove(to, from, n);
}
MSL_HOOK void *__tsan_memset(void *to, int value, std::size_t n) {
  msl::stores(to, n, MSL_CALLER);
  return __builtin_memset(to, value, n);
}
MSL_HOOK void __tsan_init() {}

#undef MSL_ACCESS
#undef MSL_UNALIGNED
#undef MSL_HOOK
#undef MSL_CALLER

#endif
