#pragma once

#include <memory>
#include <vector>

#include "../apple/metal.h"
#include "../gpu/plan.h"
#include "call.h"
#include "work.h"

// Operations on a device of Metal. Handles of devices, buffers and caches are objects; each holds what it needs, so that
// they may be given up in any order and while work is on its way.

namespace mrope::binding {

using DeviceRef = std::shared_ptr<apple::MetalDevice>;

/** Part of a buffer, as a handle holds it; no buffer once it was given up. */
struct Window {
  DeviceRef device;
  gpu::BufferRef buffer;
  size_t offset = 0, bytes = 0;
};

/** The device behind argument i, or an error. */
DeviceRef deviceOf(Call &call, std::size_t i);
/** The window behind argument i, or an error. */
Window *windowOf(Call &call, std::size_t i, const char *what);
/** Whether argument i is a handle of device memory. */
bool isWindow(const Call &call, std::size_t i);

/** Device memory among the arguments of a call, found again by its address. */
class GpuArguments final : public DeviceArguments {
 public:
  explicit GpuArguments(DeviceRef device) : device_(std::move(device)) {}
  bool memory(Call &call, std::size_t i, const char *what, DType type, void *&data, int64_t &length) override;
  const Window *find(const void *data) const;

 private:
  DeviceRef device_;
  std::vector<Window> windows_;
};

/** Work of a device: planned, submitted and waited for on a thread of libuv. */
class GpuJob : public Job {
 public:
  explicit GpuJob(DeviceRef device) : device(device), arguments(device) {}

  cpu::Outcome run(const cpu::Run &) final;
  Status failure() const final { return failure_; }

  DeviceRef device;
  GpuArguments arguments;
  /** Of the caller: the plan goes there and is not waited for. */
  uint64_t commandBuffer = 0;
  /** gpuReportAt: nothing is run. */
  double *report = nullptr;

 protected:
  /** Whether the device had the work: where that failed, what it wrote is unknown. */
  bool submitted() const { return submitted_; }
  /** Stages the operands on `on` and plans; nothing is written before it has succeeded. */
  virtual Status plan(gpu::Device &on, const cpu::Run &run, gpu::Plan &plan) = 0;
  /** After the work, while the operands are in device memory; looks at what the device doubts. */
  virtual Status finish(const cpu::Run &run) {
    (void)run;
    return {};
  }

  /** A host tensor or a window as the planners want it. With `written`, the result goes back to the host's memory. */
  Status stage(gpu::Device &on, const Tensor &tensor, bool written, gpu::View &out);

 private:
  struct Staged {
    gpu::BufferRef buffer;
    void *host;
    size_t bytes;
    bool written;
  };

  Status work(const cpu::Run &run, bool &aborted);
  Status estimate(const cpu::Run &run);

  std::vector<Staged> staged_;
  Status failure_;
  bool submitted_ = false;
};

/** Submits and waits; `submitted` says whether the device took the work. */
Status runAndWait(gpu::Device &device, std::vector<gpu::Dispatch> dispatches, bool &submitted);

/** Reads the optional handle of a command buffer (BigInt) and the optional report. */
void readEnd(Call &call, std::size_t commandBuffer, std::size_t report, GpuJob &job);

/** An operation: a job for the device or cache that argument 0 is a handle of, its arguments read, and run. */
template <class Work, auto owner, void (*read)(Call &, Work &)>
napi_value now(Call &call) {
  Work job(owner(call, 0));
  read(call, job);
  return runNow(call, job);
}
template <class Work, auto owner, void (*read)(Call &, Work &)>
napi_value later(Call &call, std::size_t abortAt) {
  auto job = std::make_unique<Work>(owner(call, 0));
  read(call, *job);
  return runLater(call, std::move(job), abortAt);
}

/** Tells the engine how much memory its handles hold. */
void adjustMemory(napi_env env, int64_t change);

}  // namespace mrope::binding
