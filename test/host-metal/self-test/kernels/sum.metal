// out[i] = sum of the threadgroup's part of `in`, by way of threadgroup memory; 128 threads, 4 simdgroups.
// `sum` is right. Every other kernel has the one mistake that its name says.
#include <metal_stdlib>
using namespace metal;

enum Mistake {
  None,
  NoBarrier,
  WrongFlag,         // orders device memory, the data is in threadgroup memory
  DivergentBarrier,  // one simdgroup goes another way
  EarlyExit,         // one thread leaves before the barrier
  OutOfBounds,
  Uninitialised,     // reads an element that no simdgroup wrote
  OrderedBySimdgroup // a simdgroup_barrier, where other simdgroups read
};

template <int M>
[[kernel]] void sum(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                    uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]],
                    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float part[5];
  if (M == EarlyExit && t == 77) return;
  const float mine = M == EarlyExit ? in[i] : simd_sum(in[i]);
  if (lane == 0) part[M == OutOfBounds ? simdgroup * 2 : simdgroup] = mine;
  if (M == DivergentBarrier) {
    if (simdgroup != 2) threadgroup_barrier(mem_flags::mem_threadgroup);
  } else if (M == OrderedBySimdgroup) {
    simdgroup_barrier(mem_flags::mem_threadgroup);
  } else if (M != NoBarrier) {
    threadgroup_barrier(M == WrongFlag ? mem_flags::mem_device : mem_flags::mem_threadgroup);
  }
  float total = 0;
  for (uint k = 0; k < (M == Uninitialised ? 5u : 4u); k++) total += part[k];
  out[i] = total;
}

#define KERNEL(name, mistake) template [[host_name(name)]] [[kernel]] decltype(sum<mistake>) sum<mistake>;
KERNEL("sum", None)
KERNEL("sum_no_barrier", NoBarrier)
KERNEL("sum_wrong_flag", WrongFlag)
KERNEL("sum_divergent_barrier", DivergentBarrier)
KERNEL("sum_early_exit", EarlyExit)
KERNEL("sum_out_of_bounds", OutOfBounds)
KERNEL("sum_uninitialised", Uninitialised)
KERNEL("sum_ordered_by_simdgroup", OrderedBySimdgroup)
