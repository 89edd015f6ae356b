#pragma once

#import <Metal/Metal.h>

#include <future>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#import "archive.h"
#import "library.h"
#import "metal.h"

namespace mrope::apple {

class MetalPipeline final : public gpu::Pipeline {
 public:
  explicit MetalPipeline(id<MTLComputePipelineState> state)
      : state_(state),
        maxThreads_(uint32_t(state.maxTotalThreadsPerThreadgroup)),
        threadgroupBytes_(uint32_t(state.staticThreadgroupMemoryLength)) {}

  uint32_t maxThreads() const override { return maxThreads_; }
  uint32_t threadgroupBytes() const override { return threadgroupBytes_; }
  id<MTLComputePipelineState> state() const { return state_; }

 private:
  id<MTLComputePipelineState> state_;
  uint32_t maxThreads_, threadgroupBytes_;
};

/** The pipelines of a device. Each is built once, by the first thread that asks; the others wait for it. */
class Pipelines {
 public:
  explicit Pipelines(id<MTLDevice> device) : device_(device), libraries_(device), archive_(device) {}

  Status get(const gpu::PipelineKey &key, gpu::PipelineRef &out);
  std::vector<BuiltPipeline> built() const;

 private:
  struct Built {
    gpu::PipelineRef pipeline;
    Status status;
  };

  Built build(const gpu::PipelineKey &key);
  Status link(const std::string &name, id<MTLFunction> function,
              __strong id<MTLComputePipelineState> &state);

  id<MTLDevice> device_;
  Libraries libraries_;
  Archive archive_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_future<Built>> known_;
  std::vector<BuiltPipeline> built_;
};

}  // namespace mrope::apple
