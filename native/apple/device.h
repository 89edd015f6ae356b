#pragma once

#import <Metal/Metal.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#import "buffer.h"
#import "metal.h"
#import "pipeline.h"

namespace mrope::apple {

/** Work on its way. Outlives the device where a completion handler is the last to see it. */
struct Work {
  std::mutex mutex;
  std::condition_variable idle;
  uint64_t running = 0;
  Counters counters;
  std::atomic<bool> lost{false};

  void begin(size_t dispatches) {
    const std::lock_guard lock(mutex);
    running++;
    counters.commandBuffers++;
    counters.dispatches += dispatches;
  }
  void end(double seconds) {
    const std::lock_guard lock(mutex);
    counters.gpuSeconds += seconds;
    if (--running == 0) idle.notify_all();
  }
};

/** One MTLDevice with its queue and all that was compiled for it. */
class OpenDevice final : public MetalDevice {
 public:
  OpenDevice(id<MTLDevice> device, id<MTLCommandQueue> queue);
  /** Waits for the work on its way. */
  ~OpenDevice() override;

  const gpu::Limits &limits() const override { return limits_; }
  Status allocate(size_t bytes, gpu::BufferRef &out) override;
  Status wrap(void *pointer, size_t bytes, gpu::BufferRef &out) override;
  Status pipeline(const gpu::PipelineKey &key, gpu::PipelineRef &out) override;
  Status submit(std::vector<gpu::Dispatch> dispatches, gpu::Completion done) override;

  uint64_t handleOf(const gpu::Buffer &buffer) const override;
  Status adopt(uint64_t handle, gpu::BufferRef &out) override;
  Status encode(uint64_t commandBuffer, std::vector<gpu::Dispatch> dispatches) override;
  bool lost() const override { return work_->lost; }
  std::vector<BuiltPipeline> pipelines() const override { return pipelines_.built(); }
  Counters counters() const override {
    const std::lock_guard lock(work_->mutex);
    return work_->counters;
  }

 private:
  id<MTLDevice> device_;
  id<MTLCommandQueue> queue_;
  gpu::Limits limits_;
  Pipelines pipelines_;
  std::shared_ptr<Work> work_ = std::make_shared<Work>();
};

}  // namespace mrope::apple
