#pragma once

#include <memory>
#include <vector>

#include "gpu-parts.h"
#include "gpu.h"

namespace mrope::binding {

/** Rotated keys and values of all layers on a device. Its counts change on the thread of its environment only. */
struct GpuCache {
  struct Layer {
    gpu::BufferRef k, v;
    int64_t length = 0;
    /** One piece of work at a time. */
    bool busy = false;
  };

  DeviceRef device;
  DType type = DType::Float32;
  int64_t kvHeads = 0, headDim = 0, valueDim = 0, capacity = 0;
  std::vector<Layer> layers;
  std::shared_ptr<KeptAngles> angles = std::make_shared<KeptAngles>();
  /** A drop failed on the device: which rows have moved is unknown. */
  bool torn = false;

  gpu::CacheView view(std::size_t layer) const {
    return {layers[layer].k, layers[layer].v, 0, 0, type, kvHeads, headDim, valueDim, capacity};
  }
  int64_t bytes() const {
    return int64_t(layers.size()) * capacity * kvHeads * (headDim + valueDim) * bytesOf(type);
  }
};
using GpuCacheRef = std::shared_ptr<GpuCache>;

/** The cache behind argument i; an error where it is none, was disposed, or lost its rows. */
GpuCacheRef gpuCacheOf(Call &call, std::size_t i);

/** A layer of it. */
std::size_t layerOf(Call &call, const GpuCacheRef &cache, double layer);
/** A layer of it that nothing works on. */
std::size_t idleLayer(Call &call, const GpuCacheRef &cache, double layer);

Status layerBusy(std::size_t layer);

}  // namespace mrope::binding
