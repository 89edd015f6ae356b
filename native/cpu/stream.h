#pragma once

#include "pages.h"
#include "rows.h"

// Rotation of large float32 results past the caches, in whole vectors at aligned addresses. JavaScript arrays are
// aligned to 16 bytes only, so the vectors that are stored lie across those that were computed:
//
//   computed   [a0 a1 … a15][b0 b1 … b15][c0 …
//   stored      a0 … a11][a12 … b11][b12 …            12 floats before the first aligned address
//
// Where every channel turns and the pairs are whole vectors; rows of a token range lie one behind the other.

#if defined(__SSE2__)
namespace mrope::cpu::MROPE_ISA {

MROPE_INLINE void storePastCache(float *p, vf x) {
#if MROPE_LANES == 16
  _mm512_stream_ps(p, (__m512)x);
#elif MROPE_LANES == 8
  _mm256_stream_ps(p, (__m256)x);
#else
  _mm_stream_ps(p, (__m128)x);
#endif
}

/** The last W − lead floats of a, then the first lead floats of b; lead is a multiple of 4. */
template <int lead>
MROPE_INLINE vf across(vf a, vf b) {
#if MROPE_LANES == 16
  return (vf)_mm512_maskz_alignr_epi32(0xffff, (__m512i)b, (__m512i)a, lead);
#elif MROPE_LANES == 8
  static_assert(lead == 4);
  return (vf)_mm256_permute2f128_ps((__m256)a, (__m256)b, 0x21);
#else
  static_assert(lead == 0, "a vector is 16 bytes");
  (void)a;
  return b;
#endif
}

/** Writes vectors one behind the other. `lead` floats lie before the first aligned address. */
template <int lead>
struct Stream {
  float *to;
  vf rest;

  MROPE_MEMBER void first(vf x) {
    if constexpr (lead == 0) return put(x);
    storePart(to, x, lead);
    to += lead;
    rest = x;
  }
  MROPE_MEMBER void put(vf x) {
    if constexpr (lead == 0) {
      storePastCache(to, x);
    } else {
      storePastCache(to, across<lead>(rest, x));
      rest = x;
    }
    to += W;
  }
  void end() {
    if constexpr (lead > 0) storePart(to, across<lead>(rest, rest), W - lead);
    _mm_sfence();
  }
};

template <class From, int lead>
static void streamRows(const Rotate &job, int64_t token, int64_t count) {
  const int64_t heads = job.x.heads, F = job.table.pairs;
  const vf sign = splat(job.inverse ? -1.f : 1.f);
  Stream<lead> stream = {(float *)job.out.at(token, 0), {}};
  const Pages reads(job.x), writes(job.out);
  bool begun = false;
  const auto put = [&](vf x) __attribute__((always_inline)) {
    if (begun) return stream.put(x);
    stream.first(x);
    begun = true;
  };
  vf second[mostDim / 2 / W];
  for (int64_t n = token; n < token + count; n++) {
    for (int64_t head = 0; head < heads; head++) {
      const From *from = (const From *)job.x.at(n, head);
      reads.fetch(from);
      writes.fetch(job.out.at(n, head));
      const Turn turn = turnOf(job.table, true, job.table.headOf(head, heads), n);
      for (int64_t f = 0; f < F; f += W) {
        const vf c = load(turn.cos + f), s = load(turn.sin + f) * sign;
        if (turn.adjacent) {
          const vf a = load(from + 2 * f), b = load(from + 2 * f + W), x = evens(a, b), y = odds(a, b);
          const Pair<vf> t = turned(x, y, c, s);
          put(interleaveLow(t.x, t.y));
          put(interleaveHigh(t.x, t.y));
        } else {
          const Pair<vf> t = turned(load(from + f), load(from + F + f), c, s);
          put(t.x);
          second[f / W] = t.y;
        }
      }
      for (int64_t f = 0; f < F && !turn.adjacent; f += W) put(second[f / W]);
    }
  }
  stream.end();
}

/** Whether a rotation can be streamed. */
MROPE_INLINE bool streams(const Rotate &job) {
  return job.out.type == DType::Float32 && 2 * job.table.pairs == job.x.dim && job.table.pairs % W == 0 &&
         !job.norm.weight && ((uintptr_t)job.out.data & 15) == 0;
}

template <class From>
static void streamFrom(const Rotate &job, int64_t token, int64_t count) {
  const auto past = (uintptr_t)job.out.at(token, 0) / sizeof(float) % W;
  switch (past == 0 ? 0 : W - past) {
#if MROPE_LANES == 16
    case 12:
      return streamRows<From, 12>(job, token, count);
    case 8:
      return streamRows<From, 8>(job, token, count);
#endif
#if MROPE_LANES >= 8
    case 4:
      return streamRows<From, 4>(job, token, count);
#endif
    default:
      return streamRows<From, 0>(job, token, count);
  }
}

}  // namespace mrope::cpu::MROPE_ISA
#endif
