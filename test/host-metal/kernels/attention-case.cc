#include "attention-case.h"

namespace mrope::test {
namespace {

constexpr int64_t axes = 3;

const char *const angleNames[] = {"no angles", "table", "turns", "per id", "directions"};
const char *const biasNames[] = {"", "tensor", "slope", "distance", "grid", "difference"};

}  // namespace

std::string AttendCase::name() const {
  std::string text = std::to_string(queries) + " on " + std::to_string(keys) + ", " + std::to_string(heads) + "/" +
                     std::to_string(kvHeads) + "×" + std::to_string(dim);
  if (valueDim != dim) text += ":" + std::to_string(valueDim);
  text += std::string(" ") + nameOf(q);
  if (k != q || v != q || out != q) text += std::string(" ") + nameOf(k) + " " + nameOf(v) + " " + nameOf(out);
  text += causal ? " causal" : " bidirectional";
  if (window) text += " window " + std::to_string(window);
  if (padding) text += " padding " + std::to_string(padding);
  if (!cuSeqlens.empty()) text += " " + std::to_string(cuSeqlens.size() - 1) + " segments";
  text += std::string(", ") + angleNames[int(angles)] + (keysAre == Keys::Raw ? ", raw keys" : "");
  text += std::string(adjacent ? " adjacent" : "") + (perHead ? " per head" : "");
  if (pairs >= 0) text += " " + std::to_string(pairs) + " pairs";
  if (norms != Norms::None) text += norms == Norms::After ? " norm after" : " norm";
  if (bias != BiasKind::None) text += std::string(" bias ") + biasNames[int(bias)] + " " + nameOf(biasType);
  text += std::string(biasShared ? " shared" : "") + (scales ? " scales" : "") + (gap ? " gaps" : "");
  return text + (cores != 8 ? " cores " + std::to_string(cores) : "") + (even ? " even" : "");
}

AttendWorld::AttendWorld(const AttendCase &given, uint64_t seed) : c(given) {
  Noise noise{seed};
  q = Data(c.q, c.queries * c.heads * c.dim, noise, c.even ? 0 : 2);
  k = Data(c.k, c.keys * c.kvHeads * c.dim, noise, 2);
  v = Data(c.v, c.keys * c.kvHeads * c.valueDim, noise);
  out = Data(c.out, c.queries * c.heads * c.valueDim);
  a.q = {q.data(), c.q, c.queries, c.heads, c.dim};
  a.k = {k.data(), c.k, c.keys, c.kvHeads, c.dim};
  a.v = {v.data(), c.v, c.keys, c.kvHeads, c.valueDim};
  a.out = {out.data(), c.out, c.queries, c.heads, c.valueDim};
  a.queryOffset = a.tableOffset = std::max<int64_t>(c.keys - c.queries, 0);
  a.mask.causal = c.causal;
  a.mask.window = c.window;
  a.mask.padding = c.padding;
  if (!c.cuSeqlens.empty()) {
    a.mask.cuSeqlens = c.cuSeqlens.data();
    a.mask.segments = int64_t(c.cuSeqlens.size()) - 1;
  }
  a.scale = 1 / std::sqrt(double(c.dim));
  for (int64_t i = 0; c.scales && i < c.queries; i++) scales.push_back(a.scale * (1 + 0.5 * noise()));
  if (c.scales) a.scales = scales.data();
  if (c.norms != Norms::None) {
    for (std::vector<float> *weights : {&qWeights, &kWeights}) {
      for (int64_t i = 0; i < c.dim; i++) weights->push_back(float(1 + 0.3 * noise()));
    }
    a.qNorm = {qWeights.data(), 1e-6, c.norms == Norms::After};
    if (c.keysAre == Keys::Raw) a.kNorm = {kWeights.data(), 1e-3, c.norms == Norms::After};
  }
  makeAngles(noise);
  makeBias(noise);
}

void AttendWorld::makeAngles(Noise &noise) {
  const int64_t heads = c.perHead ? c.kvHeads : 1, pairs = c.pairs >= 0 ? c.pairs : c.dim / 2;
  a.table = {nullptr, nullptr, heads, c.keys, pairs, c.adjacent};
  a.rotateQ = c.angles != AngleSource::None;
  a.rotateK = a.rotateQ && c.keysAre == Keys::Raw;
  // Text, then a picture, then text: the three axes differ in the middle.
  for (int64_t axis = 0; axis < axes; axis++) {
    for (int64_t n = 0; n < c.keys; n++) {
      const bool picture = n > c.keys / 4 && n < c.keys / 2;
      const int64_t place[] = {c.keys / 4, c.keys / 4 + n / 8, c.keys / 4 + n % 8};
      const int64_t id = picture ? place[axis] : n;
      // Fewer ids than tokens, as those of a tower: a table per token is larger than one per id.
      const double step = c.angles == AngleSource::Turns ? 0.25 : 1;
      ids.push_back(c.angles == AngleSource::PerId ? double(id % 20) : double(id) * step);
    }
  }
  for (int64_t f = 0; f < pairs; f++) invFreq.push_back(std::pow(1e4, -double(f) / double(pairs)));
  for (int64_t i = 0; i < heads * pairs; i++) {
    axisOf.push_back(i % 11 == 10 ? -1 : int32_t((i % pairs + i / pairs) % axes));
  }
  for (int64_t i = 0; i < heads * pairs * axes; i++) directions.push_back(noise());
  angle = [this, pairs](int64_t head, int64_t row, int64_t f) {
    double turn = 0;
    for (int64_t axis = 0; axis < axes; axis++) {
      const int64_t place = head * pairs + f;
      const bool dense = c.angles == AngleSource::Directions;
      const double along = dense ? directions[place * axes + axis] : axisOf[place] == axis;
      turn += along * ids[axis * c.keys + row];
    }
    return CosSin{c.factor * std::cos(invFreq[f] * turn), c.factor * std::sin(invFreq[f] * turn)};
  };
  if (c.angles != AngleSource::Table) return;
  for (int64_t i = 0; i < heads * c.keys * pairs; i++) {
    const CosSin each = angle(i / pairs / c.keys, i / pairs % c.keys, i % pairs);
    cos.push_back(float(each.cos));
    sin.push_back(float(each.sin));
  }
  a.table.cos = cos.data();
  a.table.sin = sin.data();
  angle = anglesOf(a.table);
}

void AttendWorld::makeBias(Noise &noise) {
  Bias &b = a.bias;
  b.kind = c.bias;
  b.heads = c.biasShared ? 1 : c.heads;
  b.type = c.biasType;
  b.span = 41, b.origin = 20, b.rows = 5, b.columns = 7;
  const int64_t each[] = {0, c.queries * c.keys, 1, b.span, (2 * b.rows - 1) * (2 * b.columns - 1), c.keys};
  b.length = b.heads * each[int(c.bias)];
  biasValues = Data(c.biasType, b.length, noise);
  b.values = biasValues.data();
  // Holes: some keys of a row, and all keys of some rows.
  if (c.bias != BiasKind::Tensor) return;
  for (int64_t i = 0; i < b.length; i++) {
    if (i % 5 == 0 || i / c.keys % 7 == 3) biasValues.set(i, -HUGE_VAL);
  }
}

Status AttendWorld::uploadRows(gpu::Device &device, const Data &data, const Tensor &x, bool cache,
                               gpu::View &view) const {
  const int64_t gap = cache ? 8 : c.gap, capacity = x.tokens + (cache ? 5 : 0);
  view = {nullptr, 0, x.type, x.tokens, x.heads, x.dim, x.heads * x.dim + gap, x.dim};
  if (cache) view.tokenStride = x.dim, view.headStride = capacity * x.dim;
  view.offset = size_t(cache ? 16 : c.gap * bytesOf(x.type));
  const int64_t length = std::max<int64_t>(cache ? x.heads * capacity * x.dim : x.tokens * view.tokenStride, 1);
  const int64_t rowBytes = x.dim * bytesOf(x.type);
  if (Status s = device.allocate(view.offset + size_t(length * bytesOf(x.type)), view.buffer); !s.ok()) return s;
  if (&x == &a.out) return {};
  for (int64_t row = 0; row < x.tokens * x.heads; row++) {
    const int64_t place = row / x.heads * view.tokenStride + row % x.heads * view.headStride;
    const size_t at = view.offset + size_t(place * bytesOf(x.type));
    std::memcpy(static_cast<char *>(view.buffer->host()) + at, data.bytes.data() + row * rowBytes, size_t(rowBytes));
    view.buffer->modified(at, size_t(rowBytes));
  }
  return {};
}

Status AttendWorld::uploadAngles(gpu::Device &device, gpu::Rotary &rotary) const {
  if (c.angles == AngleSource::None) return {};
  if (c.angles == AngleSource::Table) return gpu::rotaryFrom(device, a.table, rotary);
  Angles angles;
  angles.ids = ids.data();
  angles.invFreq = invFreq.data();
  angles.axisOf = axisOf.data();
  angles.directions = c.angles == AngleSource::Directions ? directions.data() : nullptr;
  angles.axes = axes;
  angles.tokens = c.keys;
  angles.heads = a.table.heads;
  angles.pairs = a.table.pairs;
  angles.factor = c.factor;
  const auto use = c.angles == AngleSource::PerId ? gpu::AngleUse::Again : gpu::AngleUse::Once;
  return gpu::rotaryFrom(device, angles, c.adjacent, use, {}, rotary);
}

Status AttendWorld::upload(gpu::Device &device, gpu::AttendRequest &r) {
  const bool cache = c.keysAre == Keys::Cache;
  if (Status s = uploadRows(device, q, a.q, false, r.q); !s.ok()) return s;
  if (Status s = uploadRows(device, k, a.k, cache, r.k); !s.ok()) return s;
  if (Status s = uploadRows(device, v, a.v, cache, r.v); !s.ok()) return s;
  if (Status s = uploadRows(device, out, a.out, false, r.out); !s.ok()) return s;
  if (Status s = uploadAngles(device, r.rotary); !s.ok()) return s;
  r.rotateQ = a.rotateQ;
  r.rotateK = a.rotateK;
  r.tableOffset = a.tableOffset;
  r.queryOffset = a.queryOffset;
  r.mask = a.mask;
  r.scale = a.scale;
  r.scales = a.scales;
  const Bias &b = a.bias;
  r.bias = {b.kind, nullptr, 0, b.type, b.heads, b.span, b.origin, b.rows, b.columns};
  if (b.kind != BiasKind::None) {
    if (Status s = device.upload(b.values, biasValues.bytes.size(), r.bias.values); !s.ok()) return s;
  }
  if (c.norms == Norms::None) return {};
  const NormPlace place = c.norms == Norms::After ? NormAfter : NormBefore;
  const size_t weightBytes = c.dim * sizeof(float);
  r.qNorm = {place, nullptr, 0, a.qNorm.eps};
  if (Status s = device.upload(qWeights.data(), weightBytes, r.qNorm.weight); !s.ok()) return s;
  if (!a.kNorm.weight) return {};
  r.kNorm = {place, nullptr, 0, a.kNorm.eps};
  return device.upload(kWeights.data(), weightBytes, r.kNorm.weight);
}

std::vector<double> AttendWorld::result(const gpu::AttendRequest &r) const {
  std::vector<double> values(a.out.elements());
  const char *bytes = static_cast<const char *>(r.out.buffer->host()) + r.out.offset;
  for (int64_t i = 0; i < int64_t(values.size()); i++) {
    const int64_t row = i / c.valueDim;
    const int64_t at = row / c.heads * r.out.tokenStride + row % c.heads * r.out.headStride + i % c.valueDim;
    values[i] = loadAs(bytes, c.out, at);
  }
  return values;
}

}  // namespace mrope::test
