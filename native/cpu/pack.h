#pragma once

#include "gemm.h"
#include "kernels.h"
#include "rows.h"

// Keys and values of KV heads as the register tiles read them. Keys are normed and rotated on the way, once each.
//
//   keys      panel of NR keys:      [channel 0: k0 k1 …] [channel 1: k0 k1 …] …
//   values    panel of NR channels:  [key 0: c0 c1 …] [key 1: c0 c1 …] …          all keys of the head

namespace mrope::cpu::MROPE_ISA {

MROPE_INLINE Turn turnOf(const Table &table, bool on, int64_t head, int64_t token) {
  if (!on) return {};
  const int64_t at = table.row(head, token);
  return {table.cos + at, table.sin + at, table.pairs, table.adjacent};
}

MROPE_INLINE int64_t paddedChannels(int64_t dim) { return roundUp(dim, NR); }
MROPE_INLINE int64_t paddedKeys(int64_t keys) { return roundUp(keys, NR); }
/** Distance of the lines that rows are prepared in. */
MROPE_INLINE int64_t lineLength(int64_t dim) { return roundUp(dim, W) + W; }

/** Fetches a row: rows of a head lie far apart, which the processor does not guess. */
MROPE_INLINE void fetch(const Tensor &x, int64_t token, int64_t head) {
  const char *row = x.at(least(token, x.tokens - 1), head);
  for (int64_t i = 0; i < x.dim * bytesOf(x.type); i += 64) __builtin_prefetch(row + i, 0, 2);
}

MROPE_INLINE PackedKeys packedHead(const PackedHeads &to, int64_t h) {
  PackedKeys keys = to.first;
  keys.keys += h * to.stride;
  keys.values += h * to.stride;
  keys.finite += h * to.stride * int64_t(sizeof(float));
  return keys;
}

// Tokens are the outer loop and heads the inner one: neighbouring heads of a token share pages and come in one stream.

template <class T>
static void packKeys(const AttendJob &job, const HeadRun &run, int64_t from, int64_t count, const PackedHeads &to,
                     float *lines) {
  const Attend &a = job.a;
  const int64_t dim = a.k.dim, length = lineLength(dim);
  for (int64_t j = 0; j < roundUp(count, NR); j += W) {
    for (int64_t h = 0; h < run.heads; h++) {
      const PackedKeys head = packedHead(to, h);
      const int64_t kvHead = run.kvHead + h, tableHead = kvHead * most(a.table.heads, 1) / a.k.heads;
      for (int64_t r = 0; r < W; r++) {
        float *line = lines + r * length;
        const int64_t key = head.base + from + j + r;
        if (j + r < count) {
          fetch(a.k, key + W, kvHead);
          fetch(a.v, key, kvHead);
          prepareRow((const T *)a.k.at(key, kvHead), line, dim, turnOf(a.table, a.rotateK, tableHead, key), a.kNorm, 1);
        } else {
          __builtin_memset(line, 0, dim * sizeof(float));
        }
      }
      float *panel = head.keys + (from + j) / NR * NR * dim + (from + j) % NR;
      for (int64_t channel = 0; channel < dim; channel += W) {
        vf rows[W];
#pragma GCC unroll 16
        for (int r = 0; r < W; r++) rows[r] = load(lines + r * length + channel);
        transpose(rows);
        for (int64_t r = 0; r < least(W, dim - channel); r++) store(panel + (channel + r) * NR, rows[r]);
      }
    }
  }
}

template <class T>
static void packValues(const AttendJob &job, const HeadRun &run, int64_t block, int64_t from, int64_t count,
                       const PackedHeads &to) {
  const Attend &a = job.a;
  const int64_t dim = a.v.dim, stride = paddedKeys(to.first.count) * NR;
  vf rest[mostPackHeads] = {};
  for (int64_t j = from; j < from + count; j++) {
    for (int64_t h = 0; h < run.heads; h++) {
      const T *row = (const T *)a.v.at(to.first.base + j, run.kvHead + h);
      float *values = packedHead(to, h).values + j * NR;
      for (int64_t channel = 0; channel < paddedChannels(dim); channel += W) {
        const int64_t lanes = dim - channel;
        const vf x = lanes <= 0 ? vf{} : loadUpTo(row + channel, lanes);
        // 0 for finite values, NaN for others, and NaN stays.
        rest[h] += x - x;
        store(values + channel / NR * stride + channel % NR, x);
      }
    }
  }
  for (int64_t h = 0; h < run.heads; h++) packedHead(to, h).finite[block] = !anyNan(rest[h]);
}

static void packBlock(const AttendJob &job, const HeadRun &run, int64_t block, const PackedHeads &to, float *lines) {
  const int64_t from = block * keyBlock, count = least(keyBlock, to.first.count - from);
  switch (job.a.k.type) {
    case DType::Float32:
      packKeys<float>(job, run, from, count, to, lines);
      break;
    case DType::Float16:
      packKeys<Half>(job, run, from, count, to, lines);
      break;
    case DType::Bfloat16:
      packKeys<Bfloat>(job, run, from, count, to, lines);
      break;
  }
  switch (job.a.v.type) {
    case DType::Float32:
      packValues<float>(job, run, block, from, count, to);
      break;
    case DType::Float16:
      packValues<Half>(job, run, block, from, count, to);
      break;
    case DType::Bfloat16:
      packValues<Bfloat>(job, run, block, from, count, to);
      break;
  }
}

static int64_t packedKeyFloats(const AttendJob &job, int64_t keys) { return paddedKeys(keys) * job.a.k.dim; }
static int64_t packedValueFloats(const AttendJob &job, int64_t keys) {
  return paddedKeys(keys) * paddedChannels(job.a.v.dim);
}
static int64_t packLine(const AttendJob &job) { return W * lineLength(job.a.k.dim); }

}  // namespace mrope::cpu::MROPE_ISA
