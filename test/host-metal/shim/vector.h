#pragma once

// vec<T, N>, packed_vec<T, N> and their operators.

#include "swizzle.h"

namespace metal {

using msl::Scalar;

template <class V>
concept Vector = requires {
  typename V::element;
  { V::count } -> std::convertible_to<int>;
};
template <Vector V>
using vector_of = vec<typename V::element, V::count>;  // a swizzle as the vector it stands for
template <class A>
constexpr int components = 1;
template <Vector A>
constexpr int components<A> = A::count;

// Constructors and access, the same for every size.
#define MSL_VECTOR_BODY(N)                                                                                        \
  using element = T;                                                                                              \
  static constexpr int count = N;                                                                                 \
  vec() = default;                                                                                                \
  constexpr vec(const vec &other) { copy(other); }                                                                \
  constexpr vec &operator=(const vec &other) {                                                                    \
    copy(other);                                                                                                  \
    return *this;                                                                                                 \
  }                                                                                                               \
  template <Scalar S>                                                                                             \
  constexpr vec(S value) {                                                                                        \
    for (int i = 0; i < N; i++) all[i] = ::msl::convert<T>(value);                                                \
  }                                                                                                               \
  template <Vector V>                                                                                             \
    requires(V::count == N && !std::same_as<typename V::element, T>)                                              \
  explicit constexpr vec(const V &v) {                                                                            \
    for (int i = 0; i < N; i++) all[i] = ::msl::convert<T>(static_cast<typename V::element>(v[i]));               \
  }                                                                                                               \
  template <class... A>                                                                                           \
    requires(sizeof...(A) > 1 && ((Vector<A> || Scalar<A>) && ...) && (components<A> + ...) == N)                 \
  constexpr vec(const A &...parts) {                                                                              \
    int at = 0;                                                                                                   \
    (append(at, parts), ...);                                                                                     \
  }                                                                                                               \
  constexpr T &operator[](std::size_t i) { return all[i]; }                                                       \
  constexpr const T &operator[](std::size_t i) const { return all[i]; }                                           \
                                                                                                                  \
 private:                                                                                                         \
  constexpr void copy(const vec &other) {                                                                         \
    if (std::is_constant_evaluated()) {                                                                           \
      for (int i = 0; i < N; i++) all[i] = other.all[i];                                                          \
    } else {                                                                                                      \
      __builtin_memmove((void *)all, (const void *)other.all, N * sizeof(T)); /* one access, as on the GPU */      \
    }                                                                                                             \
  }                                                                                                               \
  template <Scalar S>                                                                                             \
  constexpr void append(int &at, const S &value) {                                                                \
    all[at++] = ::msl::convert<T>(value);                                                                         \
  }                                                                                                               \
  template <Vector V>                                                                                             \
  constexpr void append(int &at, const V &v) {                                                                    \
    for (int i = 0; i < V::count; i++) all[at++] = ::msl::convert<T>(static_cast<typename V::element>(v[i]));     \
  }

template <class T>
struct alignas(2 * sizeof(T)) vec<T, 2> {
  union {
    T all[2];
    struct { T x, y; };
    struct { T r, g; };
    MSL_SWIZZLES(2)
  };
  MSL_VECTOR_BODY(2)
};
template <class T>
struct alignas(4 * sizeof(T)) vec<T, 3> {
  union {
    T all[3];
    struct { T x, y, z; };
    struct { T r, g, b; };
    MSL_SWIZZLES(3)
  };
  MSL_VECTOR_BODY(3)
};
template <class T>
struct alignas(4 * sizeof(T)) vec<T, 4> {
  union {
    T all[4];
    struct { T x, y, z, w; };
    struct { T r, g, b, a; };
    MSL_SWIZZLES(4)
  };
  MSL_VECTOR_BODY(4)
};

/** The same elements without padding and with the alignment of one. */
template <class T, int N>
struct packed_vec {
  using element = T;
  static constexpr int count = N;
  T all[N];

  packed_vec() = default;
  constexpr packed_vec(const vec<T, N> &v) {
    for (int i = 0; i < N; i++) all[i] = v[i];
  }
  constexpr operator vec<T, N>() const {
    vec<T, N> v;
    for (int i = 0; i < N; i++) v[i] = all[i];
    return v;
  }
  constexpr T &operator[](std::size_t i) { return all[i]; }
  constexpr const T &operator[](std::size_t i) const { return all[i]; }
};

// ---- operators: vectors of one type and size, or a vector and a scalar, which takes the vector's type

template <class A, class B>
struct Operands {};
template <Vector A, Vector B>
  requires(A::count == B::count && std::same_as<typename A::element, typename B::element>)
struct Operands<A, B> {
  using type = vector_of<A>;
};
template <Vector A, Scalar B>
struct Operands<A, B> {
  using type = vector_of<A>;
};
template <Scalar A, Vector B>
struct Operands<A, B> {
  using type = vector_of<B>;
};
template <class A, class B>
using operands = typename Operands<A, B>::type;

#define MSL_ARITHMETIC(op)                                                                              \
  template <class A, class B>                                                                           \
  constexpr operands<A, B> operator op(const A &a, const B &b) {                                        \
    using V = operands<A, B>;                                                                           \
    V x(a), y(b), r;                                                                                    \
    for (int i = 0; i < V::count; i++) r[i] = static_cast<typename V::element>(x[i] op y[i]);           \
    return r;                                                                                           \
  }                                                                                                     \
  template <class T, int N, class B>                                                                    \
  constexpr vec<T, N> &operator op##=(vec<T, N> &a, const B &b) {                                       \
    a = a op b;                                                                                         \
    return a;                                                                                           \
  }
MSL_ARITHMETIC(+)
MSL_ARITHMETIC(-)
MSL_ARITHMETIC(*)
MSL_ARITHMETIC(/)
MSL_ARITHMETIC(%)
MSL_ARITHMETIC(&)
MSL_ARITHMETIC(|)
MSL_ARITHMETIC(^)
MSL_ARITHMETIC(<<)
MSL_ARITHMETIC(>>)
#undef MSL_ARITHMETIC

#define MSL_COMPARISON(op)                                                      \
  template <class A, class B>                                                   \
  constexpr vec<bool, operands<A, B>::count> operator op(const A &a, const B &b) { \
    using V = operands<A, B>;                                                   \
    V x(a), y(b);                                                               \
    vec<bool, V::count> r;                                                      \
    for (int i = 0; i < V::count; i++) r[i] = x[i] op y[i];                     \
    return r;                                                                   \
  }
MSL_COMPARISON(==)
MSL_COMPARISON(!=)
MSL_COMPARISON(<)
MSL_COMPARISON(>)
MSL_COMPARISON(<=)
MSL_COMPARISON(>=)
MSL_COMPARISON(&&)
MSL_COMPARISON(||)
#undef MSL_COMPARISON

#define MSL_UNARY(op, Result)                                                 \
  template <Vector A>                                                         \
  constexpr Result operator op(const A &a) {                                  \
    Result r;                                                                 \
    for (int i = 0; i < A::count; i++) r[i] = op(typename A::element)(a[i]);  \
    return r;                                                                 \
  }
#define MSL_BOOLS vec<bool, A::count>
MSL_UNARY(-, vector_of<A>)
MSL_UNARY(~, vector_of<A>)
MSL_UNARY(!, MSL_BOOLS)
#undef MSL_UNARY
#undef MSL_BOOLS

}  // namespace metal
