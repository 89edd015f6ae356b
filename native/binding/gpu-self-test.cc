#include "../gpu/lane-order.h"
#include "gpu-operations.h"
#include "gpu.h"

namespace mrope::binding {
namespace {

class SelfTest : public GpuJob {
 public:
  using GpuJob::GpuJob;

 protected:
  Status plan(gpu::Device &on, const cpu::Run &, gpu::Plan &plan) override { return planLaneOrder(on, plan, wrong_); }
  Status finish(const cpu::Run &) override { return checkLanes(device->limits(), *wrong_); }

 private:
  gpu::BufferRef wrong_;
};

}  // namespace

napi_value gpuSelfTest(Call &call) { return runLater(call, std::make_unique<SelfTest>(deviceOf(call, 0)), 1); }

}  // namespace mrope::binding
