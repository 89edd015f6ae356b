// Threadgroups and device memory. `scale` and `count` are right. The others have the one mistake that their name says.
#include <metal_stdlib>
using namespace metal;

struct Params {
  uint n;
  float factor;
};

/** out[i] = in[i] * factor, for i < n. */
kernel void scale(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                  constant Params &p [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (i < p.n) out[i] = in[i] * p.factor;
}

kernel void scale_one_too_many(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                               constant Params &p [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (i <= p.n) out[i] = in[i < p.n ? i : 0] * p.factor;
}

kernel void scale_reads_before(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                               constant Params &p [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (i < p.n) out[i] = (in + i)[-1] * p.factor;
}

/** Two threadgroups share an element of `out`. */
kernel void scale_overlapping(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                              constant Params &p [[buffer(2)]], uint i [[thread_position_in_threadgroup]],
                              uint group [[threadgroup_position_in_grid]]) {
  const uint at = group * 31 + i;
  out[at] = in[at] * p.factor;
}

/** A running sum over threadgroups, which only one order of them gives. */
kernel void running(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                    uint group [[threadgroup_position_in_grid]], uint t [[thread_position_in_threadgroup]]) {
  if (t == 0) out[group] = in[group] + (group > 0 ? out[group - 1] : 0.0f);
}

/** Adds to what was in `out`, which nobody wrote. */
kernel void accumulate(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                       uint i [[thread_position_in_grid]]) {
  out[i] += in[i];
}

kernel void count(device atomic_uint *counter [[buffer(1)]], uint i [[thread_position_in_grid]]) {
  if (i % 3 == 0) atomic_fetch_add_explicit(counter, 1u, memory_order_relaxed);
}

kernel void count_without_atomics(device uint *counter [[buffer(1)]], uint i [[thread_position_in_grid]]) {
  if (i % 3 == 0) counter[0] += 1;
}

/** Never ends when n is 0. */
kernel void count_down(device uint *out [[buffer(1)]], constant Params &p [[buffer(2)]],
                       uint i [[thread_position_in_grid]]) {
  uint left = p.n;
  do left -= 1;
  while (left != 0 && out[i] != 1);
  out[i] = left;
}

kernel void divide(const device int *in [[buffer(0)]], device int *out [[buffer(1)]],
                   uint i [[thread_position_in_grid]]) {
  out[i] = 100 / in[i];
}

kernel void unset_variable(device float *out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
  float values[4];
  for (uint k = 0; k < 3; k++) values[k] = 1;
  out[i] = values[i % 4];
}

kernel void infinite_mask(const device float *in [[buffer(0)]], device float *out [[buffer(1)]],
                          uint i [[thread_position_in_grid]]) {
  const float score = in[i] > 3 ? -INFINITY : in[i];
  out[i] = score == -INFINITY ? 0.0f : score;
}
