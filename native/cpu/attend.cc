#include <algorithm>
#include <atomic>

#include "../core/arena.h"
#include "../core/visible.h"
#include "cpu.h"
#include "kernels.h"

// Which way an attention goes:
//
//   decode    one or two queries: keys are streamed as they lie, a chunk per item, all heads at once
//   windows   packed segments that are short: an item is one segment of one KV head, packed where it is used
//   packed    all else: the keys of some KV heads are packed once, then an item is one tile of rows

namespace mrope::cpu {
namespace {

constexpr int64_t mostDecodeQueries = 2;
constexpr int64_t longestWindow = 512;
/** Packed keys and values of a window's heads that one item takes: they stay in a second-level cache. */
constexpr int64_t windowBytes = int64_t(768) << 10;
/** Packed keys and values of all KV heads at a time; one KV head may need more. */
constexpr int64_t packedBytes = int64_t(48) << 20;

struct Part {
  const Kernels &kernel;
  const AttendJob &job;
  const Run &run;
  std::atomic<bool> noMemory{false};

  Outcome outcome(bool finished) const {
    return noMemory.load() ? Outcome::NoMemory : finished ? Outcome::Done : Outcome::Aborted;
  }
};

int64_t blocksOf(int64_t keys) { return (keys + keyBlock - 1) / keyBlock; }

/** Floats of the packed keys and values of one KV head, with the flags of their blocks; whole cache lines. */
int64_t packedFloats(const Part &part, int64_t keys) {
  const int64_t floats = part.kernel.packedKeyFloats(part.job, keys) + part.kernel.packedValueFloats(part.job, keys);
  return (floats + (blocksOf(keys) + 3) / 4 + 15) / 16 * 16;
}

PackedKeys packedAt(const Part &part, float *memory, int64_t base, int64_t count) {
  PackedKeys packed;
  packed.keys = memory;
  packed.values = packed.keys + part.kernel.packedKeyFloats(part.job, count);
  packed.finite = reinterpret_cast<uint8_t *>(packed.values + part.kernel.packedValueFloats(part.job, count));
  packed.base = base;
  packed.count = count;
  return packed;
}

/** The rows of a tile, and those that float32 cannot do once more in float64. */
void doTile(Part &part, const RowTile &tile, const PackedKeys &packed, float *scratch) {
  uint8_t exact[tileRows + 16];
  part.kernel.tile(part.job, tile, packed, scratch, exact);
  for (int64_t r = 0; r < tile.rows; r++) {
    if (!exact[r]) continue;
    const int64_t row = tile.row + r;
    const int64_t head = tile.kvHead * part.job.group + row % part.job.group;
    if (!attendExactly(part.job, row / part.job.group, head)) part.noMemory.store(true);
  }
}

/** Heads that one item takes in each of `parts`: neighbours lie side by side, but some items for every thread. */
int64_t headsPerItem(const Part &part, int64_t heads, int64_t parts) {
  const int64_t threads = part.run.pool ? part.run.pool->threads() : 1;
  return std::clamp<int64_t>(heads * parts / (4 * threads), 1, std::min(heads, mostPackHeads));
}

/** As many of them as fit. */
int64_t headsPerWindow(const Part &part, int64_t keys) {
  const Attend &a = part.job.a;
  const int64_t fitting = windowBytes / std::max<int64_t>(packedFloats(part, keys) * 4, 1);
  return std::clamp<int64_t>(fitting, 1, headsPerItem(part, a.k.heads, a.mask.segments));
}

Outcome attendWindows(Part &part) {
  const AttendJob &job = part.job;
  const Attend &a = job.a;
  int64_t longest = 0;
  double cost = 0;
  for (int64_t s = 0; s < a.mask.segments; s++) {
    const double length = a.mask.cuSeqlens[s + 1] - a.mask.cuSeqlens[s];
    cost += 2 * length * length * double(a.q.heads * (a.q.dim + a.v.dim));
    longest = std::max<int64_t>(longest, int64_t(length));
  }
  const int64_t together = headsPerWindow(part, longest), runs = (a.k.heads + together - 1) / together;
  const bool finished = forEach(part.run, a.mask.segments * runs, cost, [&](int64_t item) {
    const int64_t segment = item / runs, head = item % runs * together;
    const int64_t base = a.mask.cuSeqlens[segment], count = a.mask.cuSeqlens[segment + 1] - base;
    if (count == 0) return;
    const HeadRun run = {head, std::min(together, a.k.heads - head)};
    const int64_t packed = packedFloats(part, count), packing = part.kernel.packScratch(job);
    const int64_t queries = part.kernel.queryFloats(job, windowRows);
    const int64_t floats = run.heads * (packed + queries) + std::max(packing, part.kernel.tileFloats(job));
    Scratch scratch(floats * sizeof(float));
    float *memory = scratch.as<float>();
    if (!memory) return part.noMemory.store(true);
    float *prepared = memory + run.heads * packed, *rest = prepared + run.heads * queries;
    const PackedHeads heads = {packedAt(part, memory, base, count), packed};
    for (int64_t block = 0; block < blocksOf(count); block++) part.kernel.pack(job, run, block, heads, rest);
    const int64_t end = (base + count) * job.group;
    for (int64_t row = base * job.group; row < end; row += windowRows) {
      const int64_t rows = std::min(windowRows, end - row);
      part.kernel.prepareQueries(job, run, row, rows, prepared);
      for (int64_t h = 0; h < run.heads; h++) {
        const RowTile tile = {head + h, row, rows, prepared + h * part.kernel.queryFloats(job, rows)};
        doTile(part, tile, packedAt(part, memory + h * packed, base, count), rest);
      }
    }
  });
  return part.outcome(finished);
}

Outcome attendPacked(Part &part) {
  const AttendJob &job = part.job;
  const Attend &a = job.a;
  int64_t first = a.k.tokens, end = 0;
  double seen = 0;
  for (int64_t i = 0; i < a.q.tokens; i++) {
    const KeyRange range = job.ranges[i];
    if (range.first == range.end) continue;
    first = std::min<int64_t>(first, range.first);
    end = std::max<int64_t>(end, range.end);
    seen += range.end - range.first;
  }
  first = std::min(first, end);
  const int64_t count = end - first, blocks = blocksOf(count), floats = packedFloats(part, count);
  const int64_t together =
      std::clamp<int64_t>(packedBytes / std::max<int64_t>(floats * 4, 1), 1, a.k.heads);
  Scratch memory(std::max<int64_t>(floats * together, 1) * sizeof(float));
  if (!memory.as<float>()) return Outcome::NoMemory;
  const int64_t rows = a.q.tokens * job.group, tiles = (rows + tileRows - 1) / tileRows;
  const double headCost = 2 * seen * double(job.group * (a.q.dim + a.v.dim));
  for (int64_t kvHead = 0; kvHead < a.k.heads; kvHead += together) {
    const int64_t heads = std::min(together, a.k.heads - kvHead);
    const auto packed = [&](int64_t head) { return packedAt(part, memory.as<float>() + head * floats, first, count); };
    const double packCost = 8 * double(heads * count * (a.k.dim + a.v.dim));
    const int64_t atOnce = headsPerItem(part, heads, blocks), runs = (heads + atOnce - 1) / atOnce;
    bool finished = forEach(part.run, runs * blocks, packCost, [&](int64_t item) {
      Scratch scratch(part.kernel.packScratch(job) * sizeof(float));
      if (!scratch.as<float>()) return part.noMemory.store(true);
      const int64_t head = item % runs * atOnce;
      const HeadRun run = {kvHead + head, std::min(atOnce, heads - head)};
      part.kernel.pack(job, run, item / runs, {packed(head), floats}, scratch.as<float>());
    });
    if (!finished || part.noMemory.load()) return part.outcome(finished);
    const int64_t threads = part.run.pool ? part.run.pool->threads() : 1;
    const int64_t queries = part.kernel.queryFloats(job, tileRows);
    finished = forEach(part.run, heads * tiles, headCost * double(heads), [&](int64_t item) {
      Scratch scratch((queries + part.kernel.tileFloats(job)) * sizeof(float));
      float *prepared = scratch.as<float>();
      if (!prepared) return part.noMemory.store(true);
      // Late rows see the most keys: they come first, so that the threads end together.
      const auto rowOf = [&](int64_t i) { return (tiles - 1 - i % tiles) * tileRows; };
      const int64_t head = item / tiles, next = item + threads;
      RowTile tile = {kvHead + head, rowOf(item), std::min(tileRows, rows - rowOf(item)), prepared};
      if (next < heads * tiles) {
        tile.nextHead = kvHead + next / tiles;
        tile.nextRow = rowOf(next);
      }
      part.kernel.prepareQueries(job, {tile.kvHead, 1}, tile.row, tile.rows, prepared);
      doTile(part, tile, packed(head), prepared + queries);
    });
    if (!finished || part.noMemory.load()) return part.outcome(finished);
  }
  return Outcome::Done;
}

/** The length of a chunk depends on the number of keys alone, never on the threads. */
int64_t chunkLength(int64_t keys) {
  const int64_t share = (keys + 63) / 64;
  return std::max<int64_t>(256, (share + decodeBlock - 1) / decodeBlock * decodeBlock);
}

Outcome attendDecode(Part &part) {
  const AttendJob &job = part.job;
  const Attend &a = job.a;
  const int64_t queryFloats = a.q.heads * part.kernel.decodeDim(a.q.dim);
  const int64_t partialFloats = a.q.heads * part.kernel.decodePartial(a.v.dim);
  for (int64_t query = 0; query < a.q.tokens; query++) {
    const KeyRange range = job.ranges[query];
    const int64_t keys = range.end - range.first, length = chunkLength(keys);
    const int64_t chunks = std::max<int64_t>((keys + length - 1) / length, 1);
    Scratch scratch((queryFloats + chunks * partialFloats) * sizeof(float) + a.q.heads);
    float *queries = scratch.as<float>();
    if (!queries) return Outcome::NoMemory;
    float *partials = queries + queryFloats;
    part.kernel.decodeQuery(job, query, queries);
    const double cost = 8 * double(keys * a.q.heads * (a.k.dim + a.v.dim)) / double(std::min<int64_t>(job.group, 4));
    const bool finished = forEach(part.run, chunks, cost, [&](int64_t item) {
      Scratch own(part.kernel.decodeFloats(job) * sizeof(float));
      if (!own.as<float>()) return part.noMemory.store(true);
      const int64_t first = range.first + item * length;
      const DecodeChunk chunk = {first, std::min<int64_t>(first + length, range.end), queries,
                                 partials + item * partialFloats};
      part.kernel.decode(job, query, chunk, own.as<float>());
    });
    if (!finished || part.noMemory.load()) return part.outcome(finished);
    uint8_t *exact = reinterpret_cast<uint8_t *>(partials + chunks * partialFloats);
    part.kernel.join(job, query, partials, chunks, exact);
    for (int64_t head = 0; head < a.q.heads; head++) {
      if (exact[head] && !attendExactly(job, query, head)) part.noMemory.store(true);
    }
    if (part.noMemory.load()) return Outcome::NoMemory;
  }
  return Outcome::Done;
}

bool shortWindows(const Attend &a) {
  if (a.mask.cuSeqlens == nullptr) return false;
  for (int64_t s = 0; s < a.mask.segments; s++) {
    if (a.mask.cuSeqlens[s + 1] - a.mask.cuSeqlens[s] > longestWindow) return false;
  }
  return true;
}

}  // namespace

Outcome attend(const Attend &a, const Run &run) {
  if (a.q.tokens == 0 || a.q.heads == 0) return Outcome::Done;
  Scratch ranges(a.q.tokens * sizeof(KeyRange));
  if (!ranges.as<KeyRange>()) return Outcome::NoMemory;
  visibleKeys(a, ranges.as<KeyRange>());
  const AttendJob job = {a, a.q.heads / a.k.heads, ranges.as<KeyRange>()};
  Part part{kernels(), job, run};
  if (a.q.tokens <= mostDecodeQueries) return attendDecode(part);
  return shortWindows(a) ? attendWindows(part) : attendPacked(part);
}

}  // namespace mrope::cpu
