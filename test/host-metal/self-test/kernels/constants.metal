// Function constants: set, optional, derived, and their indices by name.
#include <metal_stdlib>
using namespace metal;

enum Constants { Group = 4, Half = Group + 1, Scale };

constant int group [[function_constant(Group)]];
constant bool half_of_it [[function_constant(Half)]];
constant float scale [[function_constant(Scale)]];
constant int rows = group * 8;
constant bool scaled = is_function_constant_defined(scale);
constant float table[2] = {0.5f, 2.0f};

kernel void describe(device float *out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
  if (i == 0) out[i] = float(rows);
  if (i == 1) out[i] = half_of_it ? table[0] : table[1];
  if (i == 2) out[i] = scaled ? scale : -1.0f;
}
