#include "attend-layout.h"

#include <algorithm>

namespace mrope::gpu {
namespace {

/** Threadgroups that keep a core busy, and cores of a device that does not say. */
constexpr int64_t groupsPerCore = 4, fewestCores = 8;
/** Parts of the keys are not shorter than this: each reads the queries and their angles again. */
constexpr int64_t leastPart = 72;
/** Raw keys of a segment of two tiles are turned twice; beyond that a pass of their own is cheaper. */
constexpr int64_t mostRawTiles = 2;

bool changesKeys(const AttendRequest &r) { return (r.rotateK && turns(r)) || r.kNorm.place != NormNone; }
bool wholeEights(const View &view) { return view.dim % 8 == 0; }

/** Rows that start at multiples of 16 bytes. */
bool aligned(const View &view) {
  const int64_t each = 16 / bytesOf(view.type);
  return wholeEights(view) && view.offset % 16 == 0 && view.tokenStride % each == 0 && view.headStride % each == 0;
}

/** Fewer, longer threadgroups where heads can share what they read of a table. */
int64_t headsTogether(const AttendRequest &r, int64_t tiles, int64_t busy) {
  if (r.rotary.kind != AnglesPerId || r.rotary.params.heads != 1) return 1;
  int64_t together = 1;
  while (r.k.heads % (2 * together) == 0 && tiles * r.k.heads / (2 * together) >= busy) together *= 2;
  return together;
}

}  // namespace

AttendLayout layoutOf(const Limits &limits, const AttendRequest &r, const TileShape *shape) {
  AttendLayout layout;
  layout.group = r.q.heads / r.k.heads;
  layout.sides = windowSides(r.mask, r.k.tokens);
  layout.prepareQ = !wholeEights(r.q);
  layout.prepareV = !aligned(r.v);
  layout.prepareOut = !aligned(r.out);
  const std::vector<Segment> segments = segmentsOf(r.mask, r.q.tokens, r.k.tokens, r.queryOffset);
  int64_t rows = 1, longest = 0;
  for (const Segment &segment : segments) {
    rows = std::max(rows, segment.queries * layout.group);
    longest = std::max(longest, segment.keys);
  }
  layout.needs = {roundUp(r.q.dim, 8), roundUp(r.v.dim, 8), r.q.type, r.k.type, r.v.type, false, rows};
  if (changesKeys(r) && aligned(r.k) && !layout.prepareQ && (r.rotateQ || !r.rotateK)) {
    layout.needs.rawKeys = true;
    const int64_t height = tileShapes(limits, layout.needs)[0].rows, tiles = roundUp(rows, height) / height;
    const bool tables = r.rotary.kind == AnglesTable || r.rotary.kind == AnglesPerId || !r.rotateK;
    layout.needs.rawKeys = tiles <= (tables ? mostRawTiles : 1);
  }
  layout.prepareK = !aligned(r.k) || (changesKeys(r) && !layout.needs.rawKeys);
  layout.shape = shape ? *shape : tileShapes(limits, layout.needs)[0];

  const int64_t busy = groupsPerCore * (limits.cores ? int64_t(limits.cores) : fewestCores);
  const auto list = [&] {
    layout.tiles = tilesOf(segments, layout.shape, r.mask, layout.sides, r.queryOffset, layout.group, layout.splits);
  };
  list();
  const int64_t groups = std::max<int64_t>(1, int64_t(layout.tiles.size()) * r.k.heads);
  if (!layout.needs.rawKeys && groups < busy && longest >= 2 * leastPart) {
    layout.splits = std::min((busy + groups - 1) / groups, longest / leastPart);
    if (layout.splits > 1) list();
  }
  if (layout.splits == 1) layout.headsPerGroup = headsTogether(r, int64_t(layout.tiles.size()), busy);
  return layout;
}

size_t partialBytes(const AttendRequest &r, const AttendLayout &layout) {
  return layout.splits > 1 ? r.q.tokens * r.q.heads * layout.splits * (layout.needs.valueDim + 2) * sizeof(float) : 0;
}

size_t preparedBytes(const View &view) { return view.tokens * view.heads * roundUp(view.dim, 8) * bytesOf(view.type); }

AttendCost costOf(const AttendRequest &r, const AttendLayout &layout) {
  AttendCost cost;
  cost.splits = layout.splits;
  cost.threadgroups = int64_t(layout.tiles.size()) * r.k.heads / layout.headsPerGroup;
  cost.dispatches = 1 + layout.prepareQ + layout.prepareK + layout.prepareV + layout.prepareOut + (layout.splits > 1);
  const size_t doubt = r.q.tokens * r.q.heads, scales = r.scales ? r.q.tokens * sizeof(float) : 0;
  cost.scratchBytes = doubt + scales + layout.tiles.size() * sizeof(AttentionTile) + partialBytes(r, layout);
  if (layout.prepareQ) cost.scratchBytes += preparedBytes(r.q);
  if (layout.prepareK) cost.scratchBytes += preparedBytes(r.k);
  if (layout.prepareV) cost.scratchBytes += preparedBytes(r.v);
  if (layout.prepareOut) cost.scratchBytes += preparedBytes(r.out);
  int64_t blocks = 0;
  for (const AttentionTile &tile : layout.tiles) {
    const SeenKeys seen = seenKeys(tile, layout.shape, r.mask, layout.sides, layout.group);
    if (seen.end > seen.begin) blocks += (seen.end - seen.begin + layout.shape.keys - 1) / layout.shape.keys;
  }
  const int64_t products = (layout.needs.headDim + layout.needs.valueDim) / 8;
  cost.matrixProducts = blocks * r.k.heads * (layout.shape.rows / 8) * (layout.shape.keys / 8) * products;
  return cost;
}

AttendCost costOf(const Limits &limits, const AttendRequest &r) { return costOf(r, layoutOf(limits, r, nullptr)); }

}  // namespace mrope::gpu
