#include "../core/visible.h"
#include "../gpu/decode.h"
#include "../gpu/rerotate.h"
#include "gpu-cache.h"
#include "gpu-layout.h"
#include "gpu-operations.h"
#include "gpu-parts.h"

namespace mrope::binding {
namespace {

/** New tokens of a layer: rotated, appended and attended. They count once all of it is done, or encoded. */
class StepJob : public GpuJob {
 public:
  explicit StepJob(GpuCacheRef cache) : GpuJob(cache ? cache->device : nullptr), cache(std::move(cache)) {}

  GpuCacheRef cache;
  std::size_t layer = 0;
  /** Tokens that the layer holds before; with a report, as many as the caller asks about. */
  int64_t start = 0;
  Tensor k, v;
  AttendJobData data;
  RotationSource rotation;

  // An estimate claims nothing: it may be asked for while the layer is at work.
  Status begin() override {
    if (!report) state().busy = true;
    return {};
  }
  void end(bool done) override {
    if (report) return;
    state().busy = false;
    if (done) state().length += data.a.q.tokens;
  }

 protected:
  Status plan(gpu::Device &on, const cpu::Run &run, gpu::Plan &plan) override {
    const Attend &a = data.a;
    gpu::View q, newK, newV, out;
    if (Status s = stage(on, a.q, false, q); !s.ok()) return s;
    if (Status s = stage(on, k, false, newK); !s.ok()) return s;
    if (Status s = stage(on, v, false, newV); !s.ok()) return s;
    if (Status s = stage(on, a.out, true, out); !s.ok()) return s;
    const gpu::CacheView rows = cache->view(layer);
    const bool decodes = a.q.tokens == 1 && gpu::decodes(rows.headDim, rows.valueDim);
    // The append makes the angles of a chunk once. A decode has a threadgroup for each KV head and split, which all want
    // those of one token: they are made once, here.
    const gpu::AngleUse use = decodes ? gpu::AngleUse::Again : gpu::AngleUse::Once;
    gpu::Rotary rotary;
    if (Status s = rotaryOf(on, rotation, use, run, rotary); !s.ok()) return s;
    gpu::RowNorm qNorm, kNorm;
    if (Status s = normOf(on, a.qNorm, a.q.dim, qNorm); !s.ok()) return s;
    if (Status s = normOf(on, a.kNorm, a.q.dim, kNorm); !s.ok()) return s;
    gpu::BiasView bias;
    if (Status s = biasOf(on, arguments, a.bias, bias); !s.ok()) return s;

    gpu::AttendRequest &request = request_;
    request.q = q;
    request.k = rows.keys(0, a.k.tokens);
    request.v = rows.values(0, a.k.tokens);
    request.out = out;
    request.rotary = rotary;
    request.rotateQ = a.rotateQ;
    request.queryOffset = a.queryOffset;
    request.mask = a.mask;
    request.bias = bias;
    request.scale = a.scale;
    request.scales = a.scales;
    request.qNorm = qNorm;
    if (decodes) {
      gpu::DecodeRequest decode;
      decode.q = q;
      decode.out = out;
      decode.k = newK;
      decode.v = newV;
      decode.cache = rows;
      decode.slot = start;
      visibleKeys(a, &decode.keys);
      decode.rotary = rotary;
      decode.qNorm = qNorm;
      decode.kNorm = kNorm;
      decode.bias = bias;
      decode.scale = a.scales ? a.scales[0] : a.scale;
      if (Status s = on.allocate(size_t(a.q.heads) + 16, decode.doubt); !s.ok()) return s;
      doubt_ = decode.doubt;
      return planDecode(on, decode, plan);
    }
    if (Status s = planRotateAppend(on, {newK, newV, rows, start, rotary, kNorm}, plan, &request.rotary); !s.ok()) {
      return s;
    }
    gpu::AttendPlan steps;
    if (Status s = planAttend(on, request, steps); !s.ok()) return s;
    doubt_ = steps.doubt;
    plan.scratchBytes += steps.scratchBytes;
    for (gpu::Dispatch &dispatch : steps.dispatches) plan.dispatches.push_back(std::move(dispatch));
    return {};
  }

  Status finish(const cpu::Run &run) override { return redo(request_, doubt_, run); }

 private:
  GpuCache::Layer &state() const { return cache->layers[layer]; }

  gpu::AttendRequest request_;
  gpu::BufferRef doubt_;
};

/**
 * (cache, layer, params, q, k, v, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, angles, ids, invFreq, axisOf,
 * directions, commandBuffer, report, abort); params are attendAt, without rotateK.
 */
namespace stepAt {
enum : std::size_t { layer = 1, params, q, k, v, angles = 14, commandBuffer = 19, report = 20, abort = 21 };
}

void readStep(Call &call, StepJob &job) {
  double layer = -1;
  napi_get_value_double(call.env, call.arg(stepAt::layer), &layer);
  readEnd(call, stepAt::commandBuffer, stepAt::report, job);
  job.layer = job.report ? layerOf(call, job.cache, layer) : idleLayer(call, job.cache, layer);
  const double *params = call.params(stepAt::params, attendAt::count);
  if (!call.ok()) return;
  const GpuCache &cache = *job.cache;
  const GpuCache::Layer &state = cache.layers[job.layer];
  const int64_t tokens = call.whole(params, attendAt::queries);
  const int64_t start = job.start = job.report ? call.whole(params, attendAt::queryOffset) : state.length;
  if (call.ok() && (start < 0 || tokens < 0 || tokens > cache.capacity - start)) {
    call.fail(Status::range(code::capacity, "cache: layer " + std::to_string(job.layer) + " holds " +
                                                std::to_string(start) + " of " +
                                                std::to_string(cache.capacity) + " tokens, " +
                                                std::to_string(tokens) + " more do not fit"));
  }
  call.device = &job.arguments;
  expectAngles(call, stepAt::angles);
  job.k = call.tensor(stepAt::k, "k", call.dtype(params, attendAt::kType), tokens, cache.kvHeads, cache.headDim);
  job.v = call.tensor(stepAt::v, "v", call.dtype(params, attendAt::vType), tokens, cache.kvHeads, cache.valueDim);
  if (!call.ok()) return;
  const int64_t keys = start + tokens;
  const Tensor allK = {state.k->host(), cache.type, keys, cache.kvHeads, cache.headDim};
  const Tensor allV = {state.v->host(), cache.type, keys, cache.kvHeads, cache.valueDim};
  readAttend(call, stepAt::params, true, allK, allV, job.data, 2);
  const Attend &a = job.data.a;
  if (call.ok() && (a.rotateK || a.queryOffset != start || a.mask.cuSeqlens || !a.mask.causal)) {
    call.fail(Status::range(code::argument, call.text("params", "must attend causally from the end of the cache")));
  }
  if (a.rotateQ) readRotation(call, stepAt::angles, a.table, job.rotation);
  if (!job.report) job.rotation.kept = cache.angles;
}

/** Tokens taken out of every layer; the keys behind them move up and turn. */
class DropJob : public GpuJob {
 public:
  explicit DropJob(GpuCacheRef cache) : GpuJob(cache ? cache->device : nullptr), cache(std::move(cache)) {}

  GpuCacheRef cache;
  int64_t start = 0, tokens = 0;
  RotationSource turn;

  Status begin() override {
    for (GpuCache::Layer &layer : cache->layers) layer.busy = true;
    return {};
  }
  void end(bool done) override {
    for (GpuCache::Layer &layer : cache->layers) {
      layer.busy = false;
      if (done) layer.length -= tokens;
    }
    cache->torn |= !done && submitted();
  }

 protected:
  Status plan(gpu::Device &on, const cpu::Run &run, gpu::Plan &plan) override {
    gpu::RerotateRequest request;
    request.equal = turn.byAngles && allEqual();
    if (request.equal) turn.angles.tokens = 1;
    if (Status s = rotaryOf(on, turn, gpu::AngleUse::Once, run, request.differences); !s.ok()) return s;
    for (std::size_t layer = 0; layer < cache->layers.size(); layer++) {
      request.cache = cache->view(layer);
      request.first = start + tokens;
      request.tokens = cache->layers[layer].length - request.first;
      request.to = start;
      if (request.tokens == 0) continue;
      if (Status s = planRerotate(on, request, plan); !s.ok()) return s;
    }
    return {};
  }

 private:
  /** Whether all tokens turn alike. Then the first of each axis stands for all; they are put side by side. */
  bool allEqual() {
    const Angles &a = turn.angles;
    if (a.tokens == 0) return false;
    for (int64_t i = 0; i < a.axes * a.tokens; i++) {
      if (a.ids[i] != a.ids[i / a.tokens * a.tokens]) return false;
    }
    for (int64_t axis = 0; axis < a.axes; axis++) firsts_.push_back(a.ids[axis * a.tokens]);
    turn.angles.ids = firsts_.data();
    return true;
  }

  std::vector<double> firsts_;
};

/** (cache, params, cos, sin, angles, ids, invFreq, axisOf, directions, abort) */
void readDrop(Call &call, DropJob &job) {
  namespace place = gpuDropAt;
  constexpr std::size_t anglesAt = 4;
  const double *params = call.params(1, place::count);
  if (!call.ok()) return;
  job.start = call.whole(params, place::start);
  job.tokens = call.whole(params, place::tokens);
  int64_t most = 0;
  for (std::size_t layer = 0; call.ok() && layer < job.cache->layers.size(); layer++) {
    const int64_t length = job.cache->layers[layer].length;
    if (job.cache->layers[layer].busy) call.fail(layerBusy(layer));
    if (job.start < 0 || job.tokens < 0 || job.start > length || job.tokens > length - job.start) {
      call.fail(Status::range(code::shape, "cache: layer " + std::to_string(layer) + " has " + std::to_string(length) +
                                               " tokens, not " + std::to_string(job.start) + " … " +
                                               std::to_string(job.start + job.tokens)));
    }
    most = std::max(most, length - job.start - job.tokens);
  }
  call.device = &job.arguments;
  expectAngles(call, anglesAt);
  if (!call.ok() || (call.missing(2) && !call.device->hasAngles)) return;
  const int64_t heads = call.whole(params, place::tableHeads), pairs = call.whole(params, place::pairs);
  const Table table = readTable(call, 2, heads, call.whole(params, place::tableTokens), pairs,
                                call.whole(params, place::flags) & flag::adjacent);
  if (call.ok() && (table.tokens != most || 2 * pairs > job.cache->headDim || job.cache->kvHeads % heads != 0)) {
    call.fail(Status::range(code::shape, "cache: a turn of [" + std::to_string(heads) + ", " +
                                             std::to_string(table.tokens) + ", " + std::to_string(pairs) +
                                             "] does not fit the " + std::to_string(most) + " tokens that move"));
  }
  readRotation(call, anglesAt, table, job.turn);
}

}  // namespace

napi_value gpuCacheAttend(Call &call) { return later<StepJob, gpuCacheOf, readStep>(call, stepAt::abort); }
napi_value gpuCacheAttendSync(Call &call) { return now<StepJob, gpuCacheOf, readStep>(call); }
napi_value gpuCacheDrop(Call &call) { return later<DropJob, gpuCacheOf, readDrop>(call, 9); }

}  // namespace mrope::binding
