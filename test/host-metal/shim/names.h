#pragma once

// Names of vector and matrix types, and constants.

#include "matrix.h"
#include "relational.h"

#define MSL_NAMES(T)                                                                                        \
  using T##2 = vec<T, 2>;                                                                                   \
  using T##3 = vec<T, 3>;                                                                                   \
  using T##4 = vec<T, 4>;                                                                                   \
  using packed_##T##2 = packed_vec<T, 2>;                                                                   \
  using packed_##T##3 = packed_vec<T, 3>;                                                                   \
  using packed_##T##4 = packed_vec<T, 4>;
#define MSL_MATRIX_NAMES(T)                                                                                 \
  using T##2x2 = matrix<T, 2, 2>;                                                                           \
  using T##2x3 = matrix<T, 2, 3>;                                                                           \
  using T##2x4 = matrix<T, 2, 4>;                                                                           \
  using T##3x2 = matrix<T, 3, 2>;                                                                           \
  using T##3x3 = matrix<T, 3, 3>;                                                                           \
  using T##3x4 = matrix<T, 3, 4>;                                                                           \
  using T##4x2 = matrix<T, 4, 2>;                                                                           \
  using T##4x3 = matrix<T, 4, 3>;                                                                           \
  using T##4x4 = matrix<T, 4, 4>;

namespace metal {

MSL_NAMES(bool)
MSL_NAMES(char)
MSL_NAMES(uchar)
MSL_NAMES(short)
MSL_NAMES(ushort)
MSL_NAMES(int)
MSL_NAMES(uint)
MSL_NAMES(long)
MSL_NAMES(ulong)
MSL_NAMES(half)
MSL_NAMES(bfloat)
MSL_NAMES(float)
MSL_MATRIX_NAMES(half)
MSL_MATRIX_NAMES(float)

}  // namespace metal

#undef MSL_NAMES
#undef MSL_MATRIX_NAMES

// Vector names need no `using namespace metal`.
#define MSL_GLOBAL(T) using metal::T##2, metal::T##3, metal::T##4;
MSL_GLOBAL(bool)
MSL_GLOBAL(char)
MSL_GLOBAL(uchar)
MSL_GLOBAL(short)
MSL_GLOBAL(ushort)
MSL_GLOBAL(int)
MSL_GLOBAL(uint)
MSL_GLOBAL(long)
MSL_GLOBAL(ulong)
MSL_GLOBAL(half)
MSL_GLOBAL(bfloat)
MSL_GLOBAL(float)
#undef MSL_GLOBAL
using metal::as_type;

#undef INFINITY
#undef NAN
#undef FLT_MAX
#undef FLT_MIN
#undef FLT_EPSILON
#define INFINITY (__builtin_inff())
#define NAN (__builtin_nanf(""))
#define FLT_MAX 3.40282346638528859812e+38f
#define FLT_MIN 1.17549435082228750797e-38f
#define FLT_EPSILON 1.1920928955078125e-07f
#define HALF_MAX (half(65504.0f))
#define MAXHALF HALF_MAX
#define MAXFLOAT FLT_MAX
#define M_PI_F 3.14159265358979323846f
#define M_PI_2_F 1.57079632679489661923f
#define M_1_PI_F 0.318309886183790671538f
#define M_2_PI_F 0.636619772367581343076f
#define M_LOG2E_F 1.44269504088896340736f
#define M_LN2_F 0.693147180559945309417f
#define M_E_F 2.71828182845904523536f
#define M_SQRT2_F 1.41421356237309504880f
#define M_SQRT1_2_F 0.707106781186547524401f
