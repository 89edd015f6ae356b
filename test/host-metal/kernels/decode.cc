// metal/decode.metal through its plan: one token on a cache, against float64.

#include "../../../native/gpu/redo.h"
#include "decode-case.h"

using namespace mrope;
using namespace mrope::test;

namespace {

const DType f32 = DType::Float32, f16 = DType::Float16, bf16 = DType::Bfloat16;

void check(HostDevice &device, const DecodeCase &c, const std::string &lane) {
  const std::string name = c.name() + " (" + lane + ")";
  DecodeRun run(device, c);
  const Status s = run.decode(device);
  if (!expect(s.ok(), name + ": " + s.message())) return;
  const std::vector<double> exact = run.exact();
  const double naive = largestError(run.straightforward(), exact);
  const bool wide = c.q == f32 && c.cache == f32 && c.out == f32;
  const double error = largestError(run.result(), exact), most = wide ? 1e-5 : 2 * naive;
  expect(error <= most, name + ": error " + std::to_string(error) + ", allowed " + std::to_string(most));
  expect(!run.doubted(), name + ": rows in doubt");
  expect(run.appended(), name + ": the new value is not in the cache");

  const auto stats = device.total();
  const auto &launches = device.launches();
  const uint64_t groups = launches.front().stats.threadgroups;
  const bool split = launches.size() == 2 && launches.back().kernel == "decode_reduce";
  const bool wideGroup = c.heads / c.kvHeads > 16 && c.append;
  expect(split || launches.size() == (wideGroup ? 2u : 1u), name + ": " + std::to_string(launches.size()) + " dispatches");
  expect(wideGroup || stats.calls.at("cosSinOfPhase") == (c.rotates && !c.table ? groups * c.pairs : 0),
         name + ": angles made more than once a threadgroup");
  for (const auto &launch : launches) expect(launch.stats.threadgroupBytes <= 32768, name + ": threadgroup memory");
}

std::vector<DecodeCase> cases() {
  std::vector<DecodeCase> all = {
      {f32, f32, f32, f32, 14, 2, 128, 128, 100, 64},
      {f16, f16, f16, f16, 14, 2, 128, 128, 333, 64},
      {bf16, bf16, bf16, bf16, 14, 2, 128, 128, 100, 64},
      {f16, f16, f16, f16, 8, 2, 64, 64, 65, 32},
      {f32, f32, f32, f32, 4, 4, 72, 72, 33, 36},
      {bf16, bf16, bf16, bf16, 6, 2, 80, 80, 100, 40},
      {f16, f16, f16, f16, 3, 1, 96, 96, 17, 48},
      {f16, f16, f16, f16, 4, 2, 192, 192, 77, 96},
      {f32, f32, f32, f32, 2, 1, 192, 192, 33, 96},
      {f16, f16, f16, f16, 4, 2, 256, 256, 77, 128},
      {f32, f32, f32, f32, 8, 1, 256, 256, 40, 128},
      {f16, f16, f16, f16, 4, 1, 192, 128, 50, 32},
      {bf16, bf16, bf16, bf16, 5, 1, 64, 256, 50, 16},
      {f32, f32, f32, f32, 8, 1, 128, 128, 1, 64},
      {f32, f32, f32, f32, 16, 1, 128, 128, 50, 64},
      {f16, f16, f16, f16, 33, 1, 64, 64, 31, 32},
      {f32, f32, f32, f32, 4, 2, 64, 64, 777, 32, true, NormNone, BiasKind::None, 0, 0, 1, false, true, 64},
      {f16, f16, f16, f16, 14, 2, 128, 128, 777, 64, true, NormBefore, BiasKind::None, 0, 0, 1, false, true, 64},
      {f32, f32, f32, f32, 4, 2, 64, 64, 777, 32, true, NormNone, BiasKind::None, 0, 0, 1, false, true, 64, true},
      {f32, f32, f32, f32, 4, 2, 64, 64, 40, 15, true, NormBefore, BiasKind::None, 0, 0, 2, true},
      {bf16, bf16, bf16, bf16, 4, 2, 72, 72, 40, 36, true, NormAfter, BiasKind::None, 0, 0, 2},
      {f32, f32, f32, f32, 4, 2, 80, 80, 100, 40, true, NormNone, BiasKind::None, 33},
      {f32, f32, f32, f32, 4, 2, 80, 80, 100, 40, true, NormNone, BiasKind::None, 0, 37},
      {f32, f32, f32, f32, 4, 2, 80, 80, 30, 40, true, NormNone, BiasKind::None, 0, 30},
      {f32, f32, f32, f32, 4, 2, 64, 64, 40, 32, true, NormNone, BiasKind::Tensor},
      {f16, f16, f16, f16, 4, 2, 64, 64, 40, 32, true, NormNone, BiasKind::Tensor},
      {bf16, bf16, bf16, bf16, 6, 2, 64, 64, 40, 32, false, NormNone, BiasKind::Tensor},
      {f32, f32, f32, f32, 6, 2, 64, 64, 777, 32, true, NormNone, BiasKind::Slope, 0, 5, 1, false, true, 64},
      {f16, f16, f16, f16, 6, 2, 64, 64, 60, 32, true, NormNone, BiasKind::Distance, 50},
      {f32, f32, f32, f32, 18, 2, 64, 64, 40, 32, false, NormNone, BiasKind::Grid},
      {f32, f32, f32, f32, 6, 2, 64, 64, 40, 32, true, NormNone, BiasKind::Difference},
      {f32, f32, f16, f32, 7, 1, 128, 128, 40, 64},
      {f16, f32, bf16, f32, 7, 1, 128, 128, 40, 64},
      {bf16, bf16, f32, f16, 7, 1, 128, 128, 40, 64},
      {f32, f32, f32, f32, 7, 1, 128, 128, 40, 64, true, NormNone, BiasKind::None, 0, 0, 1, false, false},
      {f16, f16, f16, f16, 7, 1, 128, 128, 40, 64, false, NormNone, BiasKind::None, 0, 0, 1, false, false},
  };
  // Once more with a table: plain, one angle for each KV head, neighbouring pairs with a norm, split keys.
  for (DecodeCase c : {DecodeCase{f32, f32, f32, f32, 14, 2, 128, 128, 100, 64},
                       {bf16, bf16, bf16, bf16, 4, 2, 72, 72, 40, 36, true, NormAfter, BiasKind::None, 0, 0, 2},
                       {f32, f32, f32, f32, 4, 2, 64, 64, 40, 15, true, NormBefore, BiasKind::None, 0, 0, 1, true},
                       {f16, f16, f16, f16, 14, 2, 80, 80, 777, 40, true, NormNone, BiasKind::None, 0, 0, 1, false,
                        true, 64}}) {
    c.table = true;
    all.push_back(c);
  }
  return all;
}

void checkTraffic(HostDevice &device) {
  DecodeCase c{f16, f16, f16, f16, 28, 4, 128, 128, 2048, 64};
  c.table = true;
  check(device, c, "traffic");
  const auto traffic = device.total().device;
  const double kB = double(traffic.uniquePerGroupLoaded) / 1e3;
  std::printf("decode 28/4x128 f16, 2048 keys: %.0f kB loaded in %zu dispatches, %.0f kB stored\n", kB,
              device.launches().size(), double(traffic.uniquePerGroupStored) / 1e3);
  expect(kB <= 4400, "decode: more than 4400 kB loaded");
}

/** NaN and infinite inputs are noticed, whatever the split, and the rows done again are those of the definition. */
void checkDoubt(HostDevice &device) {
  for (const uint32_t cores : {8u, 64u}) {
    for (const double wrong : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
      for (const int place : {0, 1, 2, 3}) {
        const int which = std::min(place, 2), channel = place == 3 ? 4 : 5;
        DecodeCase c{f32, f32, f32, f32, 4, 2, 64, 64, 600, 32};
        c.cores = cores;
        DecodeRun run(device, c);
        run.spoil(device, which, channel, wrong);
        const std::string name = c.name() + " with " + std::to_string(wrong) + " in " + "qkv"[which];
        const Status s = run.decode(device);
        if (!expect(s.ok() && run.doubted(), name + ": not noticed " + s.message())) continue;
        const int64_t done = gpu::redoRows(run.again(), *run.request.doubt, {});
        const double error = largestError(run.result(), run.exact());
        expect(done > 0 && error <= 1e-5, name + ": done again, error " + std::to_string(error));
      }
    }
  }
}

void checkMistakes(HostDevice &device) {
  const DecodeCase c{f32, f32, f32, f32, 4, 2, 64, 64, 10, 32};
  const auto codeOf = [&](auto change) {
    DecodeRun run(device, c);
    change(run.request);
    gpu::Plan plan;
    const Status s = gpu::planDecode(device, run.request, plan);
    return std::string(s.ok() ? "" : s.code());
  };
  using Request = gpu::DecodeRequest;
  expect(codeOf([](Request &) {}).empty(), "a request without mistakes");
  expect(codeOf([](Request &r) { r.slot = 13; }) == code::capacity, "a slot behind the cache");
  expect(codeOf([](Request &r) { r.keys.end = 12; }) == code::capacity, "keys behind the query");
  expect(codeOf([](Request &r) { r.cache.kvHeads = 3; }) != "", "another number of heads");
  expect(codeOf([](Request &r) { r.q.dim = 32; }) == code::shape, "another head dim");
  expect(codeOf([](Request &r) { r.k.tokens = 2; }) != "", "two new keys");
  expect(codeOf([](Request &r) { r.doubt = nullptr; }) == code::shape, "nowhere to doubt");
  expect(codeOf([](Request &r) { r.out.offset = 8; }) == code::shape, "an output that ends behind its buffer");
  expect(!gpu::decodes(100, 64) && !gpu::decodes(264, 64) && gpu::decodes(88, 8), "head dims");
}

}  // namespace

/** decode [TEXT]: only the cases with this text in their names. */
int main(int count, char **arguments) {
  std::string only;
  for (int i = 1; i < count; i++) only += std::string(i > 1 ? " " : "") + arguments[i];
  HostDevice strict("strict"), fast("fast-math"), plain("plain");
  for (const DecodeCase &c : cases()) {
    if (c.name().find(only) == std::string::npos) continue;
    for (const Order &order : orders) {
      strict.options.schedule = order.schedule;
      strict.options.seed = order.seed;
      check(strict, c, std::string("strict, ") + order.name);
    }
    check(fast, c, "fast-math");
  }
  if (!only.empty()) return report();
  checkMistakes(plain);
  checkDoubt(plain);
  HostDevice counting("strict");
  checkTraffic(counting);
  return report();
}
