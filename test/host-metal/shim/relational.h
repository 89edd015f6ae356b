#pragma once

// select, any, all, and the classes of floating-point values; as_type.

#include "integer.h"

namespace metal {

template <Vector A>
constexpr bool any(const A &a) {
  for (int i = 0; i < A::count; i++)
    if (a[i]) return true;
  return false;
}
template <Vector A>
constexpr bool all(const A &a) {
  for (int i = 0; i < A::count; i++)
    if (!a[i]) return false;
  return true;
}

template <msl::Scalar T>
constexpr T select(T a, T b, bool c) {
  return c ? b : a;
}
template <Vector V, Vector M>
constexpr vector_of<V> select(const V &a, const V &b, const M &c) {
  vector_of<V> r;
  for (int i = 0; i < V::count; i++) r[i] = c[i] ? b[i] : a[i];
  return r;
}

// On bits, so that they hold under -ffast-math.
template <msl::Floating T>
constexpr bool isnan(T x) {
  return (__builtin_bit_cast(std::uint32_t, float(x)) & 0x7fffffffu) > 0x7f800000u;
}
template <msl::Floating T>
constexpr bool isinf(T x) {
  return (__builtin_bit_cast(std::uint32_t, float(x)) & 0x7fffffffu) == 0x7f800000u;
}
template <msl::Floating T>
constexpr bool isfinite(T x) {
  return (__builtin_bit_cast(std::uint32_t, float(x)) & 0x7fffffffu) < 0x7f800000u;
}
template <msl::Floating T>
constexpr bool signbit(T x) {
  return __builtin_bit_cast(std::uint32_t, float(x)) >> 31 != 0;
}

template <class To, class From>
inline To as_type(const From &from) {
  static_assert(sizeof(To) == sizeof(From), "as_type keeps the size");
  To to;
  __builtin_memcpy((void *)&to, (const void *)&from, sizeof(To));
  return to;
}

}  // namespace metal
