#pragma once

// Members xy, zyx, wwww, rgb … of a vector: views of its elements that live in the vector's union.

#include "scalar.h"

namespace metal {

template <class T, int N>
struct vec;

/** Elements I... of a vec<T, N>. */
template <class T, int N, int... I>
struct swizzle {
  using element = T;
  static constexpr int count = sizeof...(I);
  T all[N];

  swizzle() = default;
  swizzle(const swizzle &) = default;
  constexpr operator vec<T, count>() const { return vec<T, count>(all[I]...); }
  constexpr T operator[](std::size_t i) const {
    constexpr int index[] = {I...};
    return all[index[i]];
  }

  constexpr swizzle &operator=(const vec<T, count> &v) {
    T copy[count];  // v may be a view of the same vector
    for (int i = 0; i < count; i++) copy[i] = v[i];
    int i = 0;
    ((all[I] = copy[i++]), ...);
    return *this;
  }
  constexpr swizzle &operator=(const swizzle &other) { return *this = vec<T, count>(other); }

  template <class B>
  constexpr swizzle &operator+=(const B &b) { return *this = vec<T, count>(*this) + b; }
  template <class B>
  constexpr swizzle &operator-=(const B &b) { return *this = vec<T, count>(*this) - b; }
  template <class B>
  constexpr swizzle &operator*=(const B &b) { return *this = vec<T, count>(*this) * b; }
  template <class B>
  constexpr swizzle &operator/=(const B &b) { return *this = vec<T, count>(*this) / b; }
};

}  // namespace metal

// Every word of two, three and four letters as a member. A macro does not expand inside itself, hence one loop over the
// letters for each place of the word; a loop appends (letter, index) to the arguments that it passes on.
#define MSL_LOOP1_2(M, ...) M(__VA_ARGS__, x, 0) M(__VA_ARGS__, y, 1)
#define MSL_LOOP1_3(M, ...) MSL_LOOP1_2(M, __VA_ARGS__) M(__VA_ARGS__, z, 2)
#define MSL_LOOP1_4(M, ...) MSL_LOOP1_3(M, __VA_ARGS__) M(__VA_ARGS__, w, 3)
#define MSL_LOOP2_2(M, ...) M(__VA_ARGS__, x, 0) M(__VA_ARGS__, y, 1)
#define MSL_LOOP2_3(M, ...) MSL_LOOP2_2(M, __VA_ARGS__) M(__VA_ARGS__, z, 2)
#define MSL_LOOP2_4(M, ...) MSL_LOOP2_3(M, __VA_ARGS__) M(__VA_ARGS__, w, 3)
#define MSL_LOOP3_2(M, ...) M(__VA_ARGS__, x, 0) M(__VA_ARGS__, y, 1)
#define MSL_LOOP3_3(M, ...) MSL_LOOP3_2(M, __VA_ARGS__) M(__VA_ARGS__, z, 2)
#define MSL_LOOP3_4(M, ...) MSL_LOOP3_3(M, __VA_ARGS__) M(__VA_ARGS__, w, 3)
#define MSL_LOOP4_2(M, ...) M(__VA_ARGS__, x, 0) M(__VA_ARGS__, y, 1)
#define MSL_LOOP4_3(M, ...) MSL_LOOP4_2(M, __VA_ARGS__) M(__VA_ARGS__, z, 2)
#define MSL_LOOP4_4(M, ...) MSL_LOOP4_3(M, __VA_ARGS__) M(__VA_ARGS__, w, 3)
#define MSL_WORD1(N, a, i) MSL_LOOP2_##N(MSL_WORD2, N, a, i)
#define MSL_WORD2(N, a, i, b, j) swizzle<T, N, i, j> a##b; MSL_LOOP3_##N(MSL_WORD3, N, a, i, b, j)
#define MSL_WORD3(N, a, i, b, j, c, k) swizzle<T, N, i, j, k> a##b##c; MSL_LOOP4_##N(MSL_WORD4, N, a, i, b, j, c, k)
#define MSL_WORD4(N, a, i, b, j, c, k, d, l) swizzle<T, N, i, j, k, l> a##b##c##d;
#define MSL_SWIZZLES(N) MSL_LOOP1_##N(MSL_WORD1, N)
