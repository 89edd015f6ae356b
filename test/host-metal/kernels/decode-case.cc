#include "decode-case.h"

#include "../../../native/core/visible.h"
#include "../../../native/gpu/rotate.h"

namespace mrope::test {
namespace {

constexpr double qEps = 1e-6, kEps = 1e-3;

Bias biasOf(const DecodeCase &c, Noise &noise, Data &values) {
  const DType type = c.bias == BiasKind::Tensor ? c.cache : DType::Float32;
  Bias bias{.kind = c.bias, .type = type, .heads = c.bias == BiasKind::Distance ? 1 : c.heads};
  int64_t each = 1;
  if (c.bias == BiasKind::Tensor || c.bias == BiasKind::Difference) each = c.keys;
  if (c.bias == BiasKind::Distance) each = bias.span = 40, bias.origin = 33;
  if (c.bias == BiasKind::Grid) bias.rows = 5, bias.columns = 7, each = 9 * 13;
  values = Data(type, bias.heads * each, noise);
  if (c.bias == BiasKind::Tensor) values.set(each / 2, -HUGE_VAL);
  bias.values = values.data();
  bias.length = values.length();
  return bias;
}

}  // namespace

std::string DecodeCase::name() const {
  const char *biases[] = {"", " tensor", " slope", " distance", " grid", " difference"};
  const auto text = [](int64_t n) { return std::to_string(n); };
  return std::string("decode ") + nameOf(q) + " " + nameOf(fresh) + " " + nameOf(cache) + " " + nameOf(out) + " " +
         text(heads) + "/" + text(kvHeads) + "x" + text(headDim) + "/" + text(valueDim) + " keys " + text(keys) +
         " pairs " + text(pairs) + (append ? " append" : "") + (norm == NormNone ? "" : " norm " + text(norm)) +
         biases[int(bias)] + (window ? " window " + text(window) : "") + (padding ? " padding " + text(padding) : "") +
         (tableHeads > 1 ? " per head" : "") + (adjacent ? " adjacent" : "") + (rotates ? "" : " rotated before") +
         " cores " + text(cores) + (even ? " even" : "") + (table ? " table" : "");
}

Encoding DecodeCase::encoding() const {
  Encoding e = mropeEncoding(keys, pairs, tableHeads);
  e.adjacent = adjacent;
  return e;
}

DecodeRun::DecodeRun(HostDevice &device, const DecodeCase &c) : c(c), encoding(c.encoding()) {
  Noise noise{uint64_t(c.headDim * 7 + c.keys)};
  q = Data(c.q, c.heads * c.headDim, noise, c.even ? 0 : 2);
  k = Data(c.cache, c.keys * c.kvHeads * c.headDim, noise, 2);
  v = Data(c.cache, c.keys * c.kvHeads * c.valueDim, noise);
  // The new token comes in a type of its own, which may be the narrower one.
  for (Data *all : {&k, &v}) {
    for (int64_t i = all->length() - all->length() / c.keys; i < all->length(); i++) {
      all->set(i, stored(c.fresh, all->at(i)));
    }
  }
  qWeights.resize(c.headDim);
  for (float &w : qWeights) w = float(1 + noise() / 2);
  attend.q = {q.data(), c.q, 1, c.heads, c.headDim};
  attend.k = {k.data(), c.cache, c.keys, c.kvHeads, c.headDim};
  attend.v = {v.data(), c.cache, c.keys, c.kvHeads, c.valueDim};
  attend.out = {nullptr, c.out, 1, c.heads, c.valueDim};
  attend.table = encoding.shape();
  attend.rotateQ = attend.rotateK = c.rotates;
  attend.tableOffset = attend.queryOffset = c.keys - 1;
  attend.mask = {.window = c.window, .padding = c.padding};
  attend.bias = biasOf(c, noise, biasValues);
  attend.scale = 1 / std::sqrt(double(c.headDim));
  kWeights.resize(c.headDim);
  for (float &w : kWeights) w = float(1 + noise() / 2);
  if (c.norm != NormNone) {
    attend.qNorm = {qWeights.data(), qEps, c.norm == NormAfter};
    attend.kNorm = {kWeights.data(), kEps, c.norm == NormAfter};
  }

  const int64_t capacity = c.keys + 3, there = c.append ? c.keys - 1 : c.keys;
  cache.k = onDevice(device, c.cache, capacity, c.kvHeads, c.headDim).buffer;
  cache.v = onDevice(device, c.cache, capacity, c.kvHeads, c.valueDim).buffer;
  cache.type = c.cache;
  cache.kvHeads = c.kvHeads;
  cache.headDim = c.headDim;
  cache.valueDim = c.valueDim;
  cache.capacity = capacity;
  const gpu::RowNorm keyNorm{c.norm, weightsOnDevice(device, kWeights), 0, kEps};
  gpu::View rowsK = onDevice(device, c.cache, c.keys, c.kvHeads, c.headDim, &k);
  gpu::View rowsV = onDevice(device, c.cache, c.keys, c.kvHeads, c.valueDim, &v);
  rowsK.tokens = rowsV.tokens = there;
  gpu::Plan plan;
  Status s = gpu::planRotateAppend(device, {rowsK, rowsV, cache, 0, rotary(device, 0, there), keyNorm}, plan);
  if (s.ok()) s = device.run(plan.dispatches);
  expect(s.ok(), c.name() + ": " + s.message());

  request.q = onDevice(device, c.q, 1, c.heads, c.headDim, &q);
  request.out = onDevice(device, c.out, 1, c.heads, c.valueDim);
  request.cache = cache;
  request.slot = c.keys - 1;
  visibleKeys(attend, &request.keys);
  request.rotary = rotary(device, c.keys - 1, 1);
  request.qNorm = {c.norm, weightsOnDevice(device, qWeights), 0, qEps};
  request.kNorm = keyNorm;
  request.scale = attend.scale;
  request.doubt = onDevice(device, DType::Float16, 1, c.heads, 1).buffer;
  if (c.append) {
    const Data newK = last(k), newV = last(v);
    request.k = onDevice(device, c.fresh, 1, c.kvHeads, c.headDim, &newK);
    request.v = onDevice(device, c.fresh, 1, c.kvHeads, c.valueDim, &newV);
  }
  if (c.bias == BiasKind::None) return;
  const Bias &b = attend.bias;
  request.bias = {b.kind, onDevice(device, b.type, 1, 1, b.length, &biasValues).buffer, 0, b.type, b.heads, b.span,
                  b.origin, b.rows, b.columns};
}

gpu::Rotary DecodeRun::rotary(HostDevice &device, int64_t first, int64_t count) const {
  gpu::Rotary out;
  if (!c.rotates) return out;
  std::vector<double> ids;
  for (int64_t a = 0; a < encoding.axes; a++) {
    for (int64_t n = first; n < first + count; n++) ids.push_back(encoding.ids[a * c.keys + n]);
  }
  const Encoding part = encoding.withIds(count, ids);
  const gpu::AngleUse use = c.table ? gpu::AngleUse::Again : gpu::AngleUse::Once;
  const Status s = gpu::rotaryFrom(device, part.angles(), c.adjacent, use, {}, out);
  expect(s.ok(), c.name() + ": " + s.message());
  return out;
}

/** The last token of k or v, as it comes. */
Data DecodeRun::last(const Data &all) const {
  const int64_t length = all.length() / c.keys;
  Data row(c.fresh, length);
  for (int64_t i = 0; i < length; i++) row.set(i, all.at((c.keys - 1) * length + i));
  return row;
}

Status DecodeRun::decode(HostDevice &device) {
  gpu::Plan plan;
  device.limits_.cores = c.cores;
  if (Status s = gpu::planDecode(device, request, plan); !s.ok()) return s;
  device.forget();
  return device.run(plan.dispatches);
}

void DecodeRun::spoil(HostDevice &device, int which, int64_t channel, double wrong) {
  gpu::View &view = which == 0 ? request.q : which == 1 ? request.k : request.v;
  Data data = onHost(view), &original = which == 0 ? q : which == 1 ? k : v;
  data.set(channel, wrong);
  original.set(original.length() - data.length() + channel, wrong);
  view = onDevice(device, view.type, 1, view.heads, view.dim, &data);
}

std::vector<double> DecodeRun::result() const {
  const Data out = onHost(request.out);
  std::vector<double> values(out.length());
  for (int64_t i = 0; i < out.length(); i++) values[i] = out.at(i);
  return values;
}

bool DecodeRun::doubted() const {
  const char *bytes = static_cast<const char *>(request.doubt->host());
  return std::any_of(bytes, bytes + c.heads, [](char b) { return b != 0; });
}

bool DecodeRun::appended() const {
  const Data row = onHost(cache.values(c.keys - 1, 1));
  for (int64_t i = 0; i < row.length(); i++) {
    if (row.at(i) != v.at(v.length() - row.length() + i)) return false;
  }
  return true;
}

gpu::AttendRequest DecodeRun::again() const {
  gpu::AttendRequest same;
  same.q = request.q;
  same.k = cache.keys(0, c.keys);
  same.v = cache.values(0, c.keys);
  same.out = request.out;
  same.rotary = request.rotary;
  same.rotateQ = c.rotates;
  same.queryOffset = request.slot;
  same.mask = attend.mask;
  same.bias = request.bias;
  same.scale = request.scale;
  same.qNorm = request.qNorm;
  return same;
}

}  // namespace mrope::test
