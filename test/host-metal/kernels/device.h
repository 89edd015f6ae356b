#pragma once

#include <map>
#include <mutex>

#include "../../../native/gpu/device.h"
#include "../executor/executor.h"

// The Device of the kernel tests: compiles with compile.mjs, runs on the executor, counts what runs.

namespace mrope::test {

/** What an allocation holds is unwritten: the strict lane reports kernels that read it before somebody writes. */
class HostDevice : public gpu::Device {
 public:
  /** @param lane of compile.mjs: plain, strict or fast-math */
  explicit HostDevice(std::string lane);

  const gpu::Limits &limits() const override { return limits_; }
  Status allocate(size_t bytes, gpu::BufferRef &out) override;
  Status wrap(void *pointer, size_t bytes, gpu::BufferRef &out) override;
  Status pipeline(const gpu::PipelineKey &, gpu::PipelineRef &out) override;
  /** Runs at once, `done` is called before it returns. A mistake that the executor finds is an error with its messages. */
  Status submit(std::vector<gpu::Dispatch> dispatches, gpu::Completion done) override;

  /** Submits and gives the error, of either kind. */
  Status run(std::vector<gpu::Dispatch> dispatches);

  struct Launch {
    std::string kernel;
    metal_host::Stats stats;
  };
  /** Since the last forget(). */
  const std::vector<Launch> &launches() const { return launches_; }
  /** Summed over them. */
  metal_host::Stats total() const;
  void forget() { launches_.clear(); }

  /** For the launches that follow. */
  metal_host::LaunchOptions options;
  /** The device that the plans see. */
  gpu::Limits limits_;

 private:
  Status compile(const gpu::PipelineKey &, std::shared_ptr<metal_host::Library> &out);
  Status launch(const gpu::Dispatch &);

  std::string lane_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<metal_host::Library>> libraries_;
  std::vector<std::pair<gpu::PipelineKey, gpu::PipelineRef>> pipelines_;
  std::vector<Launch> launches_;
};

}  // namespace mrope::test
