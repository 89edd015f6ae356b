#pragma once

#include <cstdint>

#include "../core/params.h"
#include "../core/visible.h"

// What an instruction set offers to the plain code that plans and spreads the work.

namespace mrope::cpu {

/** Keys of a block: the unit of packing, of the running softmax and of the check for NaN and infinity in v. */
constexpr int64_t keyBlock = 256;
/** Query rows that share a pass over packed keys. A row is one query of one head: query · group + head in the group. */
constexpr int64_t tileRows = 72;
/** Those of a window: prepared for many heads at a time, they share the second cache with the keys of all of them. */
constexpr int64_t windowRows = 24;
/** Keys of a decode chunk at a time. */
constexpr int64_t decodeBlock = 64;

/** A checked request with what all its kernels need. */
struct AttendJob {
  Attend a;
  int64_t group = 1;
  /** (queries) */
  const KeyRange *ranges = nullptr;
};

/** The keys and values of one KV head from key `base` on, packed by packKeys and packValues. */
struct PackedKeys {
  float *keys = nullptr;
  float *values = nullptr;
  /** One per block of keys: whether all its values are finite. */
  uint8_t *finite = nullptr;
  int64_t base = 0;
  int64_t count = 0;
};

/** Neighbouring KV heads that are packed together. */
struct HeadRun {
  int64_t kvHead = 0;
  /** 1 … mostPackHeads. */
  int64_t heads = 1;
};
constexpr int64_t mostPackHeads = 16;

/** The packed keys of a run of heads over the same tokens, each `stride` floats behind the one before. */
struct PackedHeads {
  PackedKeys first;
  int64_t stride = 0;
};

struct RowTile {
  int64_t kvHead = 0;
  int64_t row = 0;
  int64_t rows = 0;
  /** What prepareQueries wrote for this head. */
  const float *queries = nullptr;
  /** Rows that come next, to be fetched meanwhile; −1 where none do. */
  int64_t nextHead = -1;
  int64_t nextRow = 0;
};

/** A part of the keys for one query, all heads. */
struct DecodeChunk {
  int64_t first = 0;
  int64_t end = 0;
  /** (heads, padded headDim): rotated, scaled. */
  const float *queries = nullptr;
  /** (heads, decodePartial). */
  float *partial = nullptr;
};

struct Kernels {
  const char *name;
  int lanes;
  /** Columns of a register tile: packed keys and packed channels come in panels of it. */
  int64_t panel;
  bool (*supported)();

  void (*rotate)(const Rotate &, int64_t token, int64_t count, bool stream);
  void (*angles)(const Angles &, int64_t head, int64_t token, int64_t count, float *cos, float *sin);

  int64_t (*packedKeyFloats)(const AttendJob &, int64_t keys);
  int64_t (*packedValueFloats)(const AttendJob &, int64_t keys);
  /** Packs one block of keys and values: keys base + block·keyBlock …. `scratch` has packScratch floats. */
  void (*pack)(const AttendJob &, const HeadRun &, int64_t block, const PackedHeads &, float *scratch);
  int64_t (*packScratch)(const AttendJob &);

  /** Norms, rotates and scales up to tileRows rows of queries of some KV heads, queryFloats(rows) apart. */
  void (*prepareQueries)(const AttendJob &, const HeadRun &, int64_t row, int64_t rows, float *to);
  int64_t (*queryFloats)(const AttendJob &, int64_t rows);

  int64_t (*tileFloats)(const AttendJob &);
  /** Writes the rows of a tile to out. Sets exact[r] for rows that float32 cannot do. */
  void (*tile)(const AttendJob &, const RowTile &, const PackedKeys &, float *scratch, uint8_t *exact);

  int64_t (*decodeDim)(int64_t dim);
  int64_t (*decodeFloats)(const AttendJob &);
  /** Floats of the partial result of one head. */
  int64_t (*decodePartial)(int64_t valueDim);
  void (*decodeQuery)(const AttendJob &, int64_t query, float *queries);
  void (*decode)(const AttendJob &, int64_t query, const DecodeChunk &, float *scratch);
  /** Joins the chunks of a query in their order and writes its row of out; exact[h] as above. */
  void (*join)(const AttendJob &, int64_t query, float *partials, int64_t chunks, uint8_t *exact);

  /** Runs multiply-adds in registers `turns` times; returns the number of floating point operations. */
  double (*peak)(int64_t turns);
};

/** The best instruction set of this machine, or the one that MROPE_ISA names. */
const Kernels &kernels();
/** By name, or null where it is not in this build or this machine does not have it. */
const Kernels *kernelsNamed(const char *name);
/** Chooses the instruction set of all later work; false where it is not available. */
bool useKernels(const char *name);
/** Instruction sets of this build that this machine has, best first, separated by commas. */
const char *kernelNames();

/** One row in float64 by the plain algorithm, with the defined results for NaN and infinity; false without memory. */
bool attendExactly(const AttendJob &, int64_t query, int64_t head);

}  // namespace mrope::cpu
