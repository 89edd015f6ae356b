// AVX2 + FMA + F16C; built with -mavx2 -mfma -mf16c, empty elsewhere.
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include <cpuid.h>

#define MROPE_ISA avx2
#define MROPE_LANES 8
#include "isa.h"

namespace mrope::cpu {

static bool hasAvx2() {
  // Clang has no name for F16C: bit 29 of ecx, leaf 1.
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx >> 29 & 1);
  return f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

extern constinit const Kernels avx2Kernels = avx2::tableOf("avx2", hasAvx2);

}  // namespace mrope::cpu
#endif
