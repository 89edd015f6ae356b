#include <condition_variable>
#include <cstring>
#include <mutex>

#include "gpu-estimate.h"
#include "gpu-layout.h"
#include "gpu.h"

namespace mrope::binding {
namespace {

bool raised(const cpu::Run &run) { return run.abort && run.abort->load(std::memory_order_relaxed); }

/** Empty tensors may have no memory. */
constexpr size_t leastBytes = 16;

}  // namespace

Status runAndWait(gpu::Device &device, std::vector<gpu::Dispatch> dispatches, bool &submitted) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    bool finished = false;
    Status status;
  };
  const auto waiting = std::make_shared<Waiting>();
  const Status taken = device.submit(std::move(dispatches), [waiting](Status status) {
    const std::lock_guard lock(waiting->mutex);
    waiting->status = std::move(status);
    waiting->finished = true;
    waiting->changed.notify_all();
  });
  submitted = taken.ok();
  if (!submitted) return taken;
  std::unique_lock lock(waiting->mutex);
  waiting->changed.wait(lock, [&] { return waiting->finished; });
  return waiting->status;
}

Status GpuJob::stage(gpu::Device &on, const Tensor &tensor, bool written, gpu::View &out) {
  const size_t bytes = size_t(tensor.elements()) * size_t(bytesOf(tensor.type));
  if (const Window *window = arguments.find(tensor.data)) {
    out = gpu::View::of(window->buffer, tensor.type, tensor.tokens, tensor.heads, tensor.dim, window->offset);
    return {};
  }
  if (commandBuffer) {
    return Status::type(code::argument, "encode: the tensors must be in device memory: the work runs after the call");
  }
  gpu::BufferRef buffer;
  for (Staged &one : staged_) {
    if (one.host != tensor.data || one.bytes != bytes || bytes == 0) continue;
    one.written |= written;
    buffer = one.buffer;
  }
  if (!buffer) {
    const Status status = bytes ? on.wrap(tensor.data, bytes, buffer) : on.allocate(leastBytes, buffer);
    if (!status.ok()) return status;
    staged_.push_back({buffer, tensor.data, bytes, written});
  }
  out = gpu::View::of(buffer, tensor.type, tensor.tokens, tensor.heads, tensor.dim);
  return {};
}

Status GpuJob::work(const cpu::Run &run, bool &aborted) {
  gpu::Plan steps;
  const Status planned = plan(*device, run, steps);
  // A plan that is aborted while it makes a table fails.
  if ((aborted = raised(run))) return {};
  if (!planned.ok()) return planned;
  if (steps.dispatches.empty()) return {};
  if (commandBuffer) return device->encode(commandBuffer, std::move(steps.dispatches));
  if (Status status = runAndWait(*device, std::move(steps.dispatches), submitted_); !status.ok()) return status;
  if ((aborted = raised(run))) return {};
  if (Status status = finish(run); !status.ok()) return status;
  if ((aborted = raised(run))) return {};
  for (const Staged &one : staged_) {
    if (one.written && !one.buffer->shared()) std::memcpy(one.host, one.buffer->host(), one.bytes);
  }
  return {};
}

Status GpuJob::estimate(const cpu::Run &run) {
  CountingDevice counting(device);
  gpu::Plan steps;
  if (Status status = plan(counting, run, steps); !status.ok()) return status;
  report[gpuReportAt::scratchBytes] = double(counting.allocated());
  report[gpuReportAt::copiedBytes] = double(counting.wrapped());
  report[gpuReportAt::dispatches] = double(steps.dispatches.size());
  return {};
}

cpu::Outcome GpuJob::run(const cpu::Run &run) {
  bool aborted = raised(run);
  if (!aborted) failure_ = report ? estimate(run) : work(run, aborted);
  const bool finished = failure_.ok() && !aborted;
  staged_.clear();
  return finished ? cpu::Outcome::Done : cpu::Outcome::Aborted;
}

void readEnd(Call &call, std::size_t commandBuffer, std::size_t report, GpuJob &job) {
  if (!call.missing(commandBuffer)) {
    bool lossless = false;
    if (napi_get_value_bigint_uint64(call.env, call.arg(commandBuffer), &job.commandBuffer, &lossless) != napi_ok ||
        !lossless || job.commandBuffer == 0) {
      call.fail(Status::type(code::argument, call.text("commandBuffer", "must be the handle of an MTLCommandBuffer")));
    }
  }
  job.report = call.array<double>(report, "report", napi_float64_array, gpuReportAt::count, true);
}

}  // namespace mrope::binding
