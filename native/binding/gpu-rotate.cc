#include "gpu-operations.h"
#include "gpu-parts.h"

namespace mrope::binding {
namespace {

class GpuRotate : public GpuJob {
 public:
  using GpuJob::GpuJob;
  Rotate rotate;
  RotationSource rotation;

 protected:
  Status plan(gpu::Device &on, const cpu::Run &run, gpu::Plan &plan) override {
    gpu::RotateRequest request;
    request.inverse = rotate.inverse;
    if (Status s = stage(on, rotate.x, false, request.x); !s.ok()) return s;
    if (Status s = stage(on, rotate.out, true, request.out); !s.ok()) return s;
    if (Status s = rotaryOf(on, rotation, gpu::AngleUse::Once, run, request.rotary); !s.ok()) return s;
    if (Status s = normOf(on, rotate.norm, rotate.x.dim, request.norm); !s.ok()) return s;
    return planRotate(on, request, plan);
  }
};

/** (device, params, x, out, cos, sin, norm, angles, ids, invFreq, axisOf, directions, commandBuffer, report, abort) */
enum : std::size_t { anglesAt = 7, bufferAt = 12, reportAt = 13, abortAt = 14 };

void read(Call &call, GpuRotate &job) {
  call.device = &job.arguments;
  expectAngles(call, anglesAt);
  readRotate(call, 1, job.rotate);
  readRotation(call, anglesAt, job.rotate.table, job.rotation);
  readEnd(call, bufferAt, reportAt, job);
  if (!job.report) job.rotation.kept = keptAnglesOf(call, 0);
}

}  // namespace

napi_value gpuRotate(Call &call) { return later<GpuRotate, deviceOf, read>(call, abortAt); }
napi_value gpuRotateSync(Call &call) { return now<GpuRotate, deviceOf, read>(call); }

}  // namespace mrope::binding
