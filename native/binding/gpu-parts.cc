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

Status KeptAngles::rotary(gpu::Device &on, const RotationSource &source, gpu::AngleUse use, const cpu::Run &run,
                          gpu::Rotary &out) {
  Angles a = source.angles;
  std::vector<double> key = {double(a.axes), double(a.tokens), double(a.heads),
                             double(a.pairs), a.factor, double(a.directions != nullptr),
                             double(source.table.adjacent), double(use)};
  const auto add = [&](const auto *values, int64_t count) {
    const size_t at = key.size();
    key.insert(key.end(), values, values + count);
    return at;
  };
  const size_t ids = add(a.ids, a.axes * a.tokens), invFreq = add(a.invFreq, a.pairs);
  const size_t directions = a.directions ? add(a.directions, a.heads * a.pairs * a.axes)
                                         : add(a.axisOf, a.heads * a.pairs);
  {
    const std::lock_guard lock(mutex_);
    if (key == key_) {
      out = rotary_;
      return {};
    }
  }
  // Made from the copy: what another thread writes to the arrays meanwhile must not be kept under their former numbers.
  a.ids = key.data() + ids;
  a.invFreq = key.data() + invFreq;
  if (a.directions) a.directions = key.data() + directions;
  if (Status s = gpu::rotaryFrom(on, a, source.table.adjacent, use, run, out); !s.ok()) return s;
  const std::lock_guard lock(mutex_);
  key_ = std::move(key);
  rotary_ = out;
  return {};
}

Status rotaryOf(gpu::Device &on, const RotationSource &source, gpu::AngleUse use, const cpu::Run &run,
                gpu::Rotary &out) {
  out = {};
  if (!source.given) return {};
  if (!source.byAngles) return gpu::rotaryFrom(on, source.table, out);
  if (source.kept) return source.kept->rotary(on, source, use, run, out);
  return gpu::rotaryFrom(on, source.angles, source.table.adjacent, use, run, out);
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
