#include "../core/check.h"
#include "attend.h"
#include "operations.h"

namespace mrope::binding {
namespace {

class RotateWork : public Job {
 public:
  Rotate rotate;
  cpu::Outcome run(const cpu::Run &run) override { return cpu::rotate(rotate, run); }
};

class TableWork : public Job {
 public:
  Angles angles;
  std::vector<int32_t> axisOf;
  float *cos = nullptr, *sin = nullptr;
  cpu::Outcome run(const cpu::Run &run) override { return cpu::fillTable(angles, cos, sin, run); }
};

void readTableWork(Call &call, TableWork &work) {
  Angles &a = work.angles;
  readAngles(call, 0, a, work.axisOf);
  if (!call.ok()) return;
  const int64_t entries = a.heads * a.tokens * a.pairs;
  work.cos = call.array<float>(5, "cos", napi_float32_array, entries);
  work.sin = call.array<float>(6, "sin", napi_float32_array, entries);
  if (call.ok()) call.fail(check(a));
}

}  // namespace

void readRotate(Call &call, std::size_t first, Rotate &r) {
  namespace place = rotateAt;
  const double *params = call.params(first, place::count);
  if (!call.ok()) return;
  const int64_t tokens = call.whole(params, place::tokens), heads = call.whole(params, place::heads);
  const int64_t dim = call.whole(params, place::headDim), flags = call.whole(params, place::flags);
  r.x = call.tensor(first + 1, "x", call.dtype(params, place::xType), tokens, heads, dim);
  r.out = call.tensor(first + 2, "out", call.dtype(params, place::outType), tokens, heads, dim);
  r.table = readTable(call, first + 3, call.whole(params, place::tableHeads), tokens, call.whole(params, place::pairs),
                      flags & flag::adjacent);
  r.norm = {call.array<float>(first + 5, "norm", napi_float32_array, dim, true), params[place::eps],
            (flags & flag::kNormAfter) != 0};
  r.inverse = flags & flag::inverse;
  if (call.ok()) call.fail(check(r));
}

void readAngles(Call &call, std::size_t first, Angles &a, std::vector<int32_t> &axes) {
  namespace place = tableAt;
  const double *params = call.params(first, place::count);
  if (!call.ok()) return;
  a.axes = call.whole(params, place::axes);
  a.tokens = call.whole(params, place::tokens);
  a.heads = call.whole(params, place::heads);
  a.pairs = call.whole(params, place::pairs);
  a.factor = params[place::factor];
  const Tensor shape = {nullptr, DType::Float32, a.tokens, a.heads, a.pairs};
  if (call.ok() && (a.axes < 0 || a.axes > 64)) {
    call.fail(Status::range(code::shape, call.text("params", "must have 0 … 64 axes")));
  }
  if (call.ok()) call.fail(checkDims(call.name(), "the table", shape));
  if (!call.ok()) return;
  a.ids = call.array<double>(first + 1, "ids", napi_float64_array, a.axes * a.tokens);
  a.invFreq = call.array<double>(first + 2, "invFreq", napi_float64_array, a.pairs);
  a.directions =
      call.array<double>(first + 4, "directions", napi_float64_array, a.heads * a.pairs * a.axes, true);
  if (a.directions) return;
  const int32_t *axisOf = call.array<int32_t>(first + 3, "axisOf", napi_int32_array, a.heads * a.pairs);
  // A copy: another thread could change an axis between the check and the work.
  if (call.ok()) axes.assign(axisOf, axisOf + a.heads * a.pairs);
  a.axisOf = axes.data();
}

napi_value rotateSync(Call &call) {
  RotateWork work;
  readRotate(call, 0, work.rotate);
  return runNow(call, work);
}

napi_value rotate(Call &call) {
  auto work = std::make_unique<RotateWork>();
  readRotate(call, 0, work->rotate);
  return runLater(call, std::move(work), 6);
}

napi_value tableSync(Call &call) {
  TableWork work;
  readTableWork(call, work);
  return runNow(call, work);
}

napi_value table(Call &call) {
  auto work = std::make_unique<TableWork>();
  readTableWork(call, *work);
  return runLater(call, std::move(work), 7);
}

}  // namespace mrope::binding
