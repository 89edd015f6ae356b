#include "decode.h"

#include <algorithm>
#include <cmath>

#include "rotate.h"

namespace mrope::gpu {
namespace {

constexpr int64_t mostDim = 256;
/** Keys that a simdgroup takes at a time: MROPE_KEYS. */
constexpr int64_t keysAtOnce = 16;
/** Fewer keys are not worth a threadgroup of their own. */
constexpr int64_t leastKeysPerSplit = 256;
/** Threadgroups that keep a core busy. */
constexpr int64_t groupsPerCore = 2;
constexpr int64_t usualCores = 8;

/** The macros of metal/decode.metal that shape the work. */
struct Shape {
  int rowBlocks, simdgroups;
  bool keep;
  uint32_t gridZ;
};

/** Two row blocks of 8 heads at most: more would not leave registers for the sums. */
Shape shapeOf(const DecodeRequest &r, int64_t group) {
  const int rowBlocks = group > 8 ? 2 : 1;
  // Sums of all simdgroups pass through threadgroup memory: 8 rows of floats each.
  const int simdgroups = r.cache.valueDim > 192 ? 2 : 4;
  return {rowBlocks, simdgroups, r.cache.headDim <= 128 && rowBlocks == 1,
          uint32_t((group + 8 * rowBlocks - 1) / (8 * rowBlocks))};
}

struct Splits {
  int64_t count, keysEach;
};

Splits splitsOf(const Limits &limits, int64_t keys, int64_t kvHeads, int64_t step) {
  const int64_t busy = groupsPerCore * (limits.cores ? limits.cores : usualCores);
  const int64_t most = std::max<int64_t>(1, std::min((busy + kvHeads - 1) / kvHeads, keys / leastKeysPerSplit));
  const int64_t each = ((keys + most - 1) / most + step - 1) / step * step;
  return {std::max<int64_t>(1, (keys + each - 1) / std::max<int64_t>(1, each)), each};
}

Status shape(const std::string &text) { return Status::range(code::shape, "decode: " + text); }

Status check(const DecodeRequest &r) {
  const CacheView &cache = r.cache;
  if (!decodes(cache.headDim, cache.valueDim)) {
    return shape("head dims must be multiples of 8 up to 256, got " + std::to_string(cache.headDim) + " and " +
                 std::to_string(cache.valueDim));
  }
  if (Status s = checkView("decode", "q", r.q); !s.ok()) return s;
  if (Status s = checkView("decode", "out", r.out); !s.ok()) return s;
  if (Status s = checkCache("decode", cache); !s.ok()) return s;
  if (r.q.tokens != 1 || r.out.tokens != 1 || r.q.dim != cache.headDim || r.out.dim != cache.valueDim ||
      r.out.heads != r.q.heads) {
    return shape("q and out do not have the shape of one token of the cache");
  }
  if (cache.kvHeads < 1 || r.q.heads % cache.kvHeads != 0) {
    return Status::range(code::heads, "decode: " + std::to_string(r.q.heads) +
                                          " query heads do not divide into groups for " +
                                          std::to_string(cache.kvHeads) + " KV heads");
  }
  const int64_t tableHeads = r.rotary.params.heads;
  if (tableHeads != 1 && tableHeads != cache.kvHeads) {
    return Status::range(code::heads, "decode: the angles have " + std::to_string(tableHeads) + " heads, the cache " +
                                          std::to_string(cache.kvHeads));
  }
  if (2 * int64_t(r.rotary.params.pairs) > cache.headDim ||
      (r.rotary.kind != AnglesNone && r.rotary.params.column >= r.rotary.params.tokens)) {
    return shape("the angles do not fit the token");
  }
  if (r.slot < 0 || r.slot >= cache.capacity || r.keys.first < 0 || r.keys.end > r.slot + 1) {
    return Status::range(code::capacity, "decode: row " + std::to_string(r.slot) + " and keys " +
                                             std::to_string(r.keys.first) + " … " + std::to_string(r.keys.end) +
                                             " are not those of a cache of " + std::to_string(cache.capacity));
  }
  if (cache.kOffset % 16 != 0 || cache.vOffset % 16 != 0) return shape("the cache has to start at 16 bytes");
  if (!r.doubt || r.doubt->bytes() < size_t(r.q.heads)) return shape("doubt has to hold a byte for every head");
  return {};
}

Status checkAppend(const DecodeRequest &r) {
  if (Status s = checkView("decode", "k", r.k); !s.ok()) return s;
  if (Status s = checkView("decode", "v", r.v); !s.ok()) return s;
  const CacheView &cache = r.cache;
  if (r.k.tokens == 1 && r.v.tokens == 1 && r.k.heads == cache.kvHeads && r.v.heads == cache.kvHeads &&
      r.k.dim == cache.headDim && r.v.dim == cache.valueDim) {
    return {};
  }
  return shape("the new key and value do not have the shape of the cache");
}

PipelineKey keyOf(const DecodeRequest &r, const Shape &shape, int width, bool appends, bool split) {
  const CacheView &cache = r.cache;
  const bool half = r.q.type == DType::Float16 && cache.type == DType::Float16;
  PipelineKey key{"decode.metal", "decode", {}, {}};
  key.macros = {{"MROPE_X", mslType(r.q.type)},
                {"MROPE_K", mslType(appends ? r.k.type : cache.type)},
                {"MROPE_V", mslType(appends ? r.v.type : cache.type)},
                {"MROPE_T", mslType(cache.type)},
                {"MROPE_OUT", mslType(r.out.type)},
                {"MROPE_M", half ? "half" : "float"},
                {"MROPE_HEAD_DIM", std::to_string(cache.headDim)},
                {"MROPE_VALUE_DIM", std::to_string(cache.valueDim)},
                {"MROPE_ROW_BLOCKS", std::to_string(shape.rowBlocks)},
                {"MROPE_KEYS", std::to_string(keysAtOnce)},
                {"MROPE_SIMDGROUPS", std::to_string(shape.simdgroups)},
                {"MROPE_KEEP", shape.keep ? "1" : "0"},
                {"MROPE_WIDTH", std::to_string(width)}};
  r.rotary.specialise(key);
  const Constant constants[] = {Constant::integer(ConstantNorm, r.qNorm.place),
                                Constant::integer(ConstantKNorm, r.kNorm.place),
                                Constant::boolean(ConstantAppend, appends),
                                Constant::boolean(ConstantSplit, split),
                                Constant::integer(ConstantBias, int32_t(r.bias.kind)),
                                Constant::integer(ConstantBiasType, int32_t(r.bias.type))};
  key.constants.insert(key.constants.end(), std::begin(constants), std::end(constants));
  return key;
}

/** Half the simdgroups where the device has too few registers for all of them. */
Status compile(Device &device, const DecodeRequest &r, Shape &shape, int width, bool appends, bool split,
               PipelineKey &key, PipelineRef &out) {
  for (;; shape.simdgroups /= 2) {
    key = keyOf(r, shape, width, appends, split);
    if (Status s = device.pipeline(key, out); !s.ok()) return s;
    if (out->maxThreads() >= uint32_t(32 * shape.simdgroups)) return {};
    if (shape.simdgroups == 1) return Status::range(code::device, "decode: the device has no room for the kernel");
  }
}

/** Entries of the bias from head to head. */
int64_t biasStride(const BiasView &bias, int64_t keys) {
  if (bias.heads == 1) return 0;
  switch (bias.kind) {
    case BiasKind::Tensor:
    case BiasKind::Difference:
      return keys;
    case BiasKind::Distance:
      return bias.span;
    case BiasKind::Grid:
      return (2 * bias.rows - 1) * (2 * bias.columns - 1);
    case BiasKind::Slope:
      return 1;
    case BiasKind::None:
      break;
  }
  return 0;
}

DecodeParams paramsOf(const DecodeRequest &r, const Splits &splits) {
  const int64_t keys = r.slot + 1;
  const BiasView &bias = r.bias;
  return {.rotary = r.rotary.params,
          .group = uint32_t(r.q.heads / r.cache.kvHeads),
          .qHead = uint32_t(r.q.headStride),
          .outHead = uint32_t(r.out.headStride),
          .kHead = uint32_t(r.k.headStride),
          .vHead = uint32_t(r.v.headStride),
          .slot = uint32_t(r.slot),
          .capacity = uint32_t(r.cache.capacity),
          .first = uint32_t(r.keys.first),
          .end = uint32_t(r.keys.end),
          .splits = uint32_t(splits.count),
          .keysPerSplit = uint32_t(splits.keysEach),
          .query = int32_t(r.slot),
          .biasHead = uint32_t(biasStride(bias, keys)),
          .biasSpan = uint32_t(bias.kind == BiasKind::Tensor ? keys : bias.span),
          .biasOrigin = int32_t(bias.origin),
          .biasRows = uint32_t(bias.rows),
          .biasColumns = uint32_t(bias.columns),
          .scale = float(r.scale * M_LOG2E),
          .qEps = float(r.qNorm.eps),
          .kEps = float(r.kNorm.eps)};
}

}  // namespace

bool decodes(int64_t headDim, int64_t valueDim) {
  const auto fits = [](int64_t dim) { return dim > 0 && dim <= mostDim && dim % 8 == 0; };
  return fits(headDim) && fits(valueDim);
}

Status planDecode(Device &device, const DecodeRequest &r, Plan &plan) {
  if (Status s = check(r); !s.ok()) return s;
  bool appends = r.k.buffer != nullptr;
  if (appends) {
    if (Status s = checkAppend(r); !s.ok()) return s;
  }
  if (r.q.heads == 0) return {};
  const int64_t group = r.q.heads / r.cache.kvHeads;
  Shape shape = shapeOf(r, group);
  if (appends && shape.gridZ > 1) {
    // Threadgroups of other row blocks read the new row too: it has to be there before.
    const AppendRequest append{r.k, r.v, r.cache, r.slot, r.rotary, r.kNorm};
    if (Status s = planRotateAppend(device, append, plan); !s.ok()) return s;
    appends = false;
  }
  const int64_t keys = std::max<int64_t>(0, r.keys.end - r.keys.first);
  const Splits splits = splitsOf(device.limits(), keys, r.cache.kvHeads * shape.gridZ, keysAtOnce * shape.simdgroups);
  const bool split = splits.count > 1;
  const View keyRows = r.cache.keys(0, 1), valueRows = r.cache.values(0, 1);
  const int width = appends ? widthOf(r.rotary, {&r.q, &r.out, &r.k, &r.v, &keyRows, &valueRows})
                            : widthOf(r.rotary, {&r.q, &r.out, &keyRows, &valueRows});
  const DecodeParams params = paramsOf(r, splits);
  BufferRef partial = r.q.buffer;
  if (split) {
    const size_t bytes = r.q.heads * splits.count * (r.cache.valueDim + 2) * sizeof(float);
    if (Status s = device.allocate(bytes, partial); !s.ok()) return s;
    plan.scratchBytes += bytes;
  }

  const BufferRef &unused = r.cache.k;
  Dispatch decode;
  PipelineKey key;
  if (Status s = compile(device, r, shape, width, appends, split, key, decode.pipeline); !s.ok()) return s;
  decode.threadgroups = {uint32_t(splits.count), uint32_t(r.cache.kvHeads), shape.gridZ};
  decode.threads = 32 * shape.simdgroups;
  decode.bind(DecodeQ, r.q.buffer, r.q.offset)
      .bind(DecodeK, appends ? r.k.buffer : unused, appends ? r.k.offset : 0)
      .bind(DecodeV, appends ? r.v.buffer : unused, appends ? r.v.offset : 0)
      .bind(DecodeCacheK, r.cache.k, r.cache.kOffset)
      .bind(DecodeCacheV, r.cache.v, r.cache.vOffset)
      .bind(DecodeOut, r.out.buffer, r.out.offset)
      .bind(DecodePartial, partial)
      .bind(DecodeQWeight, r.qNorm.weight ? r.qNorm.weight : unused, r.qNorm.weight ? r.qNorm.offset : 0)
      .bind(DecodeKWeight, r.kNorm.weight ? r.kNorm.weight : unused, r.kNorm.weight ? r.kNorm.offset : 0)
      .bind(DecodeBias, r.bias.values ? r.bias.values : unused, r.bias.values ? r.bias.offset : 0)
      .bind(DecodeDoubt, r.doubt)
      .bytes(DecodeParameters, params);
  r.rotary.bind(decode, unused);
  plan.dispatches.push_back(std::move(decode));
  if (!split) return {};

  key.kernel = "decode_reduce";
  Dispatch reduce;
  if (Status s = device.pipeline(key, reduce.pipeline); !s.ok()) return s;
  reduce.threadgroups = {uint32_t(r.q.heads), 1, 1};
  reduce.threads = uint32_t((r.cache.valueDim + 31) / 32 * 32);
  reduce.bind(DecodePartial, partial)
      .bind(DecodeOut, r.out.buffer, r.out.offset)
      .bind(DecodeDoubt, r.doubt)
      .bytes(DecodeParameters, params);
  plan.dispatches.push_back(std::move(reduce));
  return {};
}

}  // namespace mrope::gpu
