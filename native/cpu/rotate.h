#pragma once

#include "pack.h"

// Rotation from storage to storage: (x, y) → (x·c − y·s, y·c + x·s), the other channels copied.
//
// Large float32 results that no cache holds go past them in whole lines, wherever in a line the destination begins:
// JavaScript arrays are aligned to 16 bytes.

namespace mrope::cpu::MROPE_ISA {

template <class From, class To>
MROPE_INLINE void rotateHead(const Rotate &job, int64_t token, int64_t head, To *to) {
  const int64_t dim = job.x.dim, heads = job.x.heads, turned = 2 * job.table.pairs;
  const From *from = (const From *)job.x.at(token, head);
  const Turn turn = turnOf(job.table, true, head * job.table.heads / heads, token);
  if (job.norm.weight) {
    float line[mostDim + W];
    prepareRow(from, line, dim, turn, job.norm, 1);
    copyRow(line, to, dim, splat(1.f));
    return;
  }
  turnRow(from, to, turn, job.inverse ? -1.f : 1.f, 1);
  if (turned == dim) return;
  if constexpr (__is_same(From, To)) {
    // Channels that do not turn keep their bits.
    if (from == to) return;
    __builtin_memcpy(to + turned, from + turned, (dim - turned) * sizeof(From));
  } else {
    copyRow(from + turned, to + turned, dim - turned, splat(1.f));
  }
}

template <class From, class To>
static void rotateRows(const Rotate &job, int64_t token, int64_t count) {
  for (int64_t n = token; n < token + count; n++) {
    for (int64_t head = 0; head < job.x.heads; head++) rotateHead<From>(job, n, head, (To *)job.out.at(n, head));
  }
}

#if defined(__SSE2__)
MROPE_INLINE void streamLine(float *to, vf x) {
#if MROPE_LANES == 16
  _mm512_stream_ps(to, (__m512)x);
#elif MROPE_LANES == 8
  _mm256_stream_ps(to, (__m256)x);
#else
  _mm_stream_ps(to, (__m128)x);
#endif
}

/** Widest head that is turned on its way past the caches. */
constexpr int64_t streamedDim = 4096;

/**
 * The results of neighbouring heads are one run of memory: each is turned into `lines`, whole lines leave, and the rest
 * waits for the next head. Head by head, so that reading and writing overlap.
 */
template <class From>
static void rotatePast(const Rotate &job, int64_t token, int64_t count) {
  alignas(64) float lines[streamedDim + 2 * W];
  const int64_t dim = job.x.dim, heads = job.x.heads;
  float *to = (float *)job.out.at(token, 0);
  // Up to the first whole line.
  const int64_t begin = least(-(int64_t)((uintptr_t)to / sizeof(float)) & (W - 1), count * heads * dim);
  int64_t held = 0, lead = begin;
  for (int64_t n = token; n < token + count; n++) {
    for (int64_t head = 0; head < heads; head++) {
      rotateHead<From>(job, n, head, lines + held);
      held += dim;
      int64_t i = 0;
      for (; lead > 0 && i < held; lead--) *to++ = lines[i++];
      for (; i + W <= held; i += W, to += W) streamLine(to, load(lines + i));
      held -= i;
      // Fewer than W are left, and behind `lines` there is room to read them as one vector.
      store(lines, load(lines + i));
    }
  }
  for (int64_t i = 0; i < held; i++) to[i] = lines[i];
  _mm_sfence();
}
#endif

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
  if (stream && job.x.dim > 0 && job.x.dim <= streamedDim) return rotatePast<From>(job, token, count);
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
