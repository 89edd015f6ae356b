#pragma once

#include <vector>

#include "../../metal/params.h"
#include "../core/params.h"
#include "device.h"

// How an attention is cut: the shape of a tile, as data for each family of GPUs, and the list of the tiles of a mask.

namespace mrope::gpu {

/** The macros of metal/attention.metal. */
struct TileShape {
  int rows = 8, keys = 8, simdgroups = 1;
  /** Queries move to registers. */
  bool keep = false;
  /** Blocks of keys and values pass through threadgroup memory. */
  bool staged = false;

  int threads() const { return 32 * simdgroups; }
  bool operator==(const TileShape &) const = default;
};

/** What makes a difference to the size of a tile. */
struct TileNeeds {
  int64_t headDim = 0, valueDim = 0;
  DType q = DType::Float32, k = DType::Float32, v = DType::Float32;
  bool rawKeys = false;
  /** Rows of the longest segment: shorter tiles where there are few. */
  int64_t rows = 0;
};

/** Bytes of threadgroup memory; metal/attention.metal declares the same. */
size_t tileBytes(const TileShape &, const TileNeeds &);

/** Shapes that fit the device's threadgroup memory, best first; the last one is small enough for every device. */
std::vector<TileShape> tileShapes(const Limits &, const TileNeeds &);

/** Queries that see the same run of keys but for the causal edge and the window. */
struct Segment {
  int64_t queryFirst = 0, queries = 0;
  int64_t keyFirst = 0, keys = 0;
};

/** The segments of a checked mask by rising query. Queries that see nothing have a segment without keys. */
std::vector<Segment> segmentsOf(const Mask &, int64_t queries, int64_t keys, int64_t queryOffset);

/** Which sides of a window cut something off, for a sequence of that many keys. */
WindowSides windowSides(const Mask &, int64_t keys);

/** Keys from `begin` to `end`, counted in the segment, that some row of a tile sees. */
struct SeenKeys {
  int64_t begin = 0, end = 0;
};
SeenKeys seenKeys(const AttentionTile &, const TileShape &, const Mask &, WindowSides, int64_t group);

/**
 * The tiles of the segments, longest first, each `splits` times with a part of the keys. Parts are whole blocks; those
 * that are left empty are in the list too, because every row needs all its parts.
 */
std::vector<AttentionTile> tilesOf(const std::vector<Segment> &, const TileShape &, const Mask &, WindowSides,
                                   int64_t queryOffset, int64_t group, int64_t splits);

}  // namespace mrope::gpu
