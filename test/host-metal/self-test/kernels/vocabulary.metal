// One word of MSL an element: test/host-metal.test.ts says what each must give.
#include <metal_stdlib>
using namespace metal;

inline float angle(float x) { return x * 0.5f; }

kernel void words(device float *out [[buffer(1)]], constant float &x [[buffer(2)]],
                  uint t [[thread_position_in_grid]]) {
  float4 v = float4(1, float2(2, 3), 4);
  v.xy = v.yx;
  v.zw *= 2.0f;
  int4 bits = int4(as_type<uint4>(v) >> 23u);
  const half h = half(x);          // 0.1
  half2 pair = half2(h, h) * half2(3.0h, 1.0h);
  packed_float3 packed = float3(v.wzy);
  const bool4 large = v > 2.5f;
  const float3x3 m = float3x3(2.0f);
  const float3 turned = m * float3(packed);
  switch (t) {
    case 0: out[t] = v.x; break;
    case 1: out[t] = v.y + 10 * v.z + 100 * v.w; break;
    case 2: out[t] = float(bits.w); break;
    case 3: out[t] = float(pair.x); break;                       // rounded to half, once
    case 4: out[t] = float(bfloat(x)); break;
    case 5: out[t] = turned.x; break;
    case 6: out[t] = any(large.xy) ? 1 : all(large.zw) ? 2 : 3; break;
    case 7: out[t] = float(mulhi(0x80000000u, 6u)); break;
    case 8: out[t] = float(clz(ushort(1)) + popcount(255u) + ctz(8)); break;
    case 9: out[t] = select(1.0f, 2.0f, x < 1) + clamp(7, 1, 5); break;
    case 10: out[t] = fma(x, 2.0f, 1.0f) + rsqrt(4.0f) + exp2(3.0f); break;
    case 11: out[t] = max(NAN, x) + min(half(2), half(1)); break;
    case 12: out[t] = dot(v.xyz, float3(1, 1, 1)) + length(float2(3, 4)); break;
    case 13: out[t] = float(as_type<ushort>(half(1))) + float(as_type<ushort>(bfloat(1))); break;
    case 14: out[t] = fast::sin(0.0f) + precise::cos(0.0f) + angle(2); break;
    case 15: out[t] = float(char(200)) + float(uchar(300)) + float(rotate(0x80000001u, 4u)); break;
    case 16: out[t] = numeric_limits<half>::max() + float(simd_is_first()) * 0; break;
    default: out[t] = sign(-x) + fract(2.25f) + trunc(-1.5f) + copysign(3.0f, -1.0f) + saturate(2.0f);
  }
}

/** Every operation among lanes; lane l gives l. */
kernel void lanes(device float *out [[buffer(1)]], ushort lane [[thread_index_in_simdgroup]]) {
  const float mine = lane;
  float line[16] = {simd_sum(mine), simd_max(mine), simd_min(mine), simd_prefix_inclusive_sum(mine),
                    simd_prefix_exclusive_sum(mine), simd_shuffle_xor(mine, 5), simd_shuffle_down(mine, 1),
                    simd_shuffle_rotate_down(mine, 1), simd_shuffle_and_fill_up(mine, -1.0f, 2),
                    simd_broadcast(mine, 7), quad_sum(mine),
                    quad_shuffle_xor(mine, 1), float(ulong(simd_ballot(lane < 3))),
                    float(simd_any(lane == 9)), float(simd_all(lane < 31)), simd_broadcast_first(mine)};
  for (int k = 0; k < 16; k++) out[lane * 16 + k] = line[k];
}

/** Angles computed once by lane 0, sines by everybody. */
kernel void angles(device float *out [[buffer(1)]], uint t [[thread_position_in_grid]]) {
  const float a = t % 32 == 0 ? angle(float(t)) : 0.0f;
  out[t] = sin(float2(a, a)).x + exp(a);
}
