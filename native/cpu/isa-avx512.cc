// AVX-512 F, DQ, BW and VL; built with -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mf16c, empty elsewhere.
#if defined(__AVX512F__) && defined(__AVX512VL__)
#define MROPE_ISA avx512
#define MROPE_LANES 16
#include "isa.h"

namespace mrope::cpu {

static bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

extern constinit const Kernels avx512Kernels = avx512::tableOf("avx512", hasAvx512);

}  // namespace mrope::cpu
#endif
