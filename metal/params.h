// What the kernels and the planners (native/gpu) agree on: parameter blocks, buffer indices, function constants.
// Compiled as Metal Shading Language and as C++. Every field is 32 bits wide, so that the layout is the same on both
// sides. Strides are in elements.
#ifndef MROPE_PARAMS_H
#define MROPE_PARAMS_H

#ifdef __METAL_VERSION__
typedef uint mrope_uint;
typedef int mrope_int;
#else
#include <cstdint>
typedef uint32_t mrope_uint;
typedef int32_t mrope_int;
#endif

// ------------------------------------------------------------------------------------------- rotary (rotary.h)

// Where cos and sin of pair f, token n come from.
enum AngleKind {
  AnglesNone = 0,        // nothing turns
  AnglesTurns = 1,       // ids [axis][n], one axis a pair: axes [head][f], frequencies turns [f]
  AnglesDirections = 2,  // ids [axis][n], frequencies turns [head][f][axis]
  AnglesTable = 3,       // tables cos, sin [head][n][f]
  AnglesPerId = 4        // tables cos, sin [row][f], the row of a token on an axis is ids [axis][n]; axes [head][f]
};

// Buffers of the angles: the same indices in every kernel.
enum RotaryBuffer {
  RotaryIds = 24,    // int32: ids in fixed point, or rows of the tables
  RotaryFrequencies = 25,  // uint2: (high, low) words of F, turns per unit of an id as a 64-bit fraction
  RotaryAxes = 26,   // uchar; noAxis: the pair does not turn
  RotaryCos = 27,
  RotarySin = 28
};
enum { noAxis = 255 };

// Function constants 0 … 19: rotary, rotate and decode; 20 … 39: attention.
enum RotaryConstant {
  ConstantAngles = 0,    // int, an AngleKind
  ConstantAdjacent = 1,  // bool: pair f is channels (2f, 2f + 1), otherwise (f, f + pairs)
  ConstantNorm = 2,      // int, a NormPlace
  ConstantInverse = 3    // bool: turn back
};

enum NormPlace { NormNone = 0, NormBefore = 1, NormAfter = 2 };  // RMS norm, before or after the rotation

struct RotaryParams {
  mrope_uint pairs;     // that turn; channels 2·pairs and above pass through
  mrope_uint tokens;    // columns of ids, rows a head of the tables
  mrope_uint axes;      // of directions
  mrope_uint heads;     // of axes, directions or tables: 1 or the number of KV heads
  mrope_uint column;    // column or row of token 0 of this dispatch
  float factor;         // multiplies cos and sin; tables carry it already
};

// ------------------------------------------------------------------------------------------- rotate (rotate.metal)

enum RotateBuffer { RotateX = 0, RotateOut = 1, RotateWeight = 2, RotateParameters = 3 };

struct RotateParams {
  RotaryParams rotary;
  mrope_uint tokens, heads, dim;
  mrope_uint xToken, xHead;      // strides
  mrope_uint outToken, outHead;
  mrope_uint tokensPerGroup;     // tokens of a threadgroup
  mrope_uint columnStep;         // 1; 0 where all tokens turn by the angles of one column
  float eps;
};

enum RotateAppendBuffer {
  AppendK = 0,
  AppendV = 1,
  AppendCacheK = 2,
  AppendCacheV = 3,
  AppendWeight = 4,
  AppendParameters = 5,
  AppendCos = 6,  // tables [head][n][f] of the new tokens (ConstantKeepAngles)
  AppendSin = 7
};

enum RotateAppendConstant {
  ConstantKeepAngles = 7  // bool: the angles go to tables too, for the dispatches that follow
};

struct RotateAppendParams {
  RotaryParams rotary;
  mrope_uint tokens, kvHeads, headDim, valueDim;
  mrope_uint kToken, kHead, vToken, vHead;  // strides of the new keys and values
  mrope_uint slot;                          // cache row of token 0
  mrope_uint capacity;                      // rows of a head in the cache
  mrope_uint tokensPerGroup;
  float eps;
};

// ------------------------------------------------------------------------------------------- decode (decode.metal)

enum DecodeBuffer {
  DecodeQ = 0,
  DecodeK = 1,  // the new key and value (ConstantAppend)
  DecodeV = 2,
  DecodeCacheK = 3,
  DecodeCacheV = 4,
  DecodeOut = 5,
  DecodePartial = 6,  // float [head][split][valueDim + 2]: sums, maximum, total weight (ConstantSplit)
  DecodeQWeight = 7,
  DecodeKWeight = 8,
  DecodeBias = 9,
  DecodeDoubt = 10,   // uchar [head]: 1 where the row is not to be trusted (see attention.metal)
  DecodeParameters = 11
};

enum DecodeConstant {
  ConstantAppend = 4,   // bool: rotate and append the new key and value first
  ConstantSplit = 5,    // bool: several threadgroups share the keys; decode_reduce finishes
  ConstantKNorm = 6     // int, a NormPlace, of the new key; ConstantNorm is that of q
};

struct DecodeParams {
  RotaryParams rotary;
  mrope_uint group;                    // query heads of a KV head
  mrope_uint qHead, outHead;           // strides from head to head
  mrope_uint kHead, vHead;             // of the new key and value
  mrope_uint slot;                     // cache row of the new key
  mrope_uint capacity;                 // rows of a head in the cache
  mrope_uint first, end;               // keys that the query sees: first ≤ j < end
  mrope_uint splits, keysPerSplit;     // split s sees keys first + s·keysPerSplit …
  mrope_int query;                     // index of the query in the sequence, for the bias
  mrope_uint biasHead, biasSpan;       // as in AttentionParams
  mrope_int biasOrigin;
  mrope_uint biasRows, biasColumns;
  float scale;                         // of the softmax, log2 e included
  float qEps, kEps;
};

// ------------------------------------------------------------------------------------------- attention (attention.metal)

enum AttentionBuffer {
  AttentionQ = 0,
  AttentionK = 1,        // rows of the cache, or of the projection (ConstantRawKeys)
  AttentionV = 2,
  AttentionOut = 3,
  AttentionQWeight = 4,  // of the norms
  AttentionKWeight = 5,
  AttentionScales = 6,   // float [query], log2 e included
  AttentionBias = 7,
  AttentionTiles = 8,
  AttentionPartial = 9,  // float [query][head][split][valueDim + 2]: sums, maximum, total weight (ConstantSplitKeys)
  AttentionDoubt = 10,   // uchar [query][head]: 1 where the row is not to be trusted (see attention.metal)
  AttentionParameters = 11
};

enum AttentionConstant {
  ConstantGroup = 20,        // int: query heads of a KV head
  ConstantTurnQueries = 21,  // bool: ConstantAngles is for the queries too
  ConstantRawKeys = 22,      // bool: keys are normed and turned while they are staged
  ConstantKeyNorm = 23,      // int, a NormPlace, with ConstantRawKeys; ConstantNorm is that of q
  ConstantCausal = 24,       // bool
  ConstantWindow = 25,       // int, a WindowSides
  ConstantBias = 26,         // int, a BiasKind of native/core/params.h
  ConstantBiasType = 27,     // int, a DType of native/core/params.h
  ConstantScales = 28,       // bool: a scale for each query
  ConstantSplitKeys = 29     // bool: tiles hold parts of the keys; attention_reduce finishes
};

enum WindowSides { WindowNone = 0, WindowPast = 1, WindowBoth = 2 };

// Up to MROPE_ROWS rows of one segment. A row is (query, head of the group): row = query · group + head. Keys and queries
// are counted from the first of the segment, kFirst and qFirst from the start of their buffers.
struct AttentionTile {
  mrope_int qFirst, qCount;
  mrope_int kFirst, kCount;
  mrope_int diagonal;  // key j stands where query i does for j = i + diagonal
  mrope_int row;       // first row of the tile
  mrope_int split;     // number of this part of the keys
};

struct AttentionParams {
  RotaryParams rotary;               // column: that of query 0
  mrope_uint keyColumn;              // that of key 0
  mrope_uint qToken, qHead, outToken, outHead, kToken, kHead, vToken, vHead;  // strides
  mrope_uint heads, kvHeads;
  mrope_uint headsPerGroup;          // KV heads that a threadgroup takes, one after the other
  mrope_uint splits;
  mrope_int window;                  // query i sees keys with i + diagonal - window < j < i + diagonal + window
  mrope_int queryOffset;             // index in the sequence of query 0, for the bias
  mrope_uint biasHead;               // stride of the bias from head to head, 0 where they share it
  mrope_uint biasSpan;               // entries of a row (tensor), or of a head (distance)
  mrope_int biasOrigin;
  mrope_uint biasRows, biasColumns;  // of the window (grid)
  float scale;                       // of the softmax, log2 e included
  float qEps, kEps;
};

// ---------------------------------------------------------------------------------------- lane order (lane_order.metal)

enum LaneBuffer { LaneMatrix = 0, LaneWrong = 1 };

#endif
