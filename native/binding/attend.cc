#include "attend.h"

#include "../core/check.h"
#include "operations.h"

namespace mrope::binding {
namespace {

class AttendWork : public Job {
 public:
  AttendJobData data;
  cpu::Outcome run(const cpu::Run &run) override { return cpu::attend(data.a, run); }
};

void readBias(Call &call, std::size_t at, const double *params, Bias &bias) {
  namespace place = attendAt;
  if (call.whole(params, place::biasKind) == 0) return;
  bias.kind = static_cast<BiasKind>(call.whole(params, place::biasKind));
  bias.type = call.dtype(params, place::biasType);
  bias.heads = call.whole(params, place::biasHeads);
  bias.span = call.whole(params, place::biasSpan);
  bias.origin = call.whole(params, place::biasOrigin);
  bias.rows = call.whole(params, place::biasRows);
  bias.columns = call.whole(params, place::biasColumns);
  bias.values = call.storage(at, "bias", bias.type, bias.length);
}

void readNorm(Call &call, std::size_t at, const char *what, int64_t dim, double eps, bool after, Norm &norm) {
  norm = {call.array<float>(at, what, napi_float32_array, dim, true), eps, after};
}

}  // namespace

Table readTable(Call &call, std::size_t cos, int64_t heads, int64_t tokens, int64_t pairs, bool adjacent) {
  constexpr int64_t most = int64_t(1) << 40;
  Table table = {nullptr, nullptr, heads, tokens, pairs, adjacent};
  const bool counts = heads >= 1 && tokens >= 0 && pairs >= 0 && heads <= mostDim && pairs <= mostDim && tokens <= most;
  if (call.ok() && !counts) {
    call.fail(Status::range(code::shape, call.text("the table", "must have the shape [heads, tokens, pairs]")));
  }
  if (!call.ok() || (call.device && call.device->hasAngles)) return table;
  table.cos = call.array<float>(cos, "cos", napi_float32_array, heads * tokens * pairs);
  table.sin = call.array<float>(cos + 1, "sin", napi_float32_array, heads * tokens * pairs);
  return table;
}

void readAttend(Call &call, std::size_t first, bool cached, const Tensor &k, const Tensor &v, AttendJobData &data,
                std::size_t skipped) {
  namespace place = attendAt;
  const double *params = call.params(first, place::count);
  if (!call.ok()) return;
  Attend &a = data.a;
  const int64_t queries = call.whole(params, place::queries), heads = call.whole(params, place::heads);
  const int64_t headDim = call.whole(params, place::headDim);
  std::size_t at = first + 1;
  a.q = call.tensor(at++, "q", call.dtype(params, place::qType), queries, heads, headDim);
  if (cached) {
    a.k = k;
    a.v = v;
    at += skipped;
  } else {
    const int64_t keys = call.whole(params, place::keys), kvHeads = call.whole(params, place::kvHeads);
    a.k = call.tensor(at++, "k", call.dtype(params, place::kType), keys, kvHeads, headDim);
    a.v = call.tensor(at++, "v", call.dtype(params, place::vType), keys, kvHeads, call.whole(params, place::valueDim));
  }
  a.out = call.tensor(at++, "out", call.dtype(params, place::outType), queries, heads, a.v.dim);
  const int64_t flags = call.whole(params, place::flags);
  a.rotateQ = flags & flag::rotateQ;
  a.rotateK = flags & flag::rotateK;
  if (a.rotateQ || a.rotateK) {
    a.table = readTable(call, at, call.whole(params, place::tableHeads), call.whole(params, place::tableTokens),
                        call.whole(params, place::pairs), flags & flag::adjacent);
  }
  at += 2;
  a.tableOffset = call.whole(params, place::tableOffset);
  a.queryOffset = call.whole(params, place::queryOffset);
  a.mask.causal = flags & flag::causal;
  a.mask.window = call.whole(params, place::window);
  a.mask.padding = call.whole(params, place::padding);
  if (!call.ok()) return;
  readBias(call, at++, params, a.bias);
  int64_t borders = 0;
  if (const int32_t *values = call.array<int32_t>(at++, "cuSeqlens", napi_int32_array, -1, true, &borders)) {
    // A copy: another thread could change the borders between the check and the work.
    data.cuSeqlens.assign(values, values + borders);
    if (borders == 0) call.fail(Status::range(code::segment, call.text("cuSeqlens", "must not be empty")));
    a.mask.cuSeqlens = data.cuSeqlens.data();
    a.mask.segments = borders - 1;
  }
  a.scale = params[place::scale];
  if (const double *scales = call.array<double>(at++, "scales", napi_float64_array, queries, true)) {
    data.scales.assign(scales, scales + queries);
    if (queries > 0) a.scales = data.scales.data();
  }
  readNorm(call, at++, "qNorm", headDim, params[place::qEps], flags & flag::qNormAfter, a.qNorm);
  readNorm(call, at++, "kNorm", headDim, params[place::kEps], flags & flag::kNormAfter, a.kNorm);
  if (call.ok()) call.fail(check(a));
}

napi_value attendSync(Call &call) {
  AttendWork work;
  readAttend(call, 0, false, {}, {}, work.data);
  return runNow(call, work);
}

napi_value attend(Call &call) {
  auto work = std::make_unique<AttendWork>();
  readAttend(call, 0, false, {}, {}, work->data);
  return runLater(call, std::move(work), 12);
}

}  // namespace mrope::binding
