#include "gpu-cache.h"

#include <cstring>

#include "../core/check.h"
#include "gpu-layout.h"
#include "gpu-operations.h"

namespace mrope::binding {
namespace {

constexpr napi_type_tag cacheTag = {0x6d726f70652d6770, 0x752d63616368652d};

/** More is a mistake. */
constexpr int64_t mostLayers = 65536;

struct Held {
  GpuCacheRef cache;
  int64_t told = 0;
};

Held *heldBy(Call &call, std::size_t i) {
  bool is = false;
  void *data = nullptr;
  if (!call.ok()) return nullptr;
  if (call.isObject(i) && napi_check_object_type_tag(call.env, call.arg(i), &cacheTag, &is) == napi_ok && is &&
      napi_unwrap(call.env, call.arg(i), &data) == napi_ok) {
    return static_cast<Held *>(data);
  }
  call.fail(Status::type(code::argument, call.text("cache", "must be a handle of gpuCacheCreate")));
  return nullptr;
}

Status fill(GpuCache &cache, int64_t layers) {
  const size_t row = size_t(cache.capacity * cache.kvHeads * bytesOf(cache.type));
  for (int64_t i = 0; i < layers; i++) {
    GpuCache::Layer layer;
    if (Status s = cache.device->allocate(row * size_t(cache.headDim), layer.k); !s.ok()) return s;
    if (Status s = cache.device->allocate(row * size_t(cache.valueDim), layer.v); !s.ok()) return s;
    cache.layers.push_back(std::move(layer));
  }
  return {};
}

/** Rows of one layer, copied out token by token: the cache is [kvHeads][capacity][dim]. */
class ReadWork : public Job {
 public:
  GpuCacheRef cache;
  std::size_t layer = 0;
  int64_t start = 0;
  Tensor k, v;

  Status begin() override {
    cache->layers[layer].busy = true;
    return {};
  }
  cpu::Outcome run(const cpu::Run &) override {
    copy(*cache->layers[layer].k, k);
    copy(*cache->layers[layer].v, v);
    return cpu::Outcome::Done;
  }
  void end(bool) override { cache->layers[layer].busy = false; }

 private:
  void copy(const gpu::Buffer &from, const Tensor &to) const {
    const size_t row = size_t(to.dim * bytesOf(to.type));
    for (int64_t token = 0; token < to.tokens; token++) {
      for (int64_t head = 0; head < to.heads; head++) {
        const size_t at = size_t(head * cache->capacity + start + token) * row;
        std::memcpy(to.at(token, head), static_cast<const char *>(from.host()) + at, row);
      }
    }
  }
};

}  // namespace

Status layerBusy(std::size_t layer) {
  return Status::range(code::state, "cache: layer " + std::to_string(layer) + " has a call under way");
}

GpuCacheRef gpuCacheOf(Call &call, std::size_t i) {
  const Held *held = heldBy(call, i);
  if (!held) return nullptr;
  if (!held->cache) {
    call.fail(Status::range(code::state, call.text("cache", "was disposed")));
  } else if (held->cache->torn) {
    call.fail(Status::range(code::state, "cache: a drop failed on the device, which left its rows undefined"));
  }
  return call.ok() ? held->cache : nullptr;
}

std::size_t layerOf(Call &call, const GpuCacheRef &cache, double layer) {
  if (!call.ok()) return 0;
  if (layer >= 0 && layer < double(cache->layers.size()) && layer == std::floor(layer)) return std::size_t(layer);
  call.fail(Status::range(code::argument, call.text("layer", "must be from 0 to ") +
                                              std::to_string(cache->layers.size() - 1)));
  return 0;
}

std::size_t idleLayer(Call &call, const GpuCacheRef &cache, double layer) {
  const std::size_t at = layerOf(call, cache, layer);
  if (call.ok() && cache->layers[at].busy) call.fail(layerBusy(at));
  return at;
}

napi_value gpuCacheCreate(Call &call) {
  namespace place = gpuCacheAt;
  auto held = std::make_unique<Held>();
  const auto cache = held->cache = std::make_shared<GpuCache>();
  cache->device = deviceOf(call, 0);
  if (const double *params = call.params(1, place::count); call.ok()) {
    const int64_t layers = call.whole(params, place::layers);
    cache->type = call.dtype(params, place::type);
    cache->kvHeads = call.whole(params, place::kvHeads);
    cache->headDim = call.whole(params, place::headDim);
    cache->valueDim = call.whole(params, place::valueDim);
    cache->capacity = call.whole(params, place::capacity);
    if (call.ok() && (layers < 1 || layers > mostLayers || cache->kvHeads < 1 || cache->headDim < 1 ||
                      cache->valueDim < 1 || cache->capacity < 1)) {
      call.fail(Status::range(code::argument, call.text("params", "must be positive")));
    }
    for (const int64_t dim : {cache->headDim, cache->valueDim}) {
      if (call.ok()) {
        call.fail(checkDims(call.name(), "the cache", {nullptr, cache->type, cache->capacity, cache->kvHeads, dim}));
      }
    }
    if (call.ok()) call.fail(fill(*cache, layers));
  }
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  napi_value handle = nullptr;
  if (napi_create_object(call.env, &handle) != napi_ok) return nullptr;
  const auto drop = [](napi_env env, void *data, void *) {
    const std::unique_ptr<Held> held(static_cast<Held *>(data));
    adjustMemory(env, -held->told);
  };
  if (napi_wrap(call.env, handle, held.get(), drop, nullptr, nullptr) != napi_ok) return nullptr;
  held->told = cache->bytes();
  adjustMemory(call.env, held->told);
  (void)held.release();
  napi_type_tag_object(call.env, handle, &cacheTag);
  return handle;
}

napi_value gpuCacheLength(Call &call) {
  const GpuCacheRef cache = gpuCacheOf(call, 0);
  double layer = -1;
  napi_get_value_double(call.env, call.arg(1), &layer);
  const bool is = cache && layer >= 0 && layer < double(cache->layers.size()) && layer == std::floor(layer);
  napi_value length = nullptr;
  if (is) {
    napi_create_double(call.env, double(cache->layers[std::size_t(layer)].length), &length);
  } else {
    call.fail(Status::range(code::argument, call.text("layer", "is none of the cache")));
    throwStatus(call.env, call.status());
  }
  return length;
}

napi_value gpuCacheTruncate(Call &call) {
  const GpuCacheRef cache = gpuCacheOf(call, 0);
  double layer = -1, length = -1;
  napi_get_value_double(call.env, call.arg(1), &layer);
  napi_get_value_double(call.env, call.arg(2), &length);
  const std::size_t at = idleLayer(call, cache, layer);
  if (call.ok() && !(length >= 0 && length <= double(cache->layers[at].length) && length == std::floor(length))) {
    call.fail(Status::range(code::shape, "cache: layer " + std::to_string(at) + " has " +
                                             std::to_string(cache->layers[at].length) + " tokens to cut"));
  }
  if (call.ok()) {
    cache->layers[at].length = int64_t(length);
  } else {
    throwStatus(call.env, call.status());
  }
  return nullptr;
}

napi_value gpuCacheRead(Call &call) {
  namespace place = gpuReadAt;
  auto work = std::make_unique<ReadWork>();
  work->cache = gpuCacheOf(call, 0);
  const double *params = call.params(1, place::count);
  if (call.ok()) {
    const GpuCache &cache = *work->cache;
    work->layer = idleLayer(call, work->cache, params[place::layer]);
    const int64_t start = call.whole(params, place::start), end = call.whole(params, place::end);
    const int64_t length = call.ok() ? cache.layers[work->layer].length : 0;
    if (call.ok() && (start < 0 || end < start || end > length)) {
      call.fail(Status::range(code::shape, "cache: tokens " + std::to_string(start) + " … " + std::to_string(end) +
                                               " of " + std::to_string(length) + " are not there"));
    }
    work->start = start;
    work->k = call.tensor(2, "k", cache.type, end - start, cache.kvHeads, cache.headDim);
    work->v = call.tensor(3, "v", cache.type, end - start, cache.kvHeads, cache.valueDim);
  }
  return runLater(call, std::move(work), 4);
}

napi_value gpuCacheDispose(Call &call) {
  Held *held = heldBy(call, 0);
  const GpuCacheRef cache = held ? held->cache : nullptr;
  for (std::size_t i = 0; cache && i < cache->layers.size(); i++) {
    if (cache->layers[i].busy) call.fail(layerBusy(i));
  }
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  adjustMemory(call.env, -held->told);
  *held = {};
  return nullptr;
}

}  // namespace mrope::binding
