#pragma once

#include "pack.h"

// Rotation from storage to storage: (x, y) → (x·c − y·s, y·c + x·s), the other channels copied.
//
// Large results that do not fit a cache go past it, 16 bytes at a time, because JavaScript arrays are aligned to 16.

namespace mrope::cpu::MROPE_ISA {

/** A float32 destination that is not read back soon: only where to is aligned to 16 bytes. */
struct Streamed {
  float value;
};

#if defined(__SSE2__)
MROPE_INLINE void store(Streamed *p, vf x) {
#if MROPE_LANES == 16
  if (((uintptr_t)p & 63) == 0) {
    _mm512_stream_ps((float *)p, (__m512)x);
    return;
  }
#elif MROPE_LANES == 8
  if (((uintptr_t)p & 31) == 0) {
    _mm256_stream_ps((float *)p, (__m256)x);
    return;
  }
#endif
#pragma GCC unroll 4
  for (int i = 0; i < W; i += 4) _mm_stream_ps((float *)p + i, (__m128)v4{x[i], x[i + 1], x[i + 2], x[i + 3]});
}
#endif

template <class From, class To>
static void rotateRows(const Rotate &job, int64_t token, int64_t count) {
  const int64_t dim = job.x.dim, heads = job.x.heads, turned = 2 * job.table.pairs;
  const float sign = job.inverse ? -1.f : 1.f;
  for (int64_t n = token; n < token + count; n++) {
    for (int64_t head = 0; head < heads; head++) {
      const From *from = (const From *)job.x.at(n, head);
      To *to = (To *)job.out.at(n, head);
      const Turn turn = turnOf(job.table, true, head * job.table.heads / heads, n);
      if (job.norm.weight) {
        float line[mostDim + W];
        prepareRow(from, line, dim, turn, job.norm, 1);
        copyRow(line, to, dim, splat(1.f));
        continue;
      }
      turnRow(from, to, turn, sign, 1);
      if (turned == dim) continue;
      if constexpr (__is_same(From, To)) {
        // Channels that do not turn keep their bits.
        if (from == to) continue;
        __builtin_memcpy(to + turned, from + turned, (dim - turned) * sizeof(From));
      } else {
        copyRow(from + turned, to + turned, dim - turned, splat(1.f));
      }
    }
  }
}

template <class From>
static void rotateFrom(const Rotate &job, int64_t token, int64_t count, bool stream) {
  switch (job.out.type) {
    case DType::Float16:
      return rotateRows<From, Half>(job, token, count);
    case DType::Bfloat16:
      return rotateRows<From, Bfloat>(job, token, count);
    case DType::Float32:
      break;
  }
#if defined(__SSE2__)
  const int64_t turned = 2 * job.table.pairs;
  const bool vectors = turned == job.x.dim && job.table.pairs % W == 0 && !job.norm.weight;
  if (stream && vectors && ((uintptr_t)job.out.data & 15) == 0) {
    rotateRows<From, Streamed>(job, token, count);
    _mm_sfence();
    return;
  }
#else
  (void)stream;
#endif
  rotateRows<From, float>(job, token, count);
}

/** Tokens token … token + count. `stream`: the result is too large for the caches and is other memory than x. */
static void rotate(const Rotate &job, int64_t token, int64_t count, bool stream) {
  switch (job.x.type) {
    case DType::Float32:
      return rotateFrom<float>(job, token, count, stream);
    case DType::Float16:
      return rotateFrom<Half>(job, token, count, stream);
    case DType::Bfloat16:
      return rotateFrom<Bfloat>(job, token, count, stream);
  }
}

}  // namespace mrope::cpu::MROPE_ISA
