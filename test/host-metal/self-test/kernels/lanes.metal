// out[i] = in[i] of the mirrored lane, by a shuffle and by threadgroup memory that only its simdgroup uses.
// `mirror` is right. Every other kernel has the one mistake that its name says.
#include <metal_stdlib>
using namespace metal;

enum Mistake { None, NoBarrier, HalfOfTheLanes };

template <int M>
[[kernel]] void mirror(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                       uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]],
                       uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float rows[4][32];
  rows[simdgroup][lane] = in[i];
  if (M != NoBarrier) simdgroup_barrier(mem_flags::mem_threadgroup);
  float value = rows[simdgroup][31 - lane];
  if (M != HalfOfTheLanes || lane < 16) value += simd_shuffle(in[i], ushort(31 - lane));
  out[i] = value / 2;
}

#define KERNEL(name, mistake) template [[host_name(name)]] [[kernel]] decltype(mirror<mistake>) mirror<mistake>;
KERNEL("mirror", None)
KERNEL("mirror_no_barrier", NoBarrier)
KERNEL("mirror_half_of_the_lanes", HalfOfTheLanes)
