#pragma once

// Functions of integers, and those of integers and floats alike: min, max, clamp, abs.

#include "math.h"

namespace metal {

// A NaN loses against a number, as in MSL.
template <msl::Scalar A, msl::Scalar B>
constexpr msl::common<A, B> max(A a, B b) {
  using R = msl::common<A, B>;
  const R x = static_cast<R>(a), y = static_cast<R>(b);
  if constexpr (msl::Floating<R>) {
    if (x != x) return y;
    if (y != y) return x;
  }
  return x < y ? y : x;
}
template <msl::Scalar A, msl::Scalar B>
constexpr msl::common<A, B> min(A a, B b) {
  using R = msl::common<A, B>;
  const R x = static_cast<R>(a), y = static_cast<R>(b);
  if constexpr (msl::Floating<R>) {
    if (x != x) return y;
    if (y != y) return x;
  }
  return y < x ? y : x;
}
template <class A, class B>
  requires(Vector<A> || Vector<B>)
constexpr operands<A, B> max(const A &a, const B &b) {
  operands<A, B> x(a), y(b), r;
  for (int i = 0; i < operands<A, B>::count; i++) r[i] = max(x[i], y[i]);
  return r;
}
template <class A, class B>
  requires(Vector<A> || Vector<B>)
constexpr operands<A, B> min(const A &a, const B &b) {
  operands<A, B> x(a), y(b), r;
  for (int i = 0; i < operands<A, B>::count; i++) r[i] = min(x[i], y[i]);
  return r;
}
template <class A, class B, class C>
constexpr auto max3(const A &a, const B &b, const C &c) {
  return max(a, max(b, c));
}
template <class A, class B, class C>
constexpr auto min3(const A &a, const B &b, const C &c) {
  return min(a, min(b, c));
}
template <class A, class B, class C>
constexpr auto clamp(const A &x, const B &low, const C &high) {
  return min(max(x, low), high);
}

template <msl::Scalar T>
constexpr T abs(T x) {
  return x < T(0) ? T(-x) : x;
}
template <Vector V>
constexpr vector_of<V> abs(const V &v) {
  vector_of<V> r;
  for (int i = 0; i < V::count; i++) r[i] = abs(static_cast<typename V::element>(v[i]));
  return r;
}

template <std::integral T>
constexpr T popcount(T x) {
  return T(__builtin_popcountll(std::make_unsigned_t<T>(x)));
}
template <std::integral T>
constexpr T clz(T x) {
  constexpr int bits = 8 * sizeof(T);
  return x == 0 ? T(bits) : T(__builtin_clzll(std::make_unsigned_t<T>(x)) - (64 - bits));
}
template <std::integral T>
constexpr T ctz(T x) {
  return x == 0 ? T(8 * sizeof(T)) : T(__builtin_ctzll(std::make_unsigned_t<T>(x)));
}
template <std::integral T>
constexpr T mulhi(T a, T b) {
  using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
  return T((Wide(a) * Wide(b)) >> (8 * sizeof(T)));
}
template <std::integral T>
constexpr T rotate(T x, T by) {
  using U = std::make_unsigned_t<T>;
  constexpr unsigned bits = 8 * sizeof(T);
  const unsigned n = unsigned(by) % bits;
  return n == 0 ? x : T(U(U(x) << n) | U(U(x) >> (bits - n)));
}
template <std::integral T>
constexpr T extract_bits(T x, uint offset, uint bits) {
  if (bits == 0) return 0;
  using U = std::make_unsigned_t<T>;
  const uint up = 8 * sizeof(T) - bits - offset;
  return T(T(U(x) << up) >> (up + offset));
}

}  // namespace metal
