#pragma once

// The library's side of executor/abi.h: the Runtime, and code of the shim that the strict lane must not see.

#include "../executor/abi.h"

// Memory that these functions touch belongs to the executor, not to the kernel.
#define MSL_UNTRACKED __attribute__((disable_sanitizer_instrumentation))
// Where a barrier or simdgroup operation was called.
#define MSL_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

namespace msl {

inline const Runtime *attached = nullptr;

MSL_UNTRACKED inline Runtime &runtime() { return *const_cast<Runtime *>(attached); }
MSL_UNTRACKED inline const ThreadContext &thread() { return *attached->thread; }
MSL_UNTRACKED inline unsigned lane() { return attached->thread->thread_index_in_simdgroup; }

}  // namespace msl
