#pragma once

#include <bit>
#include <cmath>

#include "params.h"

// float16 and bfloat16 one by one. The kernels have vector forms of the same rounding.

namespace mrope {

inline double widen(float x) { return x; }

inline double widen(Bfloat x) { return std::bit_cast<float>(uint32_t(x.bits) << 16); }

inline double widen(Half x) {
  const int exponent = (x.bits >> 10) & 31, mantissa = x.bits & 1023;
  double magnitude;
  if (exponent == 31) {
    magnitude = mantissa ? std::nan("") : HUGE_VAL;
  } else {
    magnitude = exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  }
  return x.bits & 0x8000 ? -magnitude : magnitude;
}

/** The storage value nearest to a number, ties to even, in one rounding. */
template <class T>
T narrow(double x);

template <>
inline float narrow<float>(double x) {
  return static_cast<float>(x);
}

template <>
inline Half narrow<Half>(double x) {
  if (std::isnan(x)) return {0x7e00};
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::fabs(x);
  if (magnitude >= 65520) return {uint16_t(sign | 0x7c00)};
  int exponent = magnitude > 0 ? std::ilogb(magnitude) : -14;
  if (exponent < -14) exponent = -14;
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  return {uint16_t(sign | (steps + ((exponent + 14) << 10)))};
}

template <>
inline Bfloat narrow<Bfloat>(double x) {
  const float nearest = static_cast<float>(x);
  uint32_t word = std::bit_cast<uint32_t>(nearest);
  if (std::isnan(x)) return {uint16_t((word >> 16) | 0x40)};
  // Two roundings to nearest are not one: the first goes towards zero and marks the lost rest in the last bit.
  if (nearest != x) word = (std::fabs(double(nearest)) > std::fabs(x) ? word - 1 : word) | 1;
  return {uint16_t((word + 0x7fff + ((word >> 16) & 1)) >> 16)};
}

/** Calls f with a null pointer of the storage type. */
template <class F>
auto withType(DType type, F &&f) {
  switch (type) {
    case DType::Float16:
      return f(static_cast<Half *>(nullptr));
    case DType::Bfloat16:
      return f(static_cast<Bfloat *>(nullptr));
    default:
      return f(static_cast<float *>(nullptr));
  }
}

inline double loadAs(const void *data, DType type, int64_t i) {
  return withType(type, [&](auto *p) { return widen(static_cast<decltype(p)>(const_cast<void *>(data))[i]); });
}

inline void storeAs(void *data, DType type, int64_t i, double x) {
  withType(type, [&](auto *p) {
    using T = std::remove_pointer_t<decltype(p)>;
    static_cast<T *>(data)[i] = narrow<T>(x);
  });
}

}  // namespace mrope
