// out = a b + c of 8x8 matrices, a transposed when TRANSPOSED is defined; one simdgroup.
#include <metal_stdlib>
using namespace metal;

kernel void multiply(const device half *a [[buffer(0)]], const device half *b [[buffer(2)]],
                     device float *out [[buffer(1)]]) {
  simdgroup_matrix<half, 8, 8> left, right;
  simdgroup_matrix<float, 8, 8> sum = make_filled_simdgroup_matrix<float, 8>(1.0f);
#ifdef TRANSPOSED
  simdgroup_load(left, a, 8, ulong2(0, 0), true);
#else
  simdgroup_load(left, a, 8);
#endif
  simdgroup_load(right, b, 8);
  simdgroup_multiply_accumulate(sum, left, right, sum);
  simdgroup_store(sum, out, 8);
}
