#include "gpu-parts.h"

#include "../core/check.h"
#include "../gpu/redo.h"

namespace mrope::binding {

void expectAngles(Call &call, std::size_t angles) { call.device->hasAngles = !call.missing(angles); }

void readRotation(Call &call, std::size_t angles, const Table &table, RotationSource &out) {
  if (!call.ok()) return;
  out.given = true;
  out.table = table;
  out.byAngles = call.device->hasAngles;
  if (!out.byAngles) return;
  readAngles(call, angles, out.angles, out.axisOf);
  if (!call.ok()) return;
  const Angles &a = out.angles;
  if (a.heads != table.heads || a.tokens != table.tokens || a.pairs != table.pairs) {
    call.fail(Status::range(code::shape, call.text("the angles", "do not have the shape of the table")));
    return;
  }
  call.fail(check(a));
}

Status rotaryOf(gpu::Device &on, const RotationSource &source, gpu::AngleUse use, const cpu::Run &run,
                gpu::Rotary &out) {
  out = {};
  if (!source.given) return {};
  if (!source.byAngles) return gpu::rotaryFrom(on, source.table, out);
  return gpu::rotaryFrom(on, source.angles, source.table.adjacent, use, run, nullptr, out);
}

Status normOf(gpu::Device &on, const Norm &norm, int64_t dim, gpu::RowNorm &out) {
  out = {};
  if (!norm.weight) return {};
  out.place = norm.after ? NormAfter : NormBefore;
  out.eps = norm.eps;
  return on.upload(norm.weight, size_t(dim) * sizeof(float), out.weight);
}

Status biasOf(gpu::Device &on, const GpuArguments &arguments, const Bias &bias, gpu::BiasView &out) {
  out = {bias.kind, nullptr, 0, bias.type, bias.heads, bias.span, bias.origin, bias.rows, bias.columns};
  if (bias.kind == BiasKind::None) return {};
  if (const Window *window = arguments.find(bias.values)) {
    out.values = window->buffer;
    out.offset = window->offset;
    return {};
  }
  return on.upload(bias.values, size_t(bias.length * bytesOf(bias.type)), out.values);
}

Status redo(const gpu::AttendRequest &request, const gpu::BufferRef &doubt, const cpu::Run &run) {
  if (!doubt || gpu::redoRows(request, *doubt, run) >= 0) return {};
  // Aborted: the caller finds out for itself.
  if (run.abort && run.abort->load(std::memory_order_relaxed)) return {};
  return Status::range(code::memory, "attend: there is no memory to do a row again");
}

}  // namespace mrope::binding
