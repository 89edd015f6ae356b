// The instruction set that every machine of the architecture has: SSE2 on x86-64, NEON on arm64.
#define MROPE_ISA base
#define MROPE_LANES 4
#include "isa.h"

namespace mrope::cpu {

static bool always() { return true; }

#if defined(__aarch64__)
extern constinit const Kernels baseKernels = base::tableOf("neon", always);
#else
extern constinit const Kernels baseKernels = base::tableOf("sse2", always);
#endif

}  // namespace mrope::cpu
