// A function for device memory is given threadgroup memory when MISTAKE is defined.
#include <metal_stdlib>
using namespace metal;

struct Pair {
  float first, second;
};

template <typename P>
inline Pair load(P p, uint i) { return {p[i], p[i + 1]}; }
inline float onlyDevice(const device float *p) { return p[0]; }
inline void bump(thread Pair &pair) { pair.first += 1; }
inline float total(Pair pair) { return pair.first + pair.second; }

constant bool twice [[function_constant(0)]];

template <typename T>
kernel void pairs(const device T *in [[buffer(0)]], device T *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]]) {
  threadgroup float row[33];
  row[t] = in[t];
  if (t == 0) row[32] = 0;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  Pair pair = load(row, t);
  bump(pair);
  if (twice) pair = load(in, t);
  const float2 both = float2(pair.first, total(pair));
  out[t] = T(both.x + both.y);
#ifdef MISTAKE
  out[t] += onlyDevice(row + t);
#endif
}
template [[host_name("pairs")]] kernel void pairs<float>(const device float *, device float *, uint);
