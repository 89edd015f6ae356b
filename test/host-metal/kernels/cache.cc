// The cache on the device: rotate_append and re-rotation, through their plans.

#include "../../../native/gpu/rerotate.h"
#include "rotation.h"

using namespace mrope;
using namespace mrope::test;

namespace {

constexpr double eps = 1e-6;

struct Sizes {
  DType k, v, cache;
  int64_t kvHeads, headDim, valueDim, capacity, slot;
};

/** A cache whose every byte is 0x55, so that stray stores show. */
gpu::CacheView openCache(HostDevice &device, const Sizes &s) {
  gpu::CacheView cache{.k = {}, .v = {}, .type = s.cache, .kvHeads = s.kvHeads, .headDim = s.headDim,
                       .valueDim = s.valueDim, .capacity = s.capacity};
  Data k(s.cache, s.kvHeads * s.capacity * s.headDim), v(s.cache, s.kvHeads * s.capacity * s.valueDim);
  std::fill(k.bytes.begin(), k.bytes.end(), 0x55);
  std::fill(v.bytes.begin(), v.bytes.end(), 0x55);
  cache.k = onDevice(device, s.cache, 1, 1, k.length(), &k).buffer;
  cache.v = onDevice(device, s.cache, 1, 1, v.length(), &v).buffer;
  return cache;
}

/** What the rows of a cache hold outside `from` … `to`. */
bool untouched(const gpu::View &rows, int64_t from, int64_t to) {
  const Data data = onHost(rows);
  const int64_t rowBytes = rows.heads * rows.dim * bytesOf(rows.type);
  for (int64_t n = 0; n < rows.tokens; n++) {
    if (n >= from && n < to) continue;
    for (int64_t i = 0; i < rowBytes; i++) {
      if (data.bytes[n * rowBytes + i] != 0x55) return false;
    }
  }
  return true;
}

gpu::Rotary rotaryOf(HostDevice &device, const Encoding &e) {
  gpu::Rotary rotary;
  const Status s = gpu::rotaryFrom(device, e.angles(), e.adjacent, gpu::AngleUse::Once, {}, rotary);
  expect(s.ok(), e.name + ": " + s.message());
  return rotary;
}

/** Largest error of rows against the exact ones, and what storing those loses. */
struct Comparison {
  double error = 0, naive = 0;
};

Comparison compare(const gpu::View &rows, const std::vector<std::vector<double>> &exact) {
  const Data data = onHost(rows);
  Comparison result;
  for (size_t row = 0; row < exact.size(); row++) {
    for (int64_t c = 0; c < rows.dim; c++) {
      const double x = exact[row][c], got = data.at(int64_t(row) * rows.dim + c), error = std::fabs(got - x);
      result.error = std::max(result.error, std::isnan(error) ? HUGE_VAL : error);
      result.naive = std::max(result.naive, std::fabs(stored(rows.type, x) - x));
    }
  }
  return result;
}

void expectClose(const gpu::View &rows, const std::vector<std::vector<double>> &exact, int roundings,
                 const std::string &name) {
  const Comparison c = compare(rows, exact);
  const double most = rows.type == DType::Float32 ? 1e-5 : 2 * roundings * c.naive;
  expect(c.error <= most, name + ": error " + std::to_string(c.error) + ", allowed " + std::to_string(most));
}

std::vector<std::vector<double>> rowsOf(const Data &x, int64_t tokens, int64_t heads, int64_t dim, const Encoding *e,
                                        const Norm &norm = {}) {
  const Tensor tensor{const_cast<char *>(x.bytes.data()), x.type, tokens, heads, dim};
  std::vector<std::vector<double>> rows;
  for (int64_t row = 0; row < tokens * heads; row++) {
    rows.push_back(preparedLine(tensor, row / heads, row % heads, e != nullptr, e ? e->shape() : Table{},
                                e ? e->function() : AngleFunction(), row / heads, norm));
  }
  return rows;
}

/** The angles that the kernel left for the dispatches after it. */
void expectTable(const gpu::Rotary &kept, const Encoding &e, const std::string &name) {
  if (!expect(kept.kind == AnglesTable && kept.adjacent == e.adjacent && kept.params.tokens == e.tokens &&
                  kept.params.heads == e.heads && kept.params.pairs == e.pairs && kept.params.column == 0 &&
                  kept.params.factor == 1,
              name + ": shape of the table")) {
    return;
  }
  const auto *cos = static_cast<const float *>(kept.cos->host()), *sin = static_cast<const float *>(kept.sin->host());
  double worst = 0;
  for (int64_t at = 0; at < e.heads * e.tokens * e.pairs; at++) {
    const CosSin exact = e.function()(at / e.pairs / e.tokens, at / e.pairs % e.tokens, at % e.pairs);
    for (const double error : {std::fabs(cos[at] - exact.cos), std::fabs(sin[at] - exact.sin)}) {
      worst = std::max(worst, std::isnan(error) ? HUGE_VAL : error);
    }
  }
  expect(worst <= 1.5e-7, name + ": error of the table " + std::to_string(worst));
}

void checkAppend(HostDevice &device, const Sizes &s, const Encoding &e, NormPlace place, const std::string &lane,
                 bool keeps = false) {
  const std::string name = std::string("append ") + nameOf(s.k) + " " + nameOf(s.v) + " -> " + nameOf(s.cache) + " " +
                           std::to_string(e.tokens) + "x" + std::to_string(s.kvHeads) + "x" +
                           std::to_string(s.headDim) + "/" + std::to_string(s.valueDim) + " " + e.name + " norm " +
                           std::to_string(place) + " (" + lane + ")";
  Noise noise{uint64_t(s.headDim)};
  const Data k(s.k, e.tokens * s.kvHeads * s.headDim, noise), v(s.v, e.tokens * s.kvHeads * s.valueDim, noise);
  std::vector<float> weights(s.headDim);
  for (float &w : weights) w = float(1 + noise() / 2);
  gpu::AppendRequest request{.k = onDevice(device, s.k, e.tokens, s.kvHeads, s.headDim, &k),
                             .v = onDevice(device, s.v, e.tokens, s.kvHeads, s.valueDim, &v),
                             .cache = openCache(device, s),
                             .slot = s.slot,
                             .rotary = rotaryOf(device, e),
                             .norm = {place, weightsOnDevice(device, weights), 0, eps}};
  gpu::Plan plan;
  gpu::Rotary kept;
  Status status = gpu::planRotateAppend(device, request, plan, keeps ? &kept : nullptr);
  device.forget();
  if (status.ok()) status = device.run(plan.dispatches);
  if (!expect(status.ok(), name + ": " + status.message())) return;
  if (keeps) expectTable(kept, e, name);
  const Norm norm{place == NormNone ? nullptr : weights.data(), eps, place == NormAfter};
  expectClose(request.cache.keys(s.slot, e.tokens), rowsOf(k, e.tokens, s.kvHeads, s.headDim, &e, norm), 1, name + " k");
  expectClose(request.cache.values(s.slot, e.tokens), rowsOf(v, e.tokens, s.kvHeads, s.valueDim, nullptr), 1, name + " v");
  expect(untouched(request.cache.keys(0, s.capacity), s.slot, s.slot + e.tokens) &&
             untouched(request.cache.values(0, s.capacity), s.slot, s.slot + e.tokens),
         name + ": rows outside were written");
  const auto stats = device.total();
  const uint64_t angles = uint64_t(e.tokens * e.pairs * e.heads);
  expect(device.launches().size() == 1 && stats.calls.at("cosSinOfPhase") == angles, name + ": dispatches or angles");
}

/** Cached keys go from their ids to others, and to other rows: as if they had been rotated there. */
void checkRerotate(HostDevice &device, const Sizes &s, Encoding e, bool equal, int64_t first, int64_t to,
                   const std::string &lane) {
  const std::string name = std::string("rerotate ") + nameOf(s.cache) + " " + std::to_string(e.tokens) + " rows, " +
                           std::to_string(first) + " to " + std::to_string(to) + (equal ? " equal " : " each ") +
                           e.name + " (" + lane + ")";
  e.factor = 1.25;
  Noise noise{uint64_t(e.tokens)};
  const Data k(s.k, e.tokens * s.kvHeads * s.headDim, noise), v(s.v, e.tokens * s.kvHeads * s.valueDim, noise);
  const gpu::CacheView cache = openCache(device, s);
  const gpu::AppendRequest append{.k = onDevice(device, s.k, e.tokens, s.kvHeads, s.headDim, &k),
                                  .v = onDevice(device, s.v, e.tokens, s.kvHeads, s.valueDim, &v),
                                  .cache = cache,
                                  .slot = 0,
                                  .rotary = rotaryOf(device, e),
                                  .norm = {}};
  const int64_t moved = e.tokens - first;
  std::vector<double> differences(e.axes * (equal ? 1 : moved)), ids = e.ids;
  for (size_t i = 0; i < differences.size(); i++) differences[i] = equal ? -7.0 - double(i) : -double(i % 11);
  for (int64_t a = 0; a < e.axes; a++) {
    for (int64_t n = first; n < e.tokens; n++) {
      ids[a * e.tokens + n] += differences[equal ? a : a * moved + n - first];
    }
  }
  Encoding difference = e.withIds(equal ? 1 : moved, differences);
  difference.factor = 1;
  const gpu::RerotateRequest request{cache, first, moved, to, rotaryOf(device, difference), equal};
  gpu::Plan plan;
  Status status = gpu::planRotateAppend(device, append, plan);
  if (status.ok()) status = gpu::planRerotate(device, request, plan);
  if (status.ok()) status = device.run(plan.dispatches);
  if (!expect(status.ok(), name + ": " + status.message())) return;
  const Encoding after = e.withIds(e.tokens, ids);
  const auto cut = [&](std::vector<std::vector<double>> rows) {
    rows.erase(rows.begin(), rows.begin() + first * s.kvHeads);
    return rows;
  };
  expectClose(cache.keys(to, moved), cut(rowsOf(k, e.tokens, s.kvHeads, s.headDim, &after)), 2, name + " k");
  expectClose(cache.values(to, moved), cut(rowsOf(v, e.tokens, s.kvHeads, s.valueDim, nullptr)), 1, name + " v");
  if (to == first) expect(plan.dispatches.size() == 2, name + ": in place is one dispatch");
}

void checkTraffic(HostDevice &device) {
  const DType f16 = DType::Float16;
  checkAppend(device, {f16, f16, f16, 4, 128, 128, 256, 0}, mropeEncoding(256, 64), NormNone, "traffic", true);
  const auto traffic = device.total().device;
  const double kB = double(traffic.uniquePerGroupLoaded) / 1e3;
  std::printf("rotate and append 256 tokens 4x128 f16: %.0f kB loaded, %.0f kB stored\n", kB,
              double(traffic.uniquePerGroupStored) / 1e3);
  expect(kB <= 600, "rotate and append: more than 600 kB loaded");
}

void checkMistakes(HostDevice &device) {
  const DType f32 = DType::Float32;
  const Sizes s{f32, f32, f32, 2, 64, 32, 8, 0};
  const gpu::CacheView cache = openCache(device, s);
  const auto append = [&](int64_t slot, int64_t tokens, int64_t heads, int64_t dim) {
    const gpu::AppendRequest request{.k = onDevice(device, f32, tokens, heads, dim),
                                     .v = onDevice(device, f32, tokens, heads, 32),
                                     .cache = cache,
                                     .slot = slot,
                                     .rotary = rotaryOf(device, mropeEncoding(tokens, 16)),
                                     .norm = {}};
    gpu::Plan plan;
    const Status status = gpu::planRotateAppend(device, request, plan);
    return std::string(status.ok() ? "" : status.code());
  };
  expect(append(4, 4, 2, 64).empty() && append(5, 4, 2, 64) == code::capacity, "a full cache");
  expect(append(-1, 4, 2, 64) == code::capacity, "a slot before the cache");
  expect(append(0, 4, 3, 64) == code::shape && append(0, 4, 2, 48) == code::shape, "another shape");
  const auto rerotate = [&](int64_t first, int64_t tokens, int64_t to) {
    gpu::Plan plan;
    return gpu::planRerotate(device, {cache, first, tokens, to, {}, false}, plan).ok();
  };
  expect(rerotate(4, 4, 0) && !rerotate(4, 5, 0) && !rerotate(2, 4, 3) && !rerotate(2, -1, 0), "rows outside");
}

}  // namespace

int main() {
  HostDevice strict("strict"), fast("fast-math"), plain("plain");
  strict.limits_.cores = fast.limits_.cores = 1;  // few cores: several tokens a threadgroup
  checkMistakes(plain);
  const DType f32 = DType::Float32, f16 = DType::Float16, bf16 = DType::Bfloat16;
  Noise noise{4};
  const auto each = [&](HostDevice &device, const std::string &lane) {
    checkAppend(device, {f32, f32, f32, 4, 128, 128, 40, 3}, mropeEncoding(33, 64), NormNone, lane, true);
    checkAppend(device, {f16, f16, f16, 2, 72, 72, 35, 2}, mropeEncoding(33, 36), NormBefore, lane);
    checkAppend(device, {bf16, bf16, bf16, 3, 80, 40, 9, 1}, mropeEncoding(7, 40), NormAfter, lane);
    checkAppend(device, {f32, f16, bf16, 2, 64, 192, 5, 4}, mropeEncoding(1, 32), NormNone, lane);
    checkAppend(device, {f16, f32, f32, 4, 96, 33, 20, 0}, mropeEncoding(17, 32, 4), NormBefore, lane, true);
    checkAppend(device, {bf16, f16, f16, 2, 256, 256, 9, 0}, directionEncoding(9, 128, 2, noise), NormNone, lane, true);
    checkRerotate(device, {f32, f32, f32, 2, 64, 32, 60, 0}, mropeEncoding(50, 32), true, 17, 17, lane);
    checkRerotate(device, {f16, f16, f16, 2, 72, 72, 60, 0}, mropeEncoding(50, 36), false, 0, 0, lane);
    checkRerotate(device, {bf16, bf16, bf16, 3, 40, 8, 40, 0}, mropeEncoding(40, 10), true, 11, 4, lane);
    checkRerotate(device, {f32, f32, f32, 2, 10, 5, 40, 0}, mropeEncoding(40, 5, 2), false, 3, 2, lane);
  };
  for (const Order &order : orders) {
    strict.options.schedule = order.schedule;
    strict.options.seed = order.seed;
    each(strict, std::string("strict, ") + order.name);
  }
  each(fast, "fast-math");
  checkRerotate(plain, {f32, f32, f32, 1, 16, 8, 2100, 0}, mropeEncoding(2100, 8), false, 40, 33, "plain");
  HostDevice counting("strict");
  checkTraffic(counting);
  return report();
}
