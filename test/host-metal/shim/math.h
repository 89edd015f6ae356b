#pragma once

// Floating-point functions. half and bfloat are computed in float and rounded once; the namespaces fast and precise
// hold the same functions. Calls of the expensive ones are counted.

#include "vector.h"

namespace msl {

/** The type in which a function of T is computed. */
template <class T>
using Working = std::conditional_t<Small<T> || std::is_integral_v<T>, float, T>;
/** The type of its result: integers become float. */
template <class T>
using Resulting = std::conditional_t<std::is_integral_v<T>, float, T>;

using Counter = std::uint64_t decltype(Runtime::calls)::*;
MSL_UNTRACKED inline void tally(Counter counter) { ++(runtime().calls.*counter); }
inline void tally(std::nullptr_t) {}

}  // namespace msl

#define MSL_COUNTED(name) &decltype(::msl::Runtime::calls)::name

// name(x) = expression of x, for scalars and component by component
#define MSL_FUNCTION1(name, counter, expression)                                                   \
  template <msl::Scalar T>                                                                         \
  inline msl::Resulting<T> name(T argument) {                                                      \
    [[maybe_unused]] auto x = static_cast<msl::Working<T>>(argument);                              \
    msl::tally(counter);                                                                           \
    return static_cast<msl::Resulting<T>>(expression);                                             \
  }                                                                                                \
  template <Vector V>                                                                              \
  inline vector_of<V> name(const V &v) {                                                           \
    vector_of<V> r;                                                                                \
    for (int i = 0; i < V::count; i++) r[i] = name(static_cast<typename V::element>(v[i]));        \
    return r;                                                                                      \
  }

#define MSL_FUNCTION2(name, counter, expression)                                                   \
  template <msl::Scalar A, msl::Scalar B>                                                          \
  inline auto name(A first, B second) {                                                            \
    using R = msl::Resulting<msl::common<A, B>>;                                                   \
    auto x = static_cast<msl::Working<R>>(first);                                                  \
    auto y = static_cast<msl::Working<R>>(second);                                                 \
    msl::tally(counter);                                                                           \
    return static_cast<R>(expression);                                                             \
  }                                                                                                \
  template <class A, class B>                                                                      \
    requires(Vector<A> || Vector<B>)                                                               \
  inline operands<A, B> name(const A &a, const B &b) {                                             \
    operands<A, B> x(a), y(b), r;                                                                  \
    for (int i = 0; i < operands<A, B>::count; i++) r[i] = name(x[i], y[i]);                       \
    return r;                                                                                      \
  }

#define MSL_FUNCTIONS                                                                              \
  MSL_FUNCTION1(sin, MSL_COUNTED(sin), __builtin_sinf(x))                                          \
  MSL_FUNCTION1(cos, MSL_COUNTED(cos), __builtin_cosf(x))                                          \
  MSL_FUNCTION1(tan, MSL_COUNTED(sin), __builtin_tanf(x))                                          \
  MSL_FUNCTION1(sinpi, MSL_COUNTED(sin), __builtin_sin(3.14159265358979323846 * double(x)))        \
  MSL_FUNCTION1(cospi, MSL_COUNTED(cos), __builtin_cos(3.14159265358979323846 * double(x)))        \
  MSL_FUNCTION1(asin, nullptr, __builtin_asinf(x))                                                 \
  MSL_FUNCTION1(acos, nullptr, __builtin_acosf(x))                                                 \
  MSL_FUNCTION1(atan, nullptr, __builtin_atanf(x))                                                 \
  MSL_FUNCTION1(sinh, MSL_COUNTED(exp), __builtin_sinhf(x))                                        \
  MSL_FUNCTION1(cosh, MSL_COUNTED(exp), __builtin_coshf(x))                                        \
  MSL_FUNCTION1(tanh, MSL_COUNTED(exp), __builtin_tanhf(x))                                        \
  MSL_FUNCTION1(exp, MSL_COUNTED(exp), __builtin_expf(x))                                          \
  MSL_FUNCTION1(exp2, MSL_COUNTED(exp), __builtin_exp2f(x))                                        \
  MSL_FUNCTION1(exp10, MSL_COUNTED(exp), __builtin_pow(10.0, double(x)))                           \
  MSL_FUNCTION1(log, MSL_COUNTED(log), __builtin_logf(x))                                          \
  MSL_FUNCTION1(log2, MSL_COUNTED(log), __builtin_log2f(x))                                        \
  MSL_FUNCTION1(log10, MSL_COUNTED(log), __builtin_log10f(x))                                      \
  MSL_FUNCTION1(sqrt, MSL_COUNTED(sqrt), __builtin_sqrtf(x))                                       \
  MSL_FUNCTION1(rsqrt, MSL_COUNTED(sqrt), (1.0f / __builtin_sqrtf(x)))                             \
  MSL_FUNCTION1(floor, nullptr, __builtin_floorf(x))                                               \
  MSL_FUNCTION1(ceil, nullptr, __builtin_ceilf(x))                                                 \
  MSL_FUNCTION1(round, nullptr, __builtin_roundf(x))                                               \
  MSL_FUNCTION1(rint, nullptr, __builtin_rintf(x))                                                 \
  MSL_FUNCTION1(trunc, nullptr, __builtin_truncf(x))                                               \
  MSL_FUNCTION1(fract, nullptr, (x - __builtin_floorf(x)))                                         \
  MSL_FUNCTION1(fabs, nullptr, __builtin_fabsf(x))                                                 \
  MSL_FUNCTION1(sign, nullptr, (x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f))                              \
  MSL_FUNCTION1(saturate, nullptr, (x > 1 ? 1.0f : x > 0 ? x : 0.0f))                              \
  MSL_FUNCTION2(pow, MSL_COUNTED(pow), __builtin_powf(x, y))                                       \
  MSL_FUNCTION2(powr, MSL_COUNTED(pow), __builtin_powf(x, y))                                      \
  MSL_FUNCTION2(fmod, nullptr, __builtin_fmodf(x, y))                                              \
  MSL_FUNCTION2(atan2, nullptr, __builtin_atan2f(x, y))                                            \
  MSL_FUNCTION2(fmin, nullptr, __builtin_fminf(x, y))                                              \
  MSL_FUNCTION2(fmax, nullptr, __builtin_fmaxf(x, y))                                              \
  MSL_FUNCTION2(copysign, nullptr, __builtin_copysignf(x, y))                                      \
  MSL_FUNCTION2(divide, nullptr, (x / y))

namespace metal {

MSL_FUNCTIONS
namespace fast {
MSL_FUNCTIONS
}
namespace precise {
MSL_FUNCTIONS
}

template <msl::Floating T>
inline T fma(T a, T b, T c) {
  return static_cast<T>(__builtin_fmaf(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c)));
}
template <Vector V>
inline vector_of<V> fma(const V &a, const V &b, const V &c) {
  vector_of<V> r;
  for (int i = 0; i < V::count; i++) r[i] = fma<typename V::element>(a[i], b[i], c[i]);
  return r;
}

template <Vector A, Vector B>
constexpr typename A::element dot(const A &a, const B &b) {
  typename A::element sum = a[0] * b[0];
  for (int i = 1; i < A::count; i++) sum += a[i] * b[i];
  return sum;
}
template <Vector A>
inline typename A::element length(const A &a) {
  return sqrt(dot(a, a));
}
template <class A, class B, class C>
constexpr auto mix(const A &a, const B &b, const C &t) {
  return a + (b - a) * t;
}

}  // namespace metal

#undef MSL_FUNCTIONS
#undef MSL_FUNCTION1
#undef MSL_FUNCTION2
#undef MSL_COUNTED
