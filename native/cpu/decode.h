#pragma once

#include "pack.h"
#include "softmax.h"

// One query over a chunk of keys, all heads: every key and value is read once, in the order of memory, for all query
// heads of its KV head. The next rows are fetched while the present ones are used.
//
//   partial of head h     [sums: valueDim padded | maximum | total | …]     joined in the order of the chunks

namespace mrope::cpu::MROPE_ISA {

constexpr int mostHeads = MROPE_LANES == 16 ? 12 : 8;

static int64_t decodeDim(int64_t dim) { return roundUp(dim, W); }
static int64_t partialLength(int64_t valueDim) { return decodeDim(valueDim) + W; }

static int64_t decodeFloats(const AttendJob &job) {
  const Attend &a = job.a;
  const int64_t padded = decodeDim(a.k.dim) + W + decodeDim(a.v.dim) + W;
  return a.q.heads * decodeBlock + decodeBlock * a.k.heads * padded;
}

static void decodeQuery(const AttendJob &job, int64_t query, float *queries) {
  const Attend &a = job.a;
  const double scale = (a.scales ? a.scales[query] : a.scale) * 1.4426950408889634;
  const int64_t padded = decodeDim(a.q.dim);
  for (int64_t head = 0; head < a.q.heads; head++) {
    float *row = queries + head * padded;
    for (int64_t i = a.q.dim; i < padded; i++) row[i] = 0;
    const Turn turn = turnOf(a.table, a.rotateQ, a.table.headOf(head, a.q.heads), a.tableOffset + query);
    const char *from = a.q.at(query, head);
    switch (a.q.type) {
      case DType::Float32:
        prepareRow((const float *)from, row, a.q.dim, turn, a.qNorm, float(scale));
        break;
      case DType::Float16:
        prepareRow((const Half *)from, row, a.q.dim, turn, a.qNorm, float(scale));
        break;
      case DType::Bfloat16:
        prepareRow((const Bfloat *)from, row, a.q.dim, turn, a.qNorm, float(scale));
        break;
    }
  }
}

/** Rows of keys or values of all KV heads as they are read: storage, or float32 lines made from it. */
template <class T>
struct Rows {
  const T *data;
  /** Distances of two tokens and of two heads. */
  int64_t token;
  int64_t head;
};

/**
 * Rows that are wanted next, to be fetched a line at a time between other work: where many come at once the processor
 * waits for them, or drops them.
 */
template <class T>
struct Ahead {
  const T *data;
  int64_t token;

  /** The line around channel i of row j. */
  MROPE_MEMBER void fetch(int64_t j, int64_t i) const { __builtin_prefetch(data + j * token + i, 0, 2); }
};

#if MROPE_LANES == 16 || defined(__aarch64__)
constexpr int registers = 32;
#else
constexpr int registers = 16;
#endif

constexpr int powerFrom(int n) { return n <= 1 ? 1 : 2 * powerFrom((n + 1) / 2); }

/** The sums of N vectors, a power of two up to W: that of vector i is lane i · W/N. */
template <int N, int LANES = W / 2>
MROPE_INLINE vf sumsOf(vf *v) {
  if constexpr (LANES == 0) {
    return v[0];
  } else if constexpr (N == 1) {
    v[0] = foldLanes<LANES>(v[0], v[0]);
    return sumsOf<1, LANES / 2>(v);
  } else {
#pragma GCC unroll 8
    for (int i = 0; i < N / 2; i++) v[i] = foldLanes<LANES>(v[i], v[i + N / 2]);
    return sumsOf<N / 2, LANES / 2>(v);
  }
}

/** scores[g][j] = sum of c[g · KEYS + j], for N of the sums from `first` on. */
template <int KEYS, int N>
MROPE_INLINE void putSums(vf *c, int first, int sums, float *scores) {
  float lane[W];
  store(lane, sumsOf<N>(c + first));
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) {
    if (first + i < sums) scores[(first + i) / KEYS * decodeBlock + (first + i) % KEYS] = lane[i * (W / N)];
  }
}

/** scores[g][j] = q[g] · k[j] for G heads and KEYS keys from j on: every load of a query serves all of the keys. */
template <int G, int KEYS, class T, class A>
MROPE_INLINE void scoreSome(const float *q, int64_t dim, const T *k, int64_t kToken, int64_t j0, float *scores,
                            const Ahead<A> &ahead) {
  constexpr int sums = G * KEYS, N = sums < W ? powerFrom(sums) : W, all = (sums + N - 1) / N * N;
  static_assert(all <= 2 * N);
  vf c[all];
#pragma GCC unroll 16
  for (int i = 0; i < all; i++) c[i] = vf{};
  for (int64_t i = 0; i < dim; i += W) {
    vf x[KEYS];
#pragma GCC unroll 16
    for (int j = 0; j < KEYS; j++) {
      ahead.fetch(j0 + j, i);
      x[j] = load(k + (j0 + j) * kToken + i);
    }
#pragma GCC unroll 16
    for (int g = 0; g < G; g++) {
      const vf y = held(load(q + g * dim + i));
#pragma GCC unroll 16
      for (int j = 0; j < KEYS; j++) c[g * KEYS + j] = c[g * KEYS + j] + x[j] * y;
    }
  }
  putSums<KEYS, N>(c, 0, sums, scores + j0);
  if constexpr (all > N) putSums<KEYS, N>(c, N, sums, scores + j0);
}

/** scores[g][j] = q[g] · k[j] for G heads and n keys. */
template <int G, class T, class A>
static void scoreKeys(const float *q, int64_t dim, const T *k, int64_t kToken, int64_t n, float *scores,
                      const Ahead<A> &ahead) {
  constexpr int KEYS = W / G < 1 ? 1 : W / G > 4 ? 4 : W / G;
  int64_t j = 0;
  for (; j + KEYS <= n; j += KEYS) scoreSome<G, KEYS>(q, dim, k, kToken, j, scores, ahead);
  for (; j < n; j++) scoreSome<G, 1>(q, dim, k, kToken, j, scores, ahead);
}

/** sums[g] += Σ_j weights[g][j] · v[j] for n keys and some vectors of channels from i0 on. */
template <int G, int VECTORS, class T, class A>
MROPE_INLINE void addSome(const float *weights, const T *v, int64_t vToken, int64_t n, int64_t i0, float *sums,
                          int64_t length, const Ahead<A> &ahead) {
  vf c[G][VECTORS];
#pragma GCC unroll 12
  for (int g = 0; g < G; g++) {
#pragma GCC unroll 2
    for (int i = 0; i < VECTORS; i++) c[g][i] = load(sums + g * length + i0 + i * W);
  }
  for (int64_t j = 0; j < n; j++) {
    vf x[VECTORS];
#pragma GCC unroll 2
    for (int i = 0; i < VECTORS; i++) {
      ahead.fetch(j, i0 + i * W);
      x[i] = load(v + j * vToken + i0 + i * W);
    }
#pragma GCC unroll 12
    for (int g = 0; g < G; g++) {
      const vf weight = splat(weights[g * decodeBlock + j]);
#pragma GCC unroll 2
      for (int i = 0; i < VECTORS; i++) c[g][i] = c[g][i] + x[i] * weight;
    }
  }
#pragma GCC unroll 12
  for (int g = 0; g < G; g++) {
#pragma GCC unroll 2
    for (int i = 0; i < VECTORS; i++) store(sums + g * length + i0 + i * W, c[g][i]);
  }
}

/** sums[g] += Σ_j weights[g][j] · v[j]. */
template <int G, class T, class A>
static void addValues(const float *weights, const T *v, int64_t vToken, int64_t n, int64_t dim, float *sums,
                      int64_t length, const Ahead<A> &ahead) {
  constexpr int VECTORS = 2 * G + 3 <= registers ? 2 : 1;
  int64_t i = 0;
  for (; i + VECTORS * W <= dim; i += VECTORS * W) addSome<G, VECTORS>(weights, v, vToken, n, i, sums, length, ahead);
  for (; i < dim; i += W) addSome<G, 1>(weights, v, vToken, n, i, sums, length, ahead);
}

/** Calls f with the number of heads, at most mostHeads at a time, as a constant. */
template <int G, class F>
MROPE_INLINE void withHeads(int64_t heads, F f) {
  if constexpr (G > 1) {
    if (heads < G) return withHeads<G - 1>(heads, f);
  }
  f.template operator()<G>();
}

template <class T>
static Rows<float> linesOf(const AttendJob &job, const Tensor &x, bool isKey, int64_t key, int64_t n, float *lines) {
  const Attend &a = job.a;
  const int64_t length = decodeDim(x.dim) + W;
  for (int64_t j = 0; j < n; j++) {
    for (int64_t head = 0; head < x.heads; head++) {
      float *line = lines + (j * x.heads + head) * length;
      for (int64_t i = x.dim; i < decodeDim(x.dim); i++) line[i] = 0;
      const T *row = (const T *)x.at(key + j, head);
      if (isKey) {
        const Turn turn = turnOf(a.table, a.rotateK, a.table.headOf(head, x.heads), key + j);
        prepareRow(row, line, x.dim, turn, a.kNorm, 1);
      } else {
        copyRow(row, line, x.dim, splat(1.f));
      }
    }
  }
  return {lines, x.heads * length, length};
}

template <class K, class V>
static void decodeRows(const AttendJob &job, int64_t query, const DecodeChunk &chunk, float *scratch) {
  const Attend &a = job.a;
  const int64_t kvHeads = a.k.heads, kDim = decodeDim(a.k.dim), vDim = decodeDim(a.v.dim);
  const int64_t length = partialLength(a.v.dim);
  float *scores = scratch, *lines = scores + a.q.heads * decodeBlock;
  float *valueLines = lines + decodeBlock * kvHeads * (kDim + W);
  const bool keyLines = a.rotateK || a.kNorm.weight || kDim != a.k.dim;
  for (int64_t head = 0; head < a.q.heads; head++) {
    float *sums = chunk.partial + head * length;
    __builtin_memset(sums, 0, length * sizeof(float));
    sums[vDim] = -infinity;
  }
  for (int64_t key = chunk.first; key < chunk.end; key += decodeBlock) {
    const int64_t n = least(decodeBlock, chunk.end - key), padded = roundUp(n, W);
    const K *k = (const K *)a.k.at(key, 0);
    const V *v = (const V *)a.v.at(key, 0);
    const bool next = key + 2 * decodeBlock <= chunk.end;
    const auto score = [&](auto rows) {
      for (int64_t kv = 0; kv < kvHeads; kv++) {
        const Ahead<V> ahead = {v + kv * a.v.dim, kvHeads * a.v.dim};
        for (int64_t g = 0; g < job.group; g += mostHeads) {
          const int64_t head = kv * job.group + g;
          withHeads<mostHeads>(least(mostHeads, job.group - g), [&]<int G>() {
            scoreKeys<G>(chunk.queries + head * kDim, kDim, rows.data + kv * rows.head, rows.token, n,
                         scores + head * decodeBlock, ahead);
          });
        }
      }
    };
    if (keyLines) {
      score(linesOf<K>(job, a.k, true, key, n, lines));
    } else {
      score(Rows<K>{k, kvHeads * kDim, kDim});
    }
    for (int64_t head = 0; head < a.q.heads; head++) {
      float *row = scores + head * decodeBlock, *sums = chunk.partial + head * length;
      for (int64_t j = n; j < padded; j++) row[j] = -infinity;
      if (a.bias.kind != BiasKind::None) addBias(job, head, query, key, n, row);
      Running running = {sums[vDim], sums[vDim + 1]};
      uint8_t exact = sums[vDim + 2] != 0;
      const float decay = weighRow<true>(row, padded, running, exact);
      if (decay != 1) scaleRow(sums, vDim, decay);
      sums[vDim] = running.maximum;
      sums[vDim + 1] = running.total;
      sums[vDim + 2] = exact;
    }
    const auto add = [&](auto rows) {
      for (int64_t kv = 0; kv < kvHeads; kv++) {
        // At the end the present keys, which are there already.
        const K *keys = next ? k + decodeBlock * kvHeads * a.k.dim : k;
        const Ahead<K> ahead = {keys + kv * a.k.dim, kvHeads * a.k.dim};
        for (int64_t g = 0; g < job.group; g += mostHeads) {
          const int64_t head = kv * job.group + g;
          withHeads<mostHeads>(least(mostHeads, job.group - g), [&]<int G>() {
            addValues<G>(scores + head * decodeBlock, rows.data + kv * rows.head, rows.token, n, vDim,
                         chunk.partial + head * length, length, ahead);
          });
        }
      }
    };
    if (vDim != a.v.dim) {
      add(linesOf<V>(job, a.v, false, key, n, valueLines));
    } else {
      add(Rows<V>{v, kvHeads * vDim, vDim});
    }
  }
}

template <class K>
static void decodeKeys(const AttendJob &job, int64_t query, const DecodeChunk &chunk, float *scratch) {
  switch (job.a.v.type) {
    case DType::Float32:
      return decodeRows<K, float>(job, query, chunk, scratch);
    case DType::Float16:
      return decodeRows<K, Half>(job, query, chunk, scratch);
    case DType::Bfloat16:
      return decodeRows<K, Bfloat>(job, query, chunk, scratch);
  }
}

static void decode(const AttendJob &job, int64_t query, const DecodeChunk &chunk, float *scratch) {
  switch (job.a.k.type) {
    case DType::Float32:
      return decodeKeys<float>(job, query, chunk, scratch);
    case DType::Float16:
      return decodeKeys<Half>(job, query, chunk, scratch);
    case DType::Bfloat16:
      return decodeKeys<Bfloat>(job, query, chunk, scratch);
  }
}

/** The chunks are joined into the first one, always in the same order. */
static void join(const AttendJob &job, int64_t query, float *partials, int64_t chunks, uint8_t *exact) {
  const int64_t vDim = decodeDim(job.a.v.dim), length = partialLength(job.a.v.dim), heads = job.a.q.heads;
  for (int64_t head = 0; head < heads; head++) {
    float *all = partials + head * length;
    exact[head] = all[vDim + 2] != 0;
    for (int64_t chunk = 1; chunk < chunks; chunk++) {
      const float *part = partials + (chunk * heads + head) * length;
      exact[head] |= part[vDim + 2] != 0;
      if (part[vDim] == -infinity) continue;
      const float next = part[vDim] > all[vDim] ? part[vDim] : all[vDim];
      const auto factor = [&](float maximum) {
        const float drop = maximum - next;
        return exp2(drop > leastExponent ? drop : leastExponent);
      };
      const float mine = all[vDim] == -infinity ? 0 : factor(all[vDim]), theirs = factor(part[vDim]);
      for (int64_t i = 0; i < vDim; i += W) store(all + i, load(all + i) * mine + load(part + i) * theirs);
      all[vDim + 1] = all[vDim + 1] * mine + part[vDim + 1] * theirs;
      all[vDim] = next;
    }
    if (!writeRow(job.a.out, query, head, all, all[vDim + 1])) exact[head] = 1;
  }
}

}  // namespace mrope::cpu::MROPE_ISA
