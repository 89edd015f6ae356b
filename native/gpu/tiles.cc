#include "tiles.h"

#include <algorithm>
#include <utility>

namespace mrope::gpu {
namespace {

/** Fits every device and every head dim of up to 256. */
constexpr TileShape smallest = {8, 8, 1, false, true};

struct TileRule {
  Family first, last;
  int mostDim;
  /** Matrix operands are half; otherwise float, which takes twice the registers. */
  bool half;
  TileShape shape;
};

/**
 * The first rule that matches wins.
 *
 * M1 and M2 (Apple7, Apple8) have 8 KB of L1: blocks are staged, and 64 rows halve what comes from L2. From M3 on
 * (Apple9) registers, threadgroup memory and L1 are one pool: fragments straight from L1 need no barrier. Registers
 * bound the rest: at dim 128 eight rows of output take 32 of them, and kept queries 16 (half) or 32.
 */
constexpr TileRule rules[] = {
    {Family::Unknown, Family::Apple8, 96, true, {64, 32, 4, true, true}},
    {Family::Unknown, Family::Apple8, 128, true, {64, 16, 8, true, true}},
    {Family::Unknown, Family::Apple8, 192, true, {32, 16, 4, false, true}},
    {Family::Unknown, Family::Apple8, 256, true, {32, 8, 4, false, true}},
    {Family::Unknown, Family::Apple8, 96, false, {32, 32, 4, true, true}},
    {Family::Unknown, Family::Apple8, 128, false, {32, 16, 4, true, true}},
    {Family::Unknown, Family::Apple8, 192, false, {32, 16, 4, false, false}},
    {Family::Unknown, Family::Apple8, 256, false, {16, 16, 2, false, false}},
    {Family::Apple9, Family::Apple10, 96, true, {64, 32, 8, true, true}},
    {Family::Apple9, Family::Apple10, 128, true, {32, 16, 4, true, false}},
    {Family::Apple9, Family::Apple10, 256, true, {32, 16, 4, false, false}},
    {Family::Apple9, Family::Apple10, 128, false, {32, 16, 4, true, false}},
    {Family::Apple9, Family::Apple10, 192, false, {32, 16, 4, false, false}},
    {Family::Apple9, Family::Apple10, 256, false, {16, 16, 2, false, false}},
    // Raw keys are staged: what a rule above that reads them straight leaves over.
    {Family::Unknown, Family::Apple10, 128, true, {64, 16, 8, true, true}},
    {Family::Unknown, Family::Apple10, 128, false, {32, 16, 4, true, true}},
    {Family::Unknown, Family::Apple10, 192, true, {32, 16, 4, false, true}},
    {Family::Unknown, Family::Apple10, 256, true, {32, 8, 4, false, true}},
    {Family::Unknown, Family::Apple10, 256, false, {16, 8, 2, false, true}},
};

int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

bool halfOperands(const TileNeeds &needs) { return needs.q == DType::Float16 && needs.k == DType::Float16; }

/** A shape with half the rows while those that are left still hold the longest segment. */
TileShape shortened(TileShape shape, int64_t rows) {
  while (shape.simdgroups > 1 && shape.rows / 2 >= rows) {
    shape.rows /= 2;
    shape.simdgroups /= 2;
  }
  return shape;
}

}  // namespace

size_t tileBytes(const TileShape &shape, const TileNeeds &needs) {
  const size_t operand = halfOperands(needs) ? 2 : 4;
  const size_t queries = shape.rows * (needs.headDim * operand + 16);
  const size_t keys = shape.staged ? shape.keys * (needs.headDim * bytesOf(needs.k) + 16) : 0;
  const size_t values = shape.staged ? shape.keys * (needs.valueDim * bytesOf(needs.v) + 16) : 0;
  const size_t norms = std::max(shape.rows, shape.keys) * sizeof(float);
  return (shape.keep ? std::max(queries, keys + values) : queries + keys + values) + norms;
}

std::vector<TileShape> tileShapes(const Limits &limits, const TileNeeds &needs) {
  std::vector<TileShape> shapes;
  const auto add = [&](const TileShape &shape) {
    const bool fits = tileBytes(shape, needs) <= limits.threadgroupBytes && (shape.staged || !needs.rawKeys);
    if (fits && std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
  };
  for (const TileRule &rule : rules) {
    if (limits.family < rule.first || limits.family > rule.last || rule.half != halfOperands(needs)) continue;
    if (std::max(needs.headDim, needs.valueDim) <= rule.mostDim) add(shortened(rule.shape, needs.rows));
  }
  add(smallest);
  return shapes;
}

std::vector<Segment> segmentsOf(const Mask &mask, int64_t queries, int64_t keys, int64_t queryOffset) {
  std::vector<Segment> segments;
  const auto add = [&](int64_t keyFirst, int64_t keyEnd, int64_t tokenEnd) {
    const int64_t first = segments.empty() ? 0 : segments.back().queryFirst + segments.back().queries;
    const int64_t end = std::min(tokenEnd - queryOffset, queries);
    if (end > first) segments.push_back({first, end - first, keyFirst, std::max<int64_t>(keyEnd - keyFirst, 0)});
  };
  const int64_t padding = std::min(mask.padding, keys);
  if (padding > 0) add(0, 0, padding);
  for (int64_t i = 0; mask.cuSeqlens && i < mask.segments; i++) {
    add(std::max<int64_t>(mask.cuSeqlens[i], padding), mask.cuSeqlens[i + 1], mask.cuSeqlens[i + 1]);
  }
  if (!mask.cuSeqlens) add(padding, keys, queryOffset + queries);
  return segments;
}

WindowSides windowSides(const Mask &mask, int64_t keys) {
  if (mask.window <= 0 || mask.window >= keys) return WindowNone;
  return mask.causal ? WindowPast : WindowBoth;
}

SeenKeys seenKeys(const AttentionTile &tile, const TileShape &shape, const Mask &mask, WindowSides sides,
                  int64_t group) {
  const int64_t first = tile.row / group + tile.diagonal;
  const int64_t last = (std::min<int64_t>(tile.row + shape.rows, tile.qCount * group) - 1) / group + tile.diagonal;
  SeenKeys seen = {0, tile.kCount};
  if (mask.causal) seen.end = std::min(seen.end, last + 1);
  if (sides == WindowBoth) seen.end = std::min(seen.end, last + mask.window);
  if (sides != WindowNone) seen.begin = std::max<int64_t>(0, first - mask.window + 1) / shape.keys * shape.keys;
  return seen;
}

std::vector<AttentionTile> tilesOf(const std::vector<Segment> &segments, const TileShape &shape, const Mask &mask,
                                   WindowSides sides, int64_t queryOffset, int64_t group, int64_t splits) {
  std::vector<AttentionTile> tiles;
  for (const Segment &segment : segments) {
    const int64_t part = roundUp((segment.keys + splits - 1) / splits, shape.keys);
    const int64_t diagonal = queryOffset + segment.queryFirst - segment.keyFirst;
    for (int64_t row = 0; row < segment.queries * group; row += shape.rows) {
      for (int64_t split = 0; split < splits; split++) {
        const int64_t from = std::min(split * part, segment.keys), count = std::min(part, segment.keys - from);
        tiles.push_back({int32_t(segment.queryFirst), int32_t(segment.queries), int32_t(segment.keyFirst + from),
                         int32_t(count), int32_t(diagonal - from), int32_t(row), int32_t(split)});
      }
    }
  }
  std::vector<std::pair<int64_t, size_t>> order;
  for (const AttentionTile &tile : tiles) {
    const SeenKeys seen = seenKeys(tile, shape, mask, sides, group);
    order.push_back({-std::max<int64_t>(seen.end - seen.begin, 0), order.size()});
  }
  std::sort(order.begin(), order.end());
  std::vector<AttentionTile> sorted;
  for (const auto &[work, at] : order) sorted.push_back(tiles[at]);
  return sorted;
}

}  // namespace mrope::gpu
