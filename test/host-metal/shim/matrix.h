#pragma once

// matrix<T, Columns, Rows>: columns of vectors.

#include "vector.h"

namespace metal {

template <class T, int Columns, int Rows = Columns>
struct matrix {
  vec<T, Rows> columns[Columns];

  matrix() = default;
  template <Scalar S>
  explicit constexpr matrix(S diagonal) {
    for (int c = 0; c < Columns; c++)
      for (int r = 0; r < Rows; r++) columns[c][r] = c == r ? ::msl::convert<T>(diagonal) : T(0);
  }
  template <class U>
    requires(!std::same_as<U, T>)
  explicit constexpr matrix(const matrix<U, Columns, Rows> &m) {
    for (int c = 0; c < Columns; c++) columns[c] = vec<T, Rows>(m.columns[c]);
  }
  template <Vector... V>
    requires(sizeof...(V) == Columns)
  constexpr matrix(const V &...v) : columns{vec<T, Rows>(v)...} {}

  constexpr vec<T, Rows> &operator[](std::size_t c) { return columns[c]; }
  constexpr const vec<T, Rows> &operator[](std::size_t c) const { return columns[c]; }
};

template <class T, int C, int R>
constexpr matrix<T, C, R> operator*(const matrix<T, C, R> &m, T s) {
  matrix<T, C, R> r;
  for (int c = 0; c < C; c++) r[c] = m[c] * s;
  return r;
}
template <class T, int C, int R>
constexpr matrix<T, C, R> operator*(T s, const matrix<T, C, R> &m) {
  return m * s;
}
template <class T, int C, int R>
constexpr vec<T, R> operator*(const matrix<T, C, R> &m, const vec<T, C> &v) {
  vec<T, R> r(T(0));
  for (int c = 0; c < C; c++) r += m[c] * v[c];
  return r;
}

}  // namespace metal
