#pragma once

#include "pack.h"
#include "softmax.h"

// One tile of rows of one KV head over its packed keys (FlashAttention, arXiv 2205.14135).
//
//   for every block of 256 keys that a row of the tile sees
//     for every strip of MR rows:  scores = Q·Kᵀ, weights = 2^(scores − maximum), sums = sums · decay + weights · V
//
// Rows of a KV head are (query, head of the group): neighbours see nearly the same keys, so the causal border wastes
// little. Masks are looked at only in blocks that a row sees in part.

namespace mrope::cpu::MROPE_ISA {

/** Distance of the rows of scores: a power of two would give them all the same places of the first cache. */
constexpr int64_t scoreLine = keyBlock + W;

MROPE_INLINE int64_t stripRows(int64_t rows) { return roundUp(rows, MR); }

static int64_t tileFloats(const AttendJob &job) {
  return stripRows(tileRows) * (paddedChannels(job.a.v.dim) + 4) + MR * scoreLine;
}

/** Distance of the lines that queries are prepared in. */
MROPE_INLINE int64_t lineLength(int64_t dim) { return roundUp(dim, W) + W; }
static int64_t queryFloats(const AttendJob &job, int64_t rows) { return stripRows(rows) * lineLength(job.a.q.dim); }

/** The scratch memory of a tile. */
struct TileScratch {
  float *sums;
  float *scores;
  Running *running;
  /** Keys that a row sees, counted from the first packed key. */
  KeyRange *ranges;
};

/** The query and the head of a row; walks from row to row without dividing. */
struct RowPlace {
  int64_t group, kvHead, query, member;

  RowPlace(const AttendJob &job, int64_t kvHead, int64_t row)
      : group(job.group), kvHead(kvHead), query(row / job.group), member(row % job.group) {}
  int64_t head() const { return kvHead * group + member; }
  MROPE_MEMBER void next() {
    if (++member < group) return;
    member = 0;
    query++;
  }
};

// Rows are the outer loop and heads the inner one: see packKeys.

template <class T>
static void prepareRows(const AttendJob &job, const HeadRun &run, int64_t row, int64_t rows, float *to) {
  const Attend &a = job.a;
  const int64_t length = lineLength(a.q.dim), stride = queryFloats(job, rows);
  // Rows of out are written after these are used.
  const Pages reads(a.q), writes(a.out);
  RowPlace place(job, run.kvHead, row);
  for (int64_t r = 0; r < rows; r++, place.next()) {
    const float scale = float((a.scales ? a.scales[place.query] : a.scale) * 1.4426950408889634);
    const T *from = (const T *)a.q.at(place.query, place.head());
    float *line = to + r * length;
    for (int64_t h = 0; h < run.heads; h++, from += job.group * a.q.dim, line += stride) {
      const int64_t head = place.head() + h * job.group;
      fetch(a.q, place.query + 1, head);
      reads.fetch(from);
      writes.fetch(a.out.at(place.query, head));
      const Turn turn = turnOf(a.table, a.rotateQ, a.table.headOf(head, a.q.heads), a.tableOffset + place.query);
      prepareRow(from, line, a.q.dim, turn, a.qNorm, scale);
    }
  }
  for (int64_t h = 0; h < run.heads; h++) {
    __builtin_memset(to + h * stride + rows * length, 0, (stripRows(rows) - rows) * length * sizeof(float));
  }
}

static void prepareQueries(const AttendJob &job, const HeadRun &run, int64_t row, int64_t rows, float *to) {
  switch (job.a.q.type) {
    case DType::Float32:
      return prepareRows<float>(job, run, row, rows, to);
    case DType::Float16:
      return prepareRows<Half>(job, run, row, rows, to);
    case DType::Bfloat16:
      return prepareRows<Bfloat>(job, run, row, rows, to);
  }
}

static void findRanges(const AttendJob &job, const RowTile &tile, const PackedKeys &packed, const TileScratch &to) {
  RowPlace place(job, tile.kvHead, tile.row);
  for (int64_t r = 0; r < stripRows(tile.rows); r++, place.next()) {
    to.running[r] = {-infinity, 0};
    if (r >= tile.rows) {
      to.ranges[r] = {0, 0};
      continue;
    }
    const KeyRange seen = job.ranges[place.query];
    const int64_t first = least(most(seen.first - packed.base, 0), packed.count);
    to.ranges[r] = {int32_t(first), int32_t(most(least(seen.end - packed.base, packed.count), first))};
  }
}

/** The keys that `count` rows from r on see between them; empty is {max, 0}. */
MROPE_INLINE KeyRange unionOf(const KeyRange *ranges, int64_t count) {
  KeyRange all = {INT32_MAX, 0};
  for (int64_t r = 0; r < count; r++) {
    if (ranges[r].first == ranges[r].end) continue;
    all.first = int32_t(least(all.first, ranges[r].first));
    all.end = int32_t(most(all.end, ranges[r].end));
  }
  return all;
}

/** The product with values that are not all finite: a masked key is left out instead of multiplied by 0. */
static void addSeenValues(const float *weights, int64_t rows, const float *values, float *sums, int64_t stride,
                          int64_t dim, int64_t from, int64_t to) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = from; j < to; j++) {
      const float weight = weights[i * scoreLine + j];
      if (weight == 0) continue;
      for (int64_t c = 0; c < dim; c += W) {
        float *sum = sums + i * paddedChannels(dim) + c;
        store(sum, load(sum) + load(values + c / NR * stride + j * NR + c % NR) * weight);
      }
    }
  }
}

static void fetchTurn(const Table &table, int64_t token) {
  const int64_t at = table.row(0, least(token, table.tokens - 1));
  for (int64_t f = 0; f < table.pairs; f += 16) {
    __builtin_prefetch(table.cos + at + f, 0, 2);
    __builtin_prefetch(table.sin + at + f, 0, 2);
  }
}

/** Fetches where a row goes to into the first cache: fetched into the second it comes no sooner than without. */
MROPE_INLINE void fetchOut(const Tensor &out, const RowPlace &place) {
  const char *row = out.at(place.query, place.head());
  for (int64_t i = 0; i < out.dim * bytesOf(out.type); i += 64) __builtin_prefetch(row + i, 1, 3);
}

/**
 * Fetches the query of the row that comes next in the place of this one. Row by row between other work: the processor
 * drops fetches that come in bursts.
 */
MROPE_INLINE void fetchQuery(const AttendJob &job, const RowPlace &next) {
  fetch(job.a.q, next.query, next.head());
  if (job.a.rotateQ) fetchTurn(job.a.table, job.a.tableOffset + next.query);
}

/** One strip over one block: keys from … to, counted from the block's first key at `start`. The `first` sets the sums. */
static void attendStrip(const AttendJob &job, const RowTile &tile, const PackedKeys &packed, const TileScratch &s,
                        int64_t strip, int64_t start, int64_t from, int64_t to, bool first, bool last, uint8_t *exact) {
  const int64_t dim = job.a.q.dim, length = lineLength(dim);
  const int64_t channels = paddedChannels(job.a.v.dim), stride = paddedKeys(packed.count) * NR;
  const int64_t panelFrom = from / NR * NR, end = roundUp(to, W);
  const int64_t rows = least(MR, tile.rows - strip);
  const float *keys = packed.keys + start * dim;
  for (int64_t j = panelFrom; j < to; j += NR) {
    panelTile<false>(rows, s.scores + j, scoreLine, tile.queries + strip * length, length, keys + j * dim, dim, to - j);
  }
  float *sums = s.sums + strip * channels;
  const bool biased = job.a.bias.kind != BiasKind::None;
  bool masked = biased;
  for (int64_t r = strip; r < strip + rows; r++) {
    masked |= s.ranges[r].first - start > panelFrom || s.ranges[r].end - start < end;
  }
  RowPlace place(job, tile.kvHead, tile.row + strip), next(job, tile.nextHead, tile.nextRow + strip);
  for (int64_t i = 0; i < rows; i++, place.next(), next.next()) {
    const int64_t r = strip + i;
    float *scores = s.scores + i * scoreLine;
    if (last) {
      fetchOut(job.a.out, place);
      if (tile.nextHead >= 0) fetchQuery(job, next);
    }
    if (masked) {
      const int64_t seen = most(s.ranges[r].first - start, panelFrom), behind = least(s.ranges[r].end - start, end);
      for (int64_t j = panelFrom; j < least(seen, end); j++) scores[j] = -infinity;
      for (int64_t j = most(behind, panelFrom); j < end; j++) scores[j] = -infinity;
      if (biased && seen < behind) {
        addBias(job, place.head(), place.query, packed.base + start + seen, behind - seen, scores + seen);
      }
    }
    const int64_t n = end - panelFrom;
    const float decay = masked ? weighRow<true>(scores + panelFrom, n, s.running[r], exact[r])
                               : weighRow<false>(scores + panelFrom, n, s.running[r], exact[r]);
    if (decay != 1) scaleRow(sums + i * channels, job.a.v.dim, decay);
  }
  const float *values = packed.values + start * NR;
  if (!packed.finite[start / keyBlock]) {
    if (first) __builtin_memset(sums, 0, rows * channels * sizeof(float));
    addSeenValues(s.scores, rows, values, sums, stride, job.a.v.dim, from, to);
    return;
  }
  const float *weights = s.scores + from;
  for (int64_t c = 0; c < job.a.v.dim; c += NR) {
    const float *panel = values + c / NR * stride + from * NR;
    const int64_t columns = job.a.v.dim - c;
    if (first) {
      panelTile<false>(rows, sums + c, channels, weights, scoreLine, panel, to - from, columns);
    } else {
      panelTile<true>(rows, sums + c, channels, weights, scoreLine, panel, to - from, columns);
    }
  }
}

static void attendTile(const AttendJob &job, const RowTile &tile, const PackedKeys &packed, float *scratch,
                       uint8_t *exact) {
  const int64_t rows = stripRows(tile.rows), channels = paddedChannels(job.a.v.dim);
  TileScratch s;
  s.sums = scratch;
  s.scores = s.sums + rows * channels;
  s.running = (Running *)(s.scores + MR * scoreLine);
  s.ranges = (KeyRange *)(s.running + rows);
  findRanges(job, tile, packed, s);
  __builtin_memset(exact, 0, rows);
  static_assert(tileRows % MR == 0 && windowRows % MR == 0 && windowRows <= tileRows);
  bool finite = true, begun[tileRows / MR] = {};
  const KeyRange all = unionOf(s.ranges, rows);
  for (int64_t start = all.first / keyBlock * keyBlock; start < all.end; start += keyBlock) {
    finite &= packed.finite[start / keyBlock] != 0;
    for (int64_t strip = 0; strip < rows; strip += MR) {
      const KeyRange seen = unionOf(s.ranges + strip, MR);
      const int64_t from = most(seen.first - start, 0), to = least(seen.end - start, keyBlock);
      if (from >= to) continue;
      bool &on = begun[strip / MR];
      attendStrip(job, tile, packed, s, strip, start, from, to, !on, start + keyBlock >= all.end, exact);
      on = true;
    }
  }
  for (int64_t strip = 0; strip < rows; strip += MR) {
    if (!begun[strip / MR]) __builtin_memset(s.sums + strip * channels, 0, MR * channels * sizeof(float));
  }
  RowPlace place(job, tile.kvHead, tile.row);
  for (int64_t r = 0; r < tile.rows; r++, place.next()) {
    const bool fine = writeRow(job.a.out, place.query, place.head(), s.sums + r * channels, s.running[r].total);
    if (!fine && finite) exact[r] = 1;
  }
}

}  // namespace mrope::cpu::MROPE_ISA
