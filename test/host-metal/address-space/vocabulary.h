// MSL's vocabulary for the address-space lane: declarations only, nothing is ever linked or run. What matters is which
// address space a pointer or reference parameter has.

#pragma OPENCL EXTENSION cl_khr_fp16 : enable

#define device __global
#define threadgroup __local
#define constant __constant
#define thread __private
#define METAL_FUNC inline __attribute__((always_inline))

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef ulong size_t;
typedef long ptrdiff_t;
typedef signed char int8_t;
typedef uchar uint8_t;
typedef short int16_t;
typedef ushort uint16_t;
typedef int int32_t;
typedef uint uint32_t;
typedef long int64_t;
typedef ulong uint64_t;
typedef __bf16 bfloat;

#define INFINITY (__builtin_inff())
#define NAN (__builtin_nanf(""))
#define FLT_MAX 3.40282346638528859812e+38f
#define FLT_MIN 1.17549435082228750797e-38f
#define FLT_EPSILON 1.1920928955078125e-07f
#define MAXHALF ((half)65504.0f)
#define HALF_MAX MAXHALF
#define M_PI_F 3.14159265358979323846f
#define M_PI_2_F 1.57079632679489661923f
#define M_1_PI_F 0.318309886183790671538f
#define M_2_PI_F 0.636619772367581343076f
#define M_LOG2E_F 1.44269504088896340736f
#define M_LN2_F 0.693147180559945309417f
#define M_E_F 2.71828182845904523536f
#define M_SQRT2_F 1.41421356237309504880f
#define M_SQRT1_2_F 0.707106781186547524401f

// What the respelling of rewrite.mjs uses.
template <class V, class... A> V msl_vector(A...);
template <class T> threadgroup T &msl_threadgroup();
template <class T> thread T &msl_thread();
template <class T, class... A> const thread T &msl_made(A...);
template <class T> bool msl_defined(T);

template <class To, class From> To as_type(From);

namespace metal {

// ---- types and traits

template <class T, int N> struct vec_of { typedef T type __attribute__((ext_vector_type(N))); };
template <int N> struct vec_of<bool, N> : vec_of<char, N> {};  // what comparisons of vectors give, near enough
template <class T, int N> using vec = typename vec_of<T, N>::type;

template <class T, T v> struct integral_constant { static constexpr constant T value = v; };
template <bool b> struct bool_constant { static constexpr constant bool value = b; };
typedef bool_constant<true> true_type;
typedef bool_constant<false> false_type;
template <class A, class B> struct is_same : false_type {};
template <class A> struct is_same<A, A> : true_type {};
template <class A, class B> constexpr constant bool is_same_v = is_same<A, B>::value;
template <class A, class B> constexpr constant bool is_convertible_v = __is_convertible(A, B);
template <bool b, class T = void> struct enable_if {};
template <class T> struct enable_if<true, T> { typedef T type; };
template <bool b, class T = void> using enable_if_t = typename enable_if<b, T>::type;
template <bool b, class A, class B> struct conditional { typedef A type; };
template <class A, class B> struct conditional<false, A, B> { typedef B type; };
template <bool b, class A, class B> using conditional_t = typename conditional<b, A, B>::type;
template <class T> struct numeric_limits {
  static constexpr T max() { return T(0); }
  static constexpr T min() { return T(0); }
  static constexpr T lowest() { return T(0); }
  static constexpr T infinity() { return T(0); }
  static constexpr T quiet_NaN() { return T(0); }
  static constexpr T epsilon() { return T(0); }
};

// ---- functions of values

#define MSL_UNARY(name) template <class T> T name(T);
#define MSL_BINARY(name) template <class A, class B> decltype(A() + B()) name(A, B);
#define MSL_FLOATING                                                                                        \
  MSL_UNARY(sin) MSL_UNARY(cos) MSL_UNARY(tan) MSL_UNARY(sinpi) MSL_UNARY(cospi) MSL_UNARY(asin)            \
  MSL_UNARY(acos) MSL_UNARY(atan) MSL_UNARY(sinh) MSL_UNARY(cosh) MSL_UNARY(tanh) MSL_UNARY(exp)            \
  MSL_UNARY(exp2) MSL_UNARY(exp10) MSL_UNARY(log) MSL_UNARY(log2) MSL_UNARY(log10) MSL_UNARY(sqrt)          \
  MSL_UNARY(rsqrt) MSL_UNARY(floor) MSL_UNARY(ceil) MSL_UNARY(round) MSL_UNARY(rint) MSL_UNARY(trunc)       \
  MSL_UNARY(fract) MSL_UNARY(fabs) MSL_UNARY(sign) MSL_UNARY(saturate) MSL_BINARY(pow) MSL_BINARY(powr)     \
  MSL_BINARY(fmod) MSL_BINARY(atan2) MSL_BINARY(fmin) MSL_BINARY(fmax) MSL_BINARY(copysign) MSL_BINARY(divide)
MSL_FLOATING
namespace fast { MSL_FLOATING }
namespace precise { MSL_FLOATING }
MSL_UNARY(abs) MSL_UNARY(popcount) MSL_UNARY(clz) MSL_UNARY(ctz)
MSL_BINARY(max) MSL_BINARY(min) MSL_BINARY(mulhi) MSL_BINARY(rotate)
template <class A, class B, class C> decltype(A() + B() + C()) clamp(A, B, C);
template <class A, class B, class C> decltype(A() + B() + C()) fma(A, B, C);
template <class A, class B, class C> decltype(A() + B() + C()) mix(A, B, C);
template <class A, class B, class C> decltype(A() + B() + C()) max3(A, B, C);
template <class A, class B, class C> decltype(A() + B() + C()) min3(A, B, C);
template <class T, class C> T select(T, T, C);
template <class T> T extract_bits(T, uint, uint);
template <class T> bool any(T);
template <class T> bool all(T);
template <class T> bool isnan(T);
template <class T> bool isinf(T);
template <class T> bool isfinite(T);
template <class T> bool signbit(T);
template <class V> decltype(V().x + V().x) dot(V, V);
template <class V> decltype(V().x + V().x) length(V);

// ---- simdgroups and barriers

enum class mem_flags { mem_none = 0, mem_device = 1, mem_threadgroup = 2 };
mem_flags operator|(mem_flags, mem_flags);
void threadgroup_barrier(mem_flags);
void simdgroup_barrier(mem_flags);

#define MSL_REDUCTION(name) template <class T> T simd_##name(T); template <class T> T quad_##name(T);
MSL_REDUCTION(sum) MSL_REDUCTION(product) MSL_REDUCTION(max) MSL_REDUCTION(min)
MSL_REDUCTION(and) MSL_REDUCTION(or) MSL_REDUCTION(xor)
#define MSL_SHUFFLE(name) template <class T> T name(T, ushort);
MSL_SHUFFLE(simd_shuffle) MSL_SHUFFLE(simd_broadcast) MSL_SHUFFLE(simd_shuffle_xor) MSL_SHUFFLE(simd_shuffle_up)
MSL_SHUFFLE(simd_shuffle_down) MSL_SHUFFLE(simd_shuffle_rotate_up) MSL_SHUFFLE(simd_shuffle_rotate_down)
MSL_SHUFFLE(quad_shuffle) MSL_SHUFFLE(quad_broadcast) MSL_SHUFFLE(quad_shuffle_xor)
template <class T> T simd_shuffle_and_fill_up(T, T, ushort);
template <class T> T simd_shuffle_and_fill_down(T, T, ushort);
template <class T> T simd_prefix_inclusive_sum(T);
template <class T> T simd_prefix_exclusive_sum(T);
template <class T> T simd_broadcast_first(T);
bool simd_all(bool);
bool simd_any(bool);
bool simd_is_first();

template <class T, int R, int C> struct simdgroup_matrix {
  vec<T, 2> elements;
  thread vec<T, 2> &thread_elements() thread { return elements; }
  const thread vec<T, 2> &thread_elements() const thread { return elements; }
};
typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;
typedef simdgroup_matrix<bfloat, 8, 8> simdgroup_bfloat8x8;
template <class T, int R, int C> simdgroup_matrix<T, R, C> make_filled_simdgroup_matrix(T);

#define MSL_MATRIX_MEMORY(space)                                                                             \
  template <class T>                                                                                         \
  void simdgroup_load(thread simdgroup_matrix<T, 8, 8> &, const space T *, ulong = 8, vec<ulong, 2> = 0,     \
                      bool = false);                                                                         \
  template <class T>                                                                                         \
  void simdgroup_store(const thread simdgroup_matrix<T, 8, 8> &, space T *, ulong = 8, vec<ulong, 2> = 0,    \
                       bool = false);
MSL_MATRIX_MEMORY(device)
MSL_MATRIX_MEMORY(threadgroup)
template <class D, class A, class B, class C>
void simdgroup_multiply_accumulate(thread simdgroup_matrix<D, 8, 8> &, const thread simdgroup_matrix<A, 8, 8> &,
                                   const thread simdgroup_matrix<B, 8, 8> &, const thread simdgroup_matrix<C, 8, 8> &);
template <class D, class A, class B>
void simdgroup_multiply(thread simdgroup_matrix<D, 8, 8> &, const thread simdgroup_matrix<A, 8, 8> &,
                        const thread simdgroup_matrix<B, 8, 8> &);

// ---- atomics

enum memory_order { memory_order_relaxed };
template <class T> struct atomic { T value; };
typedef atomic<int> atomic_int;
typedef atomic<uint> atomic_uint;
typedef atomic<float> atomic_float;
#define MSL_ATOMIC(space)                                                                                    \
  template <class T, class U> T atomic_fetch_add_explicit(volatile space atomic<T> *, U, memory_order);      \
  template <class T, class U> T atomic_fetch_sub_explicit(volatile space atomic<T> *, U, memory_order);      \
  template <class T, class U> T atomic_fetch_max_explicit(volatile space atomic<T> *, U, memory_order);      \
  template <class T, class U> T atomic_fetch_min_explicit(volatile space atomic<T> *, U, memory_order);      \
  template <class T, class U> T atomic_exchange_explicit(volatile space atomic<T> *, U, memory_order);       \
  template <class T, class U> void atomic_store_explicit(volatile space atomic<T> *, U, memory_order);       \
  template <class T> T atomic_load_explicit(const volatile space atomic<T> *, memory_order);
MSL_ATOMIC(device)
MSL_ATOMIC(threadgroup)

}  // namespace metal

// ---- names

#define MSL_NAMES(T)              \
  typedef metal::vec<T, 2> T##2;  \
  typedef metal::vec<T, 3> T##3;  \
  typedef metal::vec<T, 4> T##4;
MSL_NAMES(bool) MSL_NAMES(char) MSL_NAMES(uchar) MSL_NAMES(short) MSL_NAMES(ushort) MSL_NAMES(int)
MSL_NAMES(uint) MSL_NAMES(long) MSL_NAMES(ulong) MSL_NAMES(half) MSL_NAMES(bfloat) MSL_NAMES(float)
