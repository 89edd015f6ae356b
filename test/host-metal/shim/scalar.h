#pragma once

// Scalar types, their traits and literals.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "runtime.h"

using half = _Float16;
using bfloat = __bf16;
using uchar = unsigned char;
using ushort = unsigned short;
using uint = unsigned int;
using ulong = unsigned long;

constexpr half operator""h(long double x) { return half(float(x)); }
constexpr half operator""h(unsigned long long x) { return half(float(x)); }
constexpr bfloat operator""bf(long double x) { return bfloat(float(x)); }

namespace msl {

template <class T>
concept Small = std::same_as<T, half> || std::same_as<T, bfloat>;  // computed in float, rounded once
template <class T>
concept Floating = std::floating_point<T> || Small<T>;
template <class T>
concept Scalar = std::is_arithmetic_v<T> || Small<T>;

/** T(value); half and bfloat have no direct conversion into each other. */
template <Scalar T, Scalar From>
constexpr T convert(From value) {
  if constexpr (Small<T> && Small<From> && !std::same_as<T, From>) return static_cast<T>(static_cast<float>(value));
  else return static_cast<T>(value);
}

/** Type of arithmetic between A and B: the larger floating type, as C++ does it for integers. */
template <class A, class B>
struct Common {
  using type = std::common_type_t<std::conditional_t<Small<A>, float, A>, std::conditional_t<Small<B>, float, B>>;
};
template <class A>
struct Common<A, A> {
  using type = A;
};
template <Small A, std::integral B>
struct Common<A, B> {
  using type = A;
};
template <std::integral A, Small B>
struct Common<A, B> {
  using type = B;
};
template <class A, class B>
using common = typename Common<A, B>::type;

}  // namespace msl

namespace metal {

using std::int16_t, std::int32_t, std::int64_t, std::int8_t, std::size_t, std::ptrdiff_t;
using std::uint16_t, std::uint32_t, std::uint64_t, std::uint8_t;

using std::add_const_t, std::bool_constant, std::conditional, std::conditional_t, std::decay_t, std::declval;
using std::enable_if, std::enable_if_t, std::false_type, std::integral_constant, std::is_base_of_v;
using std::is_constructible_v, std::is_convertible, std::is_convertible_v, std::is_empty, std::is_empty_v;
using std::is_enum, std::is_enum_v;
using std::is_integral, std::is_integral_v, std::is_pointer_v, std::is_same, std::is_same_v, std::is_signed_v;
using std::is_unsigned_v, std::remove_const_t, std::remove_cv, std::remove_cv_t, std::remove_pointer_t;
using std::remove_reference_t, std::true_type, std::void_t;
using std::index_sequence, std::integer_sequence, std::make_index_sequence, std::make_unsigned_t, std::make_signed_t;

template <class T>
struct is_floating_point : std::bool_constant<msl::Floating<T>> {};
template <class T>
inline constexpr bool is_floating_point_v = msl::Floating<T>;
template <class T>
struct is_arithmetic : std::bool_constant<msl::Scalar<T>> {};
template <class T>
inline constexpr bool is_arithmetic_v = msl::Scalar<T>;

template <class T>
struct numeric_limits : std::numeric_limits<T> {};

/** Limits of a 16-bit floating type from the bit patterns of its corners. */
template <class T, std::uint16_t Max, std::uint16_t Min, std::uint16_t Infinity, std::uint16_t Nan,
          std::uint16_t Epsilon>
struct small_limits {
  static constexpr bool is_specialized = true, is_signed = true, is_integer = false, has_infinity = true;
  static constexpr T max() { return __builtin_bit_cast(T, Max); }
  static constexpr T lowest() { return __builtin_bit_cast(T, std::uint16_t(Max | 0x8000)); }
  static constexpr T min() { return __builtin_bit_cast(T, Min); }
  static constexpr T infinity() { return __builtin_bit_cast(T, Infinity); }
  static constexpr T quiet_NaN() { return __builtin_bit_cast(T, Nan); }
  static constexpr T epsilon() { return __builtin_bit_cast(T, Epsilon); }
};
template <>
struct numeric_limits<half> : small_limits<half, 0x7bff, 0x0400, 0x7c00, 0x7e00, 0x1400> {};
template <>
struct numeric_limits<bfloat> : small_limits<bfloat, 0x7f7f, 0x0080, 0x7f80, 0x7fc0, 0x3c00> {};

}  // namespace metal
