#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "../core/params.h"

// One vector of MROPE_LANES floats, by the vector extensions of GCC and Clang. A translation unit per instruction set
// defines MROPE_ISA (its namespace) and MROPE_LANES and includes the kernels.
//
// Nothing of the standard library with code is used from here on: the linker may keep the copy of an inline function
// that was compiled for the largest instruction set and run it on every machine.

#if !defined(MROPE_ISA) || !defined(MROPE_LANES)
#error "define MROPE_ISA and MROPE_LANES first"
#endif

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define MROPE_INLINE static inline __attribute__((always_inline))
#define MROPE_MEMBER inline __attribute__((always_inline))

namespace mrope::cpu::MROPE_ISA {

constexpr int W = MROPE_LANES;

typedef float vf __attribute__((vector_size(W * 4)));
/** Half of one. */
typedef float vf_half __attribute__((vector_size(W * 2)));
typedef int32_t vi __attribute__((vector_size(W * 4)));
typedef uint16_t vh __attribute__((vector_size(W * 2)));
/** D doubles, as wide as a vf: wider vectors than the machine's go through memory. */
constexpr int D = W / 2;
typedef double vd __attribute__((vector_size(D * 8)));
typedef int64_t vl __attribute__((vector_size(D * 8)));
typedef float vd_narrow __attribute__((vector_size(D * 4), aligned(4), may_alias));

typedef float vf_any __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef uint16_t vh_any __attribute__((vector_size(W * 2), aligned(2), may_alias));

MROPE_INLINE vf splat(float x) { return x - vf{}; }
MROPE_INLINE vi splat(int32_t x) { return x - vi{}; }
MROPE_INLINE vd splatd(double x) { return x - vd{}; }

MROPE_INLINE vf select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
MROPE_INLINE vi select(vi mask, vi a, vi b) { return (mask & a) | (~mask & b); }
/** a·b + c, rounded once where the machine can. Of two products the compiler would fuse either, as it happens. */
MROPE_INLINE vf multiplyAdd(vf a, vf b, vf c) {
#if defined(__AVX512F__)
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
#if defined(__AVX512F__)
MROPE_INLINE vf_half multiplyAdd(vf_half a, vf_half b, vf_half c) {
  return (vf_half)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
#endif

/** NaN where b is NaN. */
MROPE_INLINE vf max(vf a, vf b) {
#if defined(__SSE2__) && MROPE_LANES == 16
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__SSE2__) && MROPE_LANES == 8
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}

MROPE_INLINE vf widen(vh h, Bfloat) { return (vf)(__builtin_convertvector(h, vi) << 16); }

MROPE_INLINE vf widen(vh h, Half) {
#if defined(__AVX512F__)
  return (vf)_mm512_maskz_cvtph_ps(0xffff, (__m256i)h);
#elif defined(__F16C__)
  return (vf)_mm256_cvtph_ps((__m128i)h);
#else
  const vi bits = __builtin_convertvector(h, vi);
  // Exponent and mantissa in place, then the difference of the exponent biases as a factor: right for subnormals too.
  vi word = (vi)((vf)((bits & 0x7fff) << 13) * splat(0x1p112f));
  word |= (bits & 0x7c00) == 0x7c00 ? splat(0x7f800000) : splat(0);
  return (vf)(word | ((bits & 0x8000) << 16));
#endif
}

MROPE_INLINE vh narrow(vf x, Bfloat) {
  const vi word = (vi)x, rounded = word + 0x7fff + ((word >> 16) & 1);
  const vi isNan = (word & 0x7fffffff) > 0x7f800000;
  return __builtin_convertvector((select(isNan, word | 0x400000, rounded) >> 16) & 0xffff, vh);
}

MROPE_INLINE vh narrow(vf x, Half) {
#if defined(__AVX512F__)
  return (vh)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__F16C__)
  return (vh)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  const vi word = (vi)x, magnitude = word & 0x7fffffff;
  const vi normal = (magnitude + (0xfff - (112 << 23)) + ((magnitude >> 13) & 1)) >> 13;
  // Adding 0.5 shifts a subnormal result into the low bits, rounded.
  const vi subnormal = (vi)((vf)magnitude + splat(0.5f)) - 0x3f000000;
  vi half = select(magnitude < 0x38800000, subnormal, normal);
  half = select(magnitude >= 0x477ff000, splat(0x7c00), half);
  half = select(magnitude > 0x7f800000, splat(0x7e00), half);
  return __builtin_convertvector(half | ((word >> 16) & 0x8000), vh);
#endif
}

MROPE_INLINE vf load(const float *p) { return *(const vf_any *)p; }
MROPE_INLINE vf load(const Half *p) { return widen((vh)*(const vh_any *)p, Half{}); }
MROPE_INLINE vf load(const Bfloat *p) { return widen((vh)*(const vh_any *)p, Bfloat{}); }

MROPE_INLINE void store(float *p, vf x) { *(vf_any *)p = x; }
MROPE_INLINE void store(Half *p, vf x) { *(vh_any *)p = narrow(x, Half{}); }
MROPE_INLINE void store(Bfloat *p, vf x) { *(vh_any *)p = narrow(x, Bfloat{}); }

/** In a register from here on: the compiler likes to load what is used twice twice. */
template <class V>
MROPE_INLINE V held(V x) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(x));
#elif defined(__SSE2__)
  __asm__("" : "+x"(x));
#elif defined(__aarch64__)
  __asm__("" : "+w"(x));
#endif
  return x;
}

/** The first n < W elements, then zeros. Through memory it would wait for its own stores, so each set has its way. */
template <class T>
MROPE_INLINE vf loadPart(const T *p, int64_t n) {
  T part[W];
  __builtin_memset(part, 0, sizeof part);
  __builtin_memcpy(part, p, n * sizeof(T));
  return load(part);
}

template <class T>
MROPE_INLINE void storePart(T *p, vf x, int64_t n) {
  T part[W];
  store(part, x);
  __builtin_memcpy(p, part, n * sizeof(T));
}

#if defined(__AVX512F__)
MROPE_INLINE __mmask16 firstLanes(int64_t n) { return __mmask16((1u << n) - 1); }
MROPE_INLINE vf loadPart(const float *p, int64_t n) { return (vf)_mm512_maskz_loadu_ps(firstLanes(n), p); }
MROPE_INLINE void storePart(float *p, vf x, int64_t n) { _mm512_mask_storeu_ps(p, firstLanes(n), (__m512)x); }
template <class T>
  requires(sizeof(T) == 2)
MROPE_INLINE vf loadPart(const T *p, int64_t n) {
  return widen((vh)_mm256_maskz_loadu_epi16(firstLanes(n), p), T{});
}
template <class T>
  requires(sizeof(T) == 2)
MROPE_INLINE void storePart(T *p, vf x, int64_t n) {
  _mm256_mask_storeu_epi16(p, firstLanes(n), (__m256i)narrow(x, T{}));
}
#elif defined(__AVX2__)
MROPE_INLINE __m256i firstLanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
MROPE_INLINE vf loadPart(const float *p, int64_t n) { return (vf)_mm256_maskload_ps(p, firstLanes(n)); }
MROPE_INLINE void storePart(float *p, vf x, int64_t n) { _mm256_maskstore_ps(p, firstLanes(n), (__m256)x); }
#endif

/** n elements, at most W. */
template <class T>
MROPE_INLINE vf loadUpTo(const T *p, int64_t n) {
  return n >= W ? load(p) : loadPart(p, n);
}
template <class T>
MROPE_INLINE void storeUpTo(T *p, vf x, int64_t n) {
  if (n >= W) {
    store(p, x);
  } else {
    storePart(p, x, n);
  }
}

#if MROPE_LANES == 16
#define MROPE_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define MROPE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define MROPE_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define MROPE_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif MROPE_LANES == 8
#define MROPE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define MROPE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define MROPE_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define MROPE_ODD 1, 3, 5, 7, 9, 11, 13, 15
#elif MROPE_LANES == 4
#define MROPE_LOW 0, 4, 1, 5
#define MROPE_HIGH 2, 6, 3, 7
#define MROPE_EVEN 0, 2, 4, 6
#define MROPE_ODD 1, 3, 5, 7
#endif

MROPE_INLINE vf interleaveLow(vf a, vf b) { return __builtin_shufflevector(a, b, MROPE_LOW); }
MROPE_INLINE vf interleaveHigh(vf a, vf b) { return __builtin_shufflevector(a, b, MROPE_HIGH); }
MROPE_INLINE vf evens(vf a, vf b) { return __builtin_shufflevector(a, b, MROPE_EVEN); }
MROPE_INLINE vf odds(vf a, vf b) { return __builtin_shufflevector(a, b, MROPE_ODD); }

template <int LANES, int... lane>
MROPE_INLINE vf foldLanes(vf a, vf b, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(a, b, ((lane & LANES ? W : 0) + lane)...) +
         __builtin_shufflevector(a, b, ((lane & LANES ? W : 0) + (lane ^ LANES))...);
}

/**
 * Sums of two lanes each, from a in one half of the lanes and from b in the other. Steps with LANES = W/2, W/4 … 1 end
 * with whole sums. Long vectors blend where they would shuffle twice.
 */
template <int LANES>
MROPE_INLINE vf foldLanes(vf a, vf b) {
  if constexpr (W == 4) return interleaveLow(a, b) + interleaveHigh(a, b);
  return foldLanes<LANES>(a, b, std::make_integer_sequence<int, W>());
}

/** W rows of W, transposed in place: every step interleaves row i with row i + W/2. */
MROPE_INLINE void transpose(vf *rows) {
#pragma GCC unroll 4
  for (int step = 1; step < W; step *= 2) {
    vf next[W];
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; i++) {
      next[2 * i] = interleaveLow(rows[i], rows[i + W / 2]);
      next[2 * i + 1] = interleaveHigh(rows[i], rows[i + W / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; i++) rows[i] = next[i];
  }
}

typedef float v4 __attribute__((vector_size(16)));

/** One vector of 4 that holds sums (or maxima) of W/4 lanes each. */
template <class F>
MROPE_INLINE v4 fold4(vf x, F combine) {
#if MROPE_LANES == 16
  const auto half = combine(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7),
                            __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15));
  return combine(__builtin_shufflevector(half, half, 0, 1, 2, 3), __builtin_shufflevector(half, half, 4, 5, 6, 7));
#elif MROPE_LANES == 8
  return combine(__builtin_shufflevector(x, x, 0, 1, 2, 3), __builtin_shufflevector(x, x, 4, 5, 6, 7));
#else
  (void)combine;
  return x;
#endif
}

template <class F>
MROPE_INLINE float fold(vf x, F combine) {
  const v4 four = fold4(x, combine);
  const v4 two = combine(four, __builtin_shufflevector(four, four, 2, 3, 0, 1));
  const v4 one = combine(two, __builtin_shufflevector(two, two, 1, 0, 3, 2));
  return one[0];
}

struct Plus {
  template <class V>
  __attribute__((always_inline)) V operator()(V a, V b) const {
    return a + b;
  }
};
struct Larger {
  template <class V>
  __attribute__((always_inline)) V operator()(V a, V b) const {
    return a > b ? a : b;
  }
};

MROPE_INLINE float sum(vf x) { return fold(x, Plus{}); }
MROPE_INLINE float largest(vf x) { return fold(x, Larger{}); }

MROPE_INLINE bool anyNan(vf x) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)x, (__m512)x, _CMP_UNORD_Q) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps(_mm256_cmp_ps((__m256)x, (__m256)x, _CMP_UNORD_Q)) != 0;
#else
  return sum(select(x == x, splat(0.f), splat(1.f))) != 0;
#endif
}

MROPE_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
MROPE_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
MROPE_INLINE int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/** Weights of seen keys are at least 2^leastExponent: above 0 (NaN and infinity in v arrive) and never subnormal. */
constexpr float leastExponent = -125;

/**
 * 2^x for leastExponent ≤ x ≤ 127; NaN stays NaN. Relative error 6e-8: degree 6 on [−½, ½], coefficients by Remez, own.
 */
MROPE_INLINE vf exp2(vf x) {
#if defined(__AVX512F__)
  const vf whole = (vf)_mm512_maskz_roundscale_ps(0xffff, (__m512)x, 0);
#else
  // In the sum with 1.5 · 2^23 the low bits hold x rounded.
  const vf shifted = x + splat(0x1.8p23f), whole = shifted - splat(0x1.8p23f);
#endif
  const vf r = x - whole;
  vf p = splat(1.5345821e-4f);
  p = p * r + splat(1.3399931e-3f);
  p = p * r + splat(9.618489e-3f);
  p = p * r + splat(5.5503286e-2f);
  p = p * r + splat(2.4022646e-1f);
  p = p * r + splat(6.931472e-1f);
  p = p * r + splat(1.f);
#if defined(__AVX512F__)
  return (vf)_mm512_scalef_ps((__m512)p, (__m512)whole);
#else
  return p * (vf)(((vi)shifted + 127) << 23);
#endif
}

MROPE_INLINE float exp2(float x) { return exp2(splat(x))[0]; }

}  // namespace mrope::cpu::MROPE_ISA
