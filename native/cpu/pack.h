#pragma once

#include "gemm.h"
#include "kernels.h"
#include "pages.h"
#include "rows.h"

// Keys and values of KV heads as the register tiles read them. Keys are transposed as they come, then normed and rotated
// as columns, once each: whole vectors whatever the head dim, and angles that all heads of a token share.
//
//   keys      panel of NR keys:      [channel 0: k0 k1 …] [channel 1: k0 k1 …] …
//   values    panel of NR channels:  [key 0: c0 c1 …] [key 1: c0 c1 …] …          all keys of the head

namespace mrope::cpu::MROPE_ISA {

MROPE_INLINE int64_t paddedChannels(int64_t dim) { return roundUp(dim, NR); }
MROPE_INLINE int64_t paddedKeys(int64_t keys) { return roundUp(keys, NR); }

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

/** Rows of W tokens, `stride` elements apart, as columns `step` apart. Rows from `tokens` on are 0. */
template <class T>
MROPE_INLINE void putColumns(const T *from, int64_t stride, int64_t tokens, int64_t dim, float *to, int64_t step) {
  for (int64_t c = 0; c < dim; c += W) {
    const int64_t lanes = dim - c;
    vf rows[W];
    if (tokens >= W && lanes >= W) {
#pragma GCC unroll 16
      for (int r = 0; r < W; r++) rows[r] = load(from + r * stride + c);
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < W; r++) rows[r] = r < tokens ? loadUpTo(from + r * stride + c, lanes) : vf{};
    }
    transpose(rows);
#pragma GCC unroll 16
    for (int r = 0; r < W; r++) {
      if (r < lanes) store(to + (c + r) * step, rows[r]);
    }
  }
}

/** W keys as columns are normed: normRow for all of them at once. */
static void normColumns(float *keys, int64_t dim, const Norm &norm) {
  vf squares[4] = {};
  for (int64_t c = 0; c < dim; c++) squares[c % 4] += load(keys + c * NR) * load(keys + c * NR);
  float rms[W];
  store(rms, (squares[0] + squares[1]) + (squares[2] + squares[3]));
  for (float &x : rms) x = float(1 / __builtin_sqrt(double(x) / double(dim) + norm.eps));
  for (int64_t c = 0; c < dim; c++) store(keys + c * NR, load(keys + c * NR) * load(rms) * splat(norm.weight[c]));
}

/** W keys as columns are rotated by angles as columns: all cosines, then all sines. */
MROPE_INLINE void turnColumns(float *keys, const Table &table, const float *angles) {
  const int64_t step = table.adjacent ? 2 * NR : NR, across = table.adjacent ? NR : table.pairs * NR;
  for (int64_t f = 0; f < table.pairs; f++) {
    float *x = keys + f * step, *y = x + across;
    const Pair<vf> t = turned(load(x), load(y), load(angles + f * W), load(angles + (table.pairs + f) * W));
    store(x, t.x);
    store(y, t.y);
  }
}

template <class T>
static void packKeys(const AttendJob &job, const HeadRun &run, int64_t from, int64_t count, const PackedHeads &to,
                     float *angles) {
  const Attend &a = job.a;
  const int64_t dim = a.k.dim, stride = a.k.heads * dim;
  for (int64_t j = 0; j < roundUp(count, NR); j += W) {
    const int64_t key = to.first.base + from + j, tokens = most(least(W, count - j), 0);
    int64_t turned = -1;
    for (int64_t h = 0; h < run.heads; h++) {
      const int64_t kvHead = run.kvHead + h, tableHead = a.rotateK ? a.table.headOf(kvHead, a.k.heads) : -1;
      for (int64_t r = 0; r < tokens; r++) fetch(a.k, key + 2 * W + r, kvHead);
      float *keys = packedHead(to, h).keys + (from + j) / NR * NR * dim + (from + j) % NR;
      putColumns((const T *)a.k.at(key, kvHead), stride, tokens, dim, keys, NR);
      if (turned != tableHead) {
        const int64_t row = a.table.row(tableHead, key), pairs = a.table.pairs;
        putColumns(a.table.cos + row, pairs, tokens, pairs, angles, W);
        putColumns(a.table.sin + row, pairs, tokens, pairs, angles + pairs * W, W);
        turned = tableHead;
      }
      if (a.kNorm.weight && !a.kNorm.after) normColumns(keys, dim, a.kNorm);
      if (a.rotateK) turnColumns(keys, a.table, angles);
      if (a.kNorm.weight && a.kNorm.after) normColumns(keys, dim, a.kNorm);
    }
  }
}

template <class T>
static void packValues(const AttendJob &job, const HeadRun &run, int64_t block, int64_t from, int64_t count,
                       const PackedHeads &to) {
  const Attend &a = job.a;
  const int64_t dim = a.v.dim, stride = paddedKeys(to.first.count) * NR;
  const Pages reads(a.v);
  vf rest[mostPackHeads] = {};
  for (int64_t j = from; j < from + count; j++) {
    for (int64_t h = 0; h < run.heads; h++) {
      const T *row = (const T *)a.v.at(to.first.base + j, run.kvHead + h);
      reads.fetch(row);
      float *values = packedHead(to, h).values + j * NR;
      vf all = {};
      for (int64_t channel = 0; channel < dim; channel += W) {
        const vf x = loadUpTo(row + channel, dim - channel);
        // 0 for finite values, NaN for others, and NaN stays.
        all += x - x;
        store(values + channel / NR * stride + channel % NR, x);
      }
      rest[h] += all;
    }
  }
  for (int64_t h = 0; h < run.heads; h++) packedHead(to, h).finite[block] = !anyNan(rest[h]);
}

static void packBlock(const AttendJob &job, const HeadRun &run, int64_t block, const PackedHeads &to, float *angles) {
  const int64_t from = block * keyBlock, count = least(keyBlock, to.first.count - from);
  switch (job.a.k.type) {
    case DType::Float32:
      packKeys<float>(job, run, from, count, to, angles);
      break;
    case DType::Float16:
      packKeys<Half>(job, run, from, count, to, angles);
      break;
    case DType::Bfloat16:
      packKeys<Bfloat>(job, run, from, count, to, angles);
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
static int64_t packScratch(const AttendJob &job) { return 2 * job.a.table.pairs * W; }

}  // namespace mrope::cpu::MROPE_ISA
