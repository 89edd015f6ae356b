// metal/rotate.metal, kernel rotate, through its plan: results against float64, races, bounds, counts.

#include "../../../native/gpu/rotate.h"
#include "rotation.h"

using namespace mrope;
using namespace mrope::test;

namespace {

enum class Source { Angles, PerHead, Table };
enum class Place { Apart, Same, Odd };

struct Case {
  DType x, out;
  int64_t heads, dim;
  Encoding encoding;
  NormPlace norm = NormNone;
  bool inverse = false;
  Source source = Source::Angles;
  /** Odd: x lies one element into its buffer, between other channels. */
  Place place = Place::Apart;
  bool oneColumn = false;
  int64_t tokens = 0;  // of oneColumn

  std::string name() const {
    const char *sources[] = {"", " angles per head", " table"}, *places[] = {"", " in place", " odd offset"};
    const char *norms[] = {"", " norm before", " norm after"};
    return std::string(nameOf(x)) + "->" + nameOf(out) + " " + std::to_string(rows()) + "x" + std::to_string(heads) +
           "x" + std::to_string(dim) + " " + encoding.name + " pairs " + std::to_string(encoding.pairs) +
           (encoding.adjacent ? " adjacent" : "") + norms[norm] + (inverse ? " inverse" : "") + sources[int(source)] +
           places[int(place)] + (oneColumn ? " one column" : "");
  }
  int64_t rows() const { return oneColumn ? tokens : encoding.tokens; }
};

constexpr double eps = 1e-6;

std::vector<float> weightsOf(int64_t dim) {
  Noise noise{99};
  std::vector<float> weights(dim);
  for (float &w : weights) w = float(1 + noise() / 2);
  return weights;
}

std::vector<double> expected(const Case &c, const Data &x, const std::vector<float> &weights) {
  const Norm norm{weights.data(), eps, c.norm == NormAfter};
  const Tensor tensor{const_cast<char *>(x.bytes.data()), c.x, c.rows(), c.heads, c.dim};
  const AngleFunction forward = c.encoding.function();
  const AngleFunction angle = [&](int64_t head, int64_t token, int64_t f) {
    const CosSin at = forward(head, c.oneColumn ? 0 : token, f);
    return CosSin{at.cos, c.inverse ? -at.sin : at.sin};
  };
  std::vector<double> all;
  for (int64_t row = 0; row < c.rows() * c.heads; row++) {
    const auto line = preparedLine(tensor, row / c.heads, row % c.heads, true, c.encoding.shape(), angle, row / c.heads,
                                   c.norm == NormNone ? Norm{} : norm);
    all.insert(all.end(), line.begin(), line.end());
  }
  return all;
}

/** Twice what storing the exact result loses; 1e-5 where float32 is stored. */
double tolerance(const std::vector<double> &exact, DType type) {
  if (type == DType::Float32) return 1e-5;
  double worst = 0;
  for (const double x : exact) worst = std::max(worst, std::fabs(stored(type, x) - x));
  return 2 * worst;
}

Status rotaryOf(HostDevice &device, const Case &c, gpu::Rotary &out) {
  const Encoding &e = c.encoding;
  if (c.source != Source::Table) {
    const auto use = c.source == Source::PerHead ? gpu::AngleUse::Again : gpu::AngleUse::Once;
    return gpu::rotaryFrom(device, e.angles(), e.adjacent, use, {}, out);
  }
  std::vector<float> cos, sin;
  for (int64_t i = 0; i < e.heads * e.tokens * e.pairs; i++) {
    const CosSin at = e.function()(i / e.pairs / e.tokens, i / e.pairs % e.tokens, i % e.pairs);
    cos.push_back(float(at.cos));
    sin.push_back(float(at.sin));
  }
  Table table = e.shape();
  table.cos = cos.data();
  table.sin = sin.data();
  return gpu::rotaryFrom(device, table, out);
}

/** x on the device: dense, or one element into rows that are three elements longer. */
gpu::View inputOf(HostDevice &device, const Case &c, const Data &x) {
  if (c.place != Place::Odd) return onDevice(device, c.x, c.rows(), c.heads, c.dim, &x);
  const int64_t wide = c.heads * c.dim + 3;
  Data padded(c.x, c.rows() * wide + 1);
  for (int64_t i = 0; i < x.length(); i++) padded.set(1 + i / (c.heads * c.dim) * wide + i % (c.heads * c.dim), x.at(i));
  gpu::View view = onDevice(device, c.x, 1, 1, padded.length(), &padded);
  view.offset = bytesOf(c.x);
  view.tokens = c.rows();
  view.heads = c.heads;
  view.headStride = view.dim = c.dim;
  view.tokenStride = wide;
  return view;
}

/** Angles that are made, not looked up: once per token, pair and head of the allocation. */
uint64_t expectedAngles(const Case &c, const gpu::Rotary &rotary) {
  if (rotary.kind == AnglesDirections) return uint64_t(c.rows() * c.encoding.heads * c.encoding.pairs);
  if (rotary.kind != AnglesTurns) return 0;
  const auto &axes = c.encoding.axisOf;
  return uint64_t(c.rows()) * uint64_t(std::count_if(axes.begin(), axes.end(), [](int32_t a) { return a >= 0; }));
}

void check(HostDevice &device, const Case &c, const std::string &lane) {
  const std::string name = c.name() + " (" + lane + ")";
  Noise noise{uint64_t(c.heads * 1000 + c.dim)};
  const Data x(c.x, c.rows() * c.heads * c.dim, noise, 2);
  const std::vector<float> weights = weightsOf(c.dim);
  gpu::RotateRequest request{.x = inputOf(device, c, x), .out = {}, .rotary = {}, .norm = {}};
  request.out = onDevice(device, c.out, c.rows(), c.heads, c.dim);
  if (c.place == Place::Same) {
    request.out = request.x;
    request.out.type = c.out;
  }
  request.norm = {c.norm, weightsOnDevice(device, weights), 0, eps};
  request.inverse = c.inverse;
  request.oneColumn = c.oneColumn;
  gpu::Plan plan;
  Status s = rotaryOf(device, c, request.rotary);
  if (s.ok()) s = gpu::planRotate(device, request, plan);
  device.forget();
  if (s.ok()) s = device.run(plan.dispatches);
  if (!expect(s.ok(), name + ": " + s.message())) return;
  const Data out = onHost(request.out);
  std::vector<double> got(out.length());
  for (int64_t i = 0; i < out.length(); i++) got[i] = out.at(i);
  const std::vector<double> exact = expected(c, x, weights);
  const double error = largestError(got, exact), most = tolerance(exact, c.out);
  expect(error <= most, name + ": error " + std::to_string(error) + ", allowed " + std::to_string(most));
  const auto stats = device.total();
  expect(device.launches().size() == 1 && stats.threadgroupBytes <= 32768, name + ": dispatches or memory");
  if (c.oneColumn) return;
  const uint64_t angles = expectedAngles(c, request.rotary), made = stats.calls.at("cosSinOfPhase");
  expect(made == angles, name + ": " + std::to_string(made) + " angles made, expected " + std::to_string(angles));
}

Encoding adjacent(Encoding e) {
  e.adjacent = true;
  return e;
}

Encoding scaled(Encoding e) {
  e.factor = 1.3466;
  e.name += " factor";
  return e;
}

Encoding thirds(Encoding e) {
  for (double &id : e.ids) id /= 3;
  e.name += " thirds";
  return e;
}

std::vector<Case> cases() {
  const DType f32 = DType::Float32, f16 = DType::Float16, bf16 = DType::Bfloat16;
  Noise noise{8};
  Encoding partial = mropeEncoding(17, 24);
  partial.axisOf[3] = -1;
  return {
      {f32, f32, 3, 128, mropeEncoding(33, 64)},
      {f16, f16, 7, 72, mropeEncoding(33, 36)},
      {bf16, bf16, 4, 80, adjacent(mropeEncoding(33, 40))},
      {f32, f16, 28, 96, mropeEncoding(3, 48)},
      {f16, f32, 5, 192, mropeEncoding(1, 96)},
      {bf16, f32, 2, 256, directionEncoding(17, 128, 1, noise)},
      {f32, bf16, 8, 64, scaled(mropeEncoding(33, 32, 4))},
      {f16, bf16, 4, 64, directionEncoding(9, 32, 4, noise)},
      {bf16, f16, 2, 64, mropeEncoding(100, 32)},
      {f32, f32, 2, 7, mropeEncoding(5, 3)},
      {f16, f16, 2, 10, adjacent(mropeEncoding(5, 5))},
      {f16, f16, 3, 70, mropeEncoding(11, 32)},
      {f32, f32, 3, 100, scaled(partial)},
      {bf16, bf16, 3, 128, adjacent(scaled(mropeEncoding(9, 32)))},
      {f16, f16, 2, 1040, mropeEncoding(3, 520)},
      {f32, f32, 3, 1, mropeEncoding(5, 0)},
      {f16, bf16, 3, 40, mropeEncoding(5, 0)},
      {f16, f16, 7, 128, mropeEncoding(17, 64), NormBefore},
      {f32, f32, 4, 80, scaled(mropeEncoding(17, 30)), NormAfter},
      {bf16, bf16, 2, 72, adjacent(mropeEncoding(17, 36)), NormAfter},
      {f32, f32, 3, 7, mropeEncoding(5, 2), NormBefore},
      {f32, f32, 3, 128, scaled(mropeEncoding(17, 64)), NormNone, true},
      {f32, f32, 6, 64, mropeEncoding(33, 32, 3), NormNone, false, Source::Table},
      {f16, f16, 16, 80, mropeEncoding(100, 40), NormNone, false, Source::PerHead},
      {f32, f32, 4, 80, thirds(mropeEncoding(100, 40, 2)), NormBefore, false, Source::PerHead},
      {f32, f32, 3, 64, adjacent(thirds(mropeEncoding(33, 32))), NormNone, true, Source::Table},
      {f32, f32, 3, 128, mropeEncoding(17, 64), NormNone, false, Source::Angles, Place::Odd},
      {f16, f32, 3, 72, mropeEncoding(17, 36), NormAfter, false, Source::Angles, Place::Odd},
      {f32, f32, 3, 96, mropeEncoding(17, 48), NormBefore, false, Source::Angles, Place::Same},
      {f16, bf16, 3, 96, mropeEncoding(17, 48), NormNone, false, Source::Angles, Place::Same},
      {f32, f32, 3, 96, mropeEncoding(1, 48), NormNone, false, Source::Angles, Place::Same, true, 33},
  };
}

void checkMistakes() {
  HostDevice device("plain");
  const Encoding e = mropeEncoding(5, 32, 2);
  gpu::Rotary rotary;
  expect(gpu::rotaryFrom(device, e.angles(), false, gpu::AngleUse::Once, {}, rotary).ok(), "angles");
  const auto codeOf = [&](int64_t tokens, int64_t heads, int64_t dim, size_t offset) {
    gpu::View x = onDevice(device, DType::Float32, tokens, heads, dim);
    x.offset = offset;
    gpu::Plan plan;
    const Status s = gpu::planRotate(device, {.x = x, .out = x, .rotary = rotary, .norm = {}}, plan);
    return std::string(s.ok() ? "" : s.code());
  };
  expect(codeOf(5, 4, 64, 0).empty(), "a request without mistakes");
  expect(codeOf(6, 4, 64, 0) == code::shape, "more tokens than angles");
  expect(codeOf(5, 4, 62, 0) == code::shape, "fewer channels than angles");
  expect(codeOf(5, 3, 64, 0) == code::heads, "heads that do not divide");
  expect(codeOf(5, 4, 64, 4) == code::shape, "a tensor that ends behind its buffer");
  expect(codeOf(0, 4, 64, 0).empty(), "no tokens: no work");
}

}  // namespace

int main() {
  checkMistakes();
  HostDevice strict("strict"), fast("fast-math"), plain("plain");
  strict.limits_.cores = fast.limits_.cores = 1;  // few cores: several tokens a threadgroup
  for (const Case &c : cases()) {
    for (const Order &order : orders) {
      strict.options.schedule = order.schedule;
      strict.options.seed = order.seed;
      check(strict, c, std::string("strict, ") + order.name);
    }
    check(fast, c, "fast-math");
  }
  const DType f16 = DType::Float16;
  check(plain, {f16, f16, 28, 128, mropeEncoding(777, 64)}, "plain");
  return report();
}
