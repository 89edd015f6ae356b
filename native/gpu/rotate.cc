#include "rotate.h"

#include <algorithm>

namespace mrope::gpu {
namespace {

/** (cos, sin) pairs that a threadgroup holds: MROPE_ANGLES. The wide form is for head dims above 1024. */
constexpr int64_t usualAngles = 512, mostAngles = 4096;
constexpr int64_t mostTokensPerGroup = 8;
constexpr uint32_t mostSimdgroups = 8;

/** How the rows are dealt out to threadgroups. */
struct Deal {
  int64_t angles, tokensPerGroup;
  uint32_t groups, threads;
};

/** A few tokens a threadgroup share what it reads of the frequencies, but every core should have something to do. */
Deal dealRows(const Limits &limits, int64_t tokens, int64_t rowsPerToken, int64_t pairs) {
  const int64_t angles = pairs <= usualAngles ? usualAngles : mostAngles;
  const int64_t busy = 4 * (limits.cores ? limits.cores : 8);
  const int64_t most = std::min(mostTokensPerGroup, angles / std::max<int64_t>(1, pairs));
  const int64_t per = std::clamp<int64_t>(tokens / busy, 1, most);
  const auto simdgroups = uint32_t(std::clamp<int64_t>(per * rowsPerToken, 1, mostSimdgroups));
  return {angles, per, uint32_t((tokens + per - 1) / per), 32 * simdgroups};
}

Status checkHeads(const char *caller, int64_t heads, const Rotary &rotary) {
  if (heads % rotary.params.heads == 0) return {};
  return Status::range(code::heads, std::string(caller) + ": " + std::to_string(heads) +
                                        " heads do not divide by the " + std::to_string(rotary.params.heads) +
                                        " heads of the angles");
}

Status checkRows(const char *caller, const Rotary &rotary, int64_t tokens, int64_t dim) {
  const RotaryParams &p = rotary.params;
  if (2 * int64_t(p.pairs) > dim || p.pairs > mostAngles) {
    return Status::range(code::shape, std::string(caller) + ": the angles rotate " + std::to_string(2 * p.pairs) +
                                          " channels, the rows have " + std::to_string(dim));
  }
  if (rotary.kind != AnglesNone && int64_t(p.column) + tokens > p.tokens) {
    return Status::range(code::shape, std::string(caller) + ": " + std::to_string(tokens) + " tokens from column " +
                                          std::to_string(p.column) + " on, the angles have " +
                                          std::to_string(p.tokens));
  }
  return {};
}

bool even(const View &view) {
  return view.dim % 2 == 0 && view.tokenStride % 2 == 0 && view.headStride % 2 == 0 &&
         view.offset % (2 * bytesOf(view.type)) == 0;
}

PipelineKey keyOf(const char *kernel, int width, int64_t angles, const Rotary &rotary, NormPlace norm, bool inverse) {
  PipelineKey key{"rotate.metal", kernel, {}, {}};
  key.macros = {{"MROPE_WIDTH", std::to_string(width)}, {"MROPE_ANGLES", std::to_string(angles)}};
  rotary.specialise(key);
  key.constants.push_back(Constant::integer(ConstantNorm, norm));
  key.constants.push_back(Constant::boolean(ConstantInverse, inverse));
  return key;
}

/** A dispatch of rows: its pipeline and grid. */
Status open(Device &device, const PipelineKey &key, const Deal &deal, const Rotary &rotary, Dispatch &out) {
  if (Status s = device.pipeline(key, out.pipeline); !s.ok()) return s;
  out.threadgroups = {deal.groups, rotary.params.heads, 1};
  out.threads = std::min(deal.threads, out.pipeline->maxThreads() / 32 * 32);
  return {};
}

void bindWeight(Dispatch &dispatch, uint32_t index, const RowNorm &norm, const BufferRef &unused) {
  dispatch.bind(index, norm.weight ? norm.weight : unused, norm.weight ? norm.offset : 0);
}

/** A table for the angles that a kernel makes of `tokens` tokens; `made` itself where it makes none. */
Status tableFor(Device &device, const Rotary &made, int64_t tokens, Plan &plan, Rotary &table) {
  table = made;
  if (made.kind != AnglesTurns && made.kind != AnglesDirections) return {};
  table = Rotary{};
  table.kind = AnglesTable;
  table.adjacent = made.adjacent;
  table.params = {.pairs = made.params.pairs,
                  .tokens = uint32_t(tokens),
                  .axes = 0,
                  .heads = made.params.heads,
                  .column = 0,
                  .factor = 1};
  const size_t bytes = size_t(made.params.heads) * tokens * made.params.pairs * sizeof(float);
  if (Status s = device.allocate(bytes, table.cos); !s.ok()) return s;
  if (Status s = device.allocate(bytes, table.sin); !s.ok()) return s;
  plan.scratchBytes += 2 * bytes;
  return {};
}

}  // namespace

int widthOf(const Rotary &rotary, std::initializer_list<const View *> views) {
  const bool all = std::all_of(views.begin(), views.end(), [](const View *view) { return even(*view); });
  return all && rotary.params.pairs % 2 == 0 ? 2 : 1;
}

Status planRotate(Device &device, const RotateRequest &r, Plan &plan) {
  if (Status s = checkView("rotate", "x", r.x); !s.ok()) return s;
  if (Status s = checkView("rotate", "out", r.out); !s.ok()) return s;
  if (r.x.tokens == 0 || r.x.heads == 0 || r.x.dim == 0) return {};
  if (Status s = checkRows("rotate", r.rotary, r.oneColumn ? 1 : r.x.tokens, r.x.dim); !s.ok()) return s;
  if (Status s = checkHeads("rotate", r.x.heads, r.rotary); !s.ok()) return s;
  const Deal deal = dealRows(device.limits(), r.x.tokens, r.x.heads / r.rotary.params.heads, r.rotary.params.pairs);
  PipelineKey key = keyOf("rotate_rows", widthOf(r.rotary, {&r.x, &r.out}), deal.angles, r.rotary, r.norm.place, r.inverse);
  key.macros.emplace_back("MROPE_X", mslType(r.x.type));
  key.macros.emplace_back("MROPE_OUT", mslType(r.out.type));
  const RotateParams params{.rotary = r.rotary.params,
                            .tokens = uint32_t(r.x.tokens),
                            .heads = uint32_t(r.x.heads),
                            .dim = uint32_t(r.x.dim),
                            .xToken = uint32_t(r.x.tokenStride),
                            .xHead = uint32_t(r.x.headStride),
                            .outToken = uint32_t(r.out.tokenStride),
                            .outHead = uint32_t(r.out.headStride),
                            .tokensPerGroup = uint32_t(deal.tokensPerGroup),
                            .columnStep = r.oneColumn ? 0u : 1u,
                            .eps = float(r.norm.eps)};
  Dispatch dispatch;
  if (Status s = open(device, key, deal, r.rotary, dispatch); !s.ok()) return s;
  dispatch.bind(RotateX, r.x.buffer, r.x.offset).bind(RotateOut, r.out.buffer, r.out.offset);
  bindWeight(dispatch, RotateWeight, r.norm, r.x.buffer);
  dispatch.bytes(RotateParameters, params);
  r.rotary.bind(dispatch, r.x.buffer);
  plan.dispatches.push_back(std::move(dispatch));
  return {};
}

Status planRotateAppend(Device &device, const AppendRequest &r, Plan &plan, Rotary *kept) {
  const CacheView &cache = r.cache;
  if (Status s = checkView("append", "k", r.k); !s.ok()) return s;
  if (Status s = checkView("append", "v", r.v); !s.ok()) return s;
  if (Status s = checkCache("append", cache); !s.ok()) return s;
  if (r.k.tokens == 0 || r.k.heads == 0) return {};
  if (Status s = checkRows("append", r.rotary, r.k.tokens, r.k.dim); !s.ok()) return s;
  if (Status s = checkHeads("append", r.k.heads, r.rotary); !s.ok()) return s;
  if (r.k.heads != cache.kvHeads || r.v.heads != cache.kvHeads || r.k.dim != cache.headDim ||
      r.v.dim != cache.valueDim || r.v.tokens != r.k.tokens) {
    return Status::range(code::shape, "append: the keys and values do not have the shape of the cache");
  }
  if (r.slot < 0 || r.slot + r.k.tokens > cache.capacity) {
    return Status::range(code::capacity, "append: " + std::to_string(r.k.tokens) + " tokens after " +
                                             std::to_string(r.slot) + " do not fit the cache of " +
                                             std::to_string(cache.capacity));
  }
  const View keys = cache.keys(r.slot, r.k.tokens), values = cache.values(r.slot, r.k.tokens);
  const Deal deal = dealRows(device.limits(), r.k.tokens, r.k.heads / r.rotary.params.heads, r.rotary.params.pairs);
  PipelineKey key = keyOf("rotate_append", widthOf(r.rotary, {&r.k, &r.v, &keys, &values}), deal.angles, r.rotary,
                          r.norm.place, false);
  key.macros.emplace_back("MROPE_K", mslType(r.k.type));
  key.macros.emplace_back("MROPE_V", mslType(r.v.type));
  key.macros.emplace_back("MROPE_T", mslType(cache.type));
  Rotary table;
  if (kept) {
    if (Status s = tableFor(device, r.rotary, r.k.tokens, plan, table); !s.ok()) return s;
    *kept = table;
  }
  const bool keeps = table.kind == AnglesTable && r.rotary.kind != AnglesTable;
  key.constants.push_back(Constant::boolean(ConstantKeepAngles, keeps));
  const RotateAppendParams params{.rotary = r.rotary.params,
                                  .tokens = uint32_t(r.k.tokens),
                                  .kvHeads = uint32_t(r.k.heads),
                                  .headDim = uint32_t(r.k.dim),
                                  .valueDim = uint32_t(r.v.dim),
                                  .kToken = uint32_t(r.k.tokenStride),
                                  .kHead = uint32_t(r.k.headStride),
                                  .vToken = uint32_t(r.v.tokenStride),
                                  .vHead = uint32_t(r.v.headStride),
                                  .slot = uint32_t(r.slot),
                                  .capacity = uint32_t(cache.capacity),
                                  .tokensPerGroup = uint32_t(deal.tokensPerGroup),
                                  .eps = float(r.norm.eps)};
  Dispatch dispatch;
  if (Status s = open(device, key, deal, r.rotary, dispatch); !s.ok()) return s;
  dispatch.bind(AppendK, r.k.buffer, r.k.offset).bind(AppendV, r.v.buffer, r.v.offset);
  dispatch.bind(AppendCacheK, cache.k, cache.kOffset).bind(AppendCacheV, cache.v, cache.vOffset);
  bindWeight(dispatch, AppendWeight, r.norm, r.k.buffer);
  dispatch.bind(AppendCos, keeps ? table.cos : cache.k).bind(AppendSin, keeps ? table.sin : cache.k);
  dispatch.bytes(AppendParameters, params);
  r.rotary.bind(dispatch, r.k.buffer);
  plan.dispatches.push_back(std::move(dispatch));
  return {};
}

}  // namespace mrope::gpu
