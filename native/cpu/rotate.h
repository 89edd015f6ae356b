#pragma once

#include "aligned.h"
#include "pages.h"
#include "stream.h"

// Rotation from storage to storage: (x, y) → (x·c − y·s, y·c + x·s), the other channels copied.

namespace mrope::cpu::MROPE_ISA {

template <class From, class To>
static void rotateRows(const Rotate &job, int64_t token, int64_t count) {
  const int64_t dim = job.x.dim, heads = job.x.heads, turned = 2 * job.table.pairs;
  const float sign = job.inverse ? -1.f : 1.f;
  const Pages reads(job.x), writes(job.out);
  for (int64_t n = token; n < token + count; n++) {
    for (int64_t head = 0; head < heads; head++) {
      const From *from = (const From *)job.x.at(n, head);
      To *to = (To *)job.out.at(n, head);
      reads.fetch(from);
      writes.fetch(to);
      const Turn turn = turnOf(job.table, true, job.table.headOf(head, heads), n);
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
  if (stream && streams(job)) return streamFrom<From>(job, token, count);
#else
  (void)stream;
#endif
#if MROPE_LANES > 4
  if (rotateAligned<From>(job, token, count)) return;
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
