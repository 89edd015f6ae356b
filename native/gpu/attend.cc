#include "attend.h"

#include <algorithm>

#include "../core/check.h"
#include "attend-layout.h"

namespace mrope::gpu {
namespace {

constexpr int64_t mostDim = 256;
constexpr int64_t mostKeys = int64_t(1) << 30;
constexpr double log2e = 1.4426950408889634;

/** Device memory of a plan. */
Status scratch(Device &device, size_t bytes, AttendPlan &plan, BufferRef &out) {
  if (Status s = device.allocate(std::max<size_t>(bytes, 16), out); !s.ok()) return s;
  plan.scratchBytes += bytes;
  return {};
}

/** Dense scratch rows for a view, [heads][tokens][dim of whole eights], zero where the view has no channels. */
Status scratchView(Device &device, const View &like, AttendPlan &plan, View &out) {
  const int64_t dim = roundUp(like.dim, 8);
  out = {nullptr, 0, like.type, like.tokens, like.heads, like.dim, dim, like.tokens * dim};
  const size_t bytes = preparedBytes(like);
  if (Status s = scratch(device, bytes, plan, out.buffer); !s.ok()) return s;
  if (dim == like.dim) return {};
  std::memset(out.buffer->host(), 0, bytes);
  out.buffer->modified(0, bytes);
  return {};
}

/** Rows into scratch memory, normed and turned on the way. `view` becomes the scratch rows. */
Status prepare(Device &device, View &view, const Rotary &rotary, const RowNorm &norm, AttendPlan &plan) {
  RotateRequest request;
  request.x = view;
  request.rotary = rotary;
  request.norm = norm;
  if (Status s = scratchView(device, view, plan, request.out); !s.ok()) return s;
  if (Status s = planRotate(device, request, plan); !s.ok()) return s;
  view = request.out;
  view.dim = view.tokenStride;
  return {};
}

PipelineKey keyOf(const char *kernel, const AttendRequest &r, const AttendLayout &layout, int width) {
  PipelineKey key{"attention.metal", kernel, {}, {}};
  const TileShape &shape = layout.shape;
  key.macros = {{"MROPE_Q", mslType(r.q.type)},
                {"MROPE_K", mslType(r.k.type)},
                {"MROPE_V", mslType(r.v.type)},
                {"MROPE_OUT", mslType(r.out.type)},
                {"MROPE_HEAD_DIM", std::to_string(layout.needs.headDim)},
                {"MROPE_VALUE_DIM", std::to_string(layout.needs.valueDim)},
                {"MROPE_ROWS", std::to_string(shape.rows)},
                {"MROPE_KEYS", std::to_string(shape.keys)},
                {"MROPE_SIMDGROUPS", std::to_string(shape.simdgroups)},
                {"MROPE_KEEP", shape.keep ? "1" : "0"},
                {"MROPE_STAGED", shape.staged ? "1" : "0"},
                {"MROPE_WIDTH", std::to_string(width)}};
  r.rotary.specialise(key);
  const auto integer = [&](uint32_t index, int64_t value) {
    key.constants.push_back(Constant::integer(index, int32_t(value)));
  };
  const auto boolean = [&](uint32_t index, bool value) { key.constants.push_back(Constant::boolean(index, value)); };
  integer(ConstantNorm, r.qNorm.place);
  integer(ConstantGroup, layout.group);
  boolean(ConstantTurnQueries, r.rotateQ && turns(r));
  boolean(ConstantRawKeys, layout.needs.rawKeys);
  integer(ConstantKeyNorm, layout.needs.rawKeys ? r.kNorm.place : NormNone);
  boolean(ConstantCausal, r.mask.causal);
  integer(ConstantWindow, layout.sides);
  integer(ConstantBias, static_cast<int>(r.bias.kind));
  integer(ConstantBiasType, static_cast<int>(r.bias.type));
  boolean(ConstantScales, r.scales != nullptr);
  boolean(ConstantSplitKeys, layout.splits > 1);
  return key;
}

AttentionParams paramsOf(const AttendRequest &r, const AttendLayout &layout) {
  AttentionParams p{};
  p.rotary = r.rotary.params;
  p.rotary.column += uint32_t(r.tableOffset);
  p.keyColumn = r.rotary.params.column;
  p.qToken = uint32_t(r.q.tokenStride), p.qHead = uint32_t(r.q.headStride);
  p.outToken = uint32_t(r.out.tokenStride), p.outHead = uint32_t(r.out.headStride);
  p.kToken = uint32_t(r.k.tokenStride), p.kHead = uint32_t(r.k.headStride);
  p.vToken = uint32_t(r.v.tokenStride), p.vHead = uint32_t(r.v.headStride);
  p.heads = uint32_t(r.q.heads), p.kvHeads = uint32_t(r.k.heads);
  p.headsPerGroup = uint32_t(layout.headsPerGroup), p.splits = uint32_t(layout.splits);
  p.window = int32_t(std::min(r.mask.window, r.k.tokens));
  p.queryOffset = int32_t(r.queryOffset);
  const BiasView &bias = r.bias;
  const int64_t rows = bias.rows, columns = bias.columns;
  int64_t head = 1, span = bias.span;
  if (bias.kind == BiasKind::Tensor) head = r.q.tokens * r.k.tokens, span = r.k.tokens;
  if (bias.kind == BiasKind::Distance) head = bias.span;
  if (bias.kind == BiasKind::Grid) head = (2 * rows - 1) * (2 * columns - 1);
  if (bias.kind == BiasKind::Difference) head = r.k.tokens;
  p.biasHead = bias.heads == 1 ? 0 : uint32_t(head);
  p.biasSpan = uint32_t(span), p.biasOrigin = int32_t(bias.origin);
  p.biasRows = uint32_t(rows), p.biasColumns = uint32_t(columns);
  p.scale = float(r.scale * log2e);
  p.qEps = float(r.qNorm.eps), p.kEps = float(r.kNorm.eps);
  return p;
}

/** The pipeline of the first shape that the built kernel has registers for. */
Status pipelineOf(Device &device, const AttendRequest &r, int width, AttendLayout &layout, PipelineRef &out) {
  const std::vector<TileShape> shapes = tileShapes(device.limits(), layout.needs);
  for (size_t i = 0; i < shapes.size(); i++) {
    if (i > 0) layout = layoutOf(device.limits(), r, &shapes[i]);
    if (Status s = device.pipeline(keyOf("attention", r, layout, width), out); !s.ok()) return s;
    if (out->maxThreads() >= uint32_t(layout.shape.threads())) return {};
  }
  return Status::range(code::device, "attend: the device has no room for the smallest tile");
}

}  // namespace

Status checkAttend(const AttendRequest &r) {
  // Addresses that never meet: what shares device memory is told by its buffers.
  const auto at = [](int64_t n) { return reinterpret_cast<void *>(uintptr_t(n) << 44); };
  const auto tensor = [&](const View &view, int64_t n) {
    return Tensor{at(n), view.type, view.tokens, view.heads, view.dim};
  };
  const RotaryParams &angles = r.rotary.params;
  Attend a;
  a.q = tensor(r.q, 1), a.k = tensor(r.k, 2), a.v = tensor(r.v, 3), a.out = tensor(r.out, 4);
  a.table.heads = angles.heads, a.table.pairs = angles.pairs, a.table.adjacent = r.rotary.adjacent;
  a.table.tokens = int64_t(angles.tokens) - angles.column;
  a.table.cos = static_cast<const float *>(at(5)), a.table.sin = static_cast<const float *>(at(6));
  a.rotateQ = r.rotateQ && turns(r), a.rotateK = r.rotateK && turns(r);
  a.tableOffset = r.tableOffset, a.queryOffset = r.queryOffset;
  a.mask = r.mask;
  a.bias = {r.bias.kind, at(7), r.bias.type, 0, r.bias.heads, r.bias.span, r.bias.origin, r.bias.rows, r.bias.columns};
  switch (r.bias.kind) {
    case BiasKind::Slope: a.bias.length = r.bias.heads; break;
    case BiasKind::Tensor: a.bias.length = r.bias.heads * r.q.tokens * r.k.tokens; break;
    case BiasKind::Distance: a.bias.length = r.bias.heads * r.bias.span; break;
    case BiasKind::Difference: a.bias.length = r.bias.heads * r.k.tokens; break;
    case BiasKind::Grid:
      a.bias.length = r.bias.heads * (2 * r.bias.rows - 1) * (2 * r.bias.columns - 1);
      break;
    case BiasKind::None: break;
  }
  a.scale = r.scale, a.scales = r.scales;
  a.qNorm = {static_cast<const float *>(at(8)), r.qNorm.eps, false};
  a.kNorm = {static_cast<const float *>(at(9)), r.kNorm.eps, false};
  if (Status s = check(a); !s.ok()) return s;
  for (const auto &[name, view] : {std::pair{"q", &r.q}, {"v", &r.v}}) {
    if (view->dim <= mostDim) continue;
    return Status::range(code::shape, std::string("attend: the device takes head dims of up to ") +
                                          std::to_string(mostDim) + ", " + name + " has " + std::to_string(view->dim));
  }
  if (r.k.tokens > mostKeys || r.q.tokens * (r.q.heads / r.k.heads) > mostKeys) {
    return Status::range(code::shape, "attend: the device takes up to " + std::to_string(mostKeys) + " keys and rows");
  }
  if (r.bias.kind == BiasKind::Tensor && r.bias.heads > 1 && r.q.tokens * r.k.tokens > int64_t(UINT32_MAX)) {
    return Status::range(code::shape, "attend: a bias of more than 2^32 entries a head is beyond the device");
  }
  for (const auto &[name, view] : {std::pair{"q", &r.q}, {"k", &r.k}, {"v", &r.v}, {"out", &r.out}}) {
    if (Status s = checkView("attend", name, *view); !s.ok()) return s;
  }
  return {};
}

Status planAttend(Device &device, const AttendRequest &request, AttendPlan &plan) {
  if (Status s = checkAttend(request); !s.ok()) return s;
  if (request.q.tokens == 0 || request.q.heads == 0) return {};
  AttendRequest r = request;
  AttendLayout layout = layoutOf(device.limits(), r, nullptr);
  if (layout.prepareQ) {
    const Rotary rotary = r.rotateQ ? r.rotary.from(r.tableOffset) : Rotary{};
    if (Status s = prepare(device, r.q, rotary, r.qNorm, plan); !s.ok()) return s;
    r.rotateQ = false;
    r.qNorm = {};
  }
  if (layout.prepareK) {
    if (Status s = prepare(device, r.k, r.rotateK ? r.rotary : Rotary{}, r.kNorm, plan); !s.ok()) return s;
    r.rotateK = false;
    r.kNorm = {};
  }
  if (layout.prepareV) {
    if (Status s = prepare(device, r.v, Rotary{}, RowNorm{}, plan); !s.ok()) return s;
  }
  if (layout.prepareOut) {
    if (Status s = scratchView(device, request.out, plan, r.out); !s.ok()) return s;
  }

  Dispatch attention;
  const int width = widthOf(r.rotary, layout.needs.rawKeys ? std::initializer_list<const View *>{&r.q, &r.k}
                                                           : std::initializer_list<const View *>{&r.q});
  if (Status s = pipelineOf(device, r, width, layout, attention.pipeline); !s.ok()) return s;
  plan.shape = layout.shape;
  plan.cost = costOf(request, layout);

  BufferRef tiles, partial, scales;
  const size_t tileListBytes = layout.tiles.size() * sizeof(AttentionTile);
  if (Status s = scratch(device, tileListBytes, plan, tiles); !s.ok()) return s;
  std::memcpy(tiles->host(), layout.tiles.data(), tileListBytes);
  tiles->modified(0, tileListBytes);
  if (Status s = scratch(device, r.q.tokens * r.q.heads, plan, plan.doubt); !s.ok()) return s;
  if (r.scales) {
    if (Status s = scratch(device, r.q.tokens * sizeof(float), plan, scales); !s.ok()) return s;
    for (int64_t i = 0; i < r.q.tokens; i++) static_cast<float *>(scales->host())[i] = float(r.scales[i] * log2e);
    scales->modified(0, scales->bytes());
  }
  if (layout.splits > 1) {
    if (Status s = scratch(device, partialBytes(r, layout), plan, partial); !s.ok()) return s;
  }

  const AttentionParams params = paramsOf(r, layout);
  // Kernels take all their buffers; those that they do not look at are the list of tiles.
  const auto bind = [&](Dispatch &dispatch, uint32_t index, const BufferRef &buffer, size_t offset = 0) {
    dispatch.bind(index, buffer ? buffer : tiles, buffer ? offset : 0);
  };
  bind(attention, AttentionQ, r.q.buffer, r.q.offset);
  bind(attention, AttentionK, r.k.buffer, r.k.offset);
  bind(attention, AttentionV, r.v.buffer, r.v.offset);
  bind(attention, AttentionOut, r.out.buffer, r.out.offset);
  bind(attention, AttentionQWeight, r.qNorm.weight, r.qNorm.offset);
  bind(attention, AttentionKWeight, r.kNorm.weight, r.kNorm.offset);
  bind(attention, AttentionScales, scales);
  bind(attention, AttentionBias, r.bias.values, r.bias.offset);
  bind(attention, AttentionTiles, tiles);
  bind(attention, AttentionPartial, partial);
  bind(attention, AttentionDoubt, plan.doubt);
  attention.bytes(AttentionParameters, params);
  r.rotary.bind(attention, tiles);
  attention.threadgroups = {uint32_t(layout.tiles.size()), uint32_t(r.k.heads / layout.headsPerGroup), 1};
  attention.threads = uint32_t(layout.shape.threads());
  plan.dispatches.push_back(std::move(attention));

  if (layout.splits > 1) {
    Dispatch reduce;
    if (Status s = device.pipeline(keyOf("attention_reduce", r, layout, width), reduce.pipeline); !s.ok()) return s;
    bind(reduce, AttentionPartial, partial);
    bind(reduce, AttentionOut, r.out.buffer, r.out.offset);
    bind(reduce, AttentionDoubt, plan.doubt);
    reduce.bytes(AttentionParameters, params);
    reduce.threadgroups = {uint32_t(r.q.tokens * r.q.heads), 1, 1};
    reduce.threads = uint32_t(std::min<int64_t>(roundUp(layout.needs.valueDim, 32), reduce.pipeline->maxThreads()));
    plan.dispatches.push_back(std::move(reduce));
  }
  if (layout.prepareOut) {
    RotateRequest copy;
    copy.x = r.out;
    copy.out = request.out;
    return planRotate(device, copy, plan);
  }
  return {};
}

}  // namespace mrope::gpu
