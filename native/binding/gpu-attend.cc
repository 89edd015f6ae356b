#include "gpu-operations.h"
#include "gpu-parts.h"

namespace mrope::binding {
namespace {

class GpuAttend : public GpuJob {
 public:
  using GpuJob::GpuJob;
  AttendJobData data;
  RotationSource rotation;

 protected:
  Status plan(gpu::Device &on, const cpu::Run &run, gpu::Plan &plan) override {
    const Attend &a = data.a;
    gpu::AttendRequest &request = request_;
    if (Status s = stage(on, a.q, false, request.q); !s.ok()) return s;
    if (Status s = stage(on, a.k, false, request.k); !s.ok()) return s;
    if (Status s = stage(on, a.v, false, request.v); !s.ok()) return s;
    if (Status s = stage(on, a.out, true, request.out); !s.ok()) return s;
    // Queries and raw keys of every KV head, tile and part of the keys turn by them.
    if (Status s = rotaryOf(on, rotation, gpu::AngleUse::Again, run, request.rotary); !s.ok()) return s;
    if (Status s = normOf(on, a.qNorm, a.q.dim, request.qNorm); !s.ok()) return s;
    if (Status s = normOf(on, a.kNorm, a.k.dim, request.kNorm); !s.ok()) return s;
    if (Status s = biasOf(on, arguments, a.bias, request.bias); !s.ok()) return s;
    request.rotateQ = a.rotateQ;
    request.rotateK = a.rotateK;
    request.tableOffset = a.tableOffset;
    request.queryOffset = a.queryOffset;
    request.mask = a.mask;
    request.scale = a.scale;
    request.scales = a.scales;
    gpu::AttendPlan steps;
    if (Status s = planAttend(on, request, steps); !s.ok()) return s;
    doubt_ = steps.doubt;
    plan = std::move(steps);
    return {};
  }

  Status finish(const cpu::Run &run) override { return redo(request_, doubt_, run); }

 private:
  gpu::AttendRequest request_;
  gpu::BufferRef doubt_;
};

/**
 * (device, params, q, k, v, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, angles, ids, invFreq, axisOf,
 * directions, commandBuffer, report, abort)
 */
enum : std::size_t { anglesAt = 13, bufferAt = 18, reportAt = 19, abortAt = 20 };

void read(Call &call, GpuAttend &job) {
  call.device = &job.arguments;
  expectAngles(call, anglesAt);
  readAttend(call, 1, false, {}, {}, job.data);
  if (job.data.a.rotateQ || job.data.a.rotateK) readRotation(call, anglesAt, job.data.a.table, job.rotation);
  readEnd(call, bufferAt, reportAt, job);
  if (!job.report) job.rotation.kept = keptAnglesOf(call, 0);
}

}  // namespace

napi_value gpuAttend(Call &call) { return later<GpuAttend, deviceOf, read>(call, abortAt); }
napi_value gpuAttendSync(Call &call) { return now<GpuAttend, deviceOf, read>(call); }

}  // namespace mrope::binding
