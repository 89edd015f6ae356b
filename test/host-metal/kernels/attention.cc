// The attention kernels, through the planner, against the definition in float64.
//
//   attention                    everything
//   attention LANE [PART]        one lane: strict, fast-math or plain; one part, see main
//   attention LANE PART TEXT     of that part, the cases with this text in their names
//
//   strict       races, uninitialised reads, bounds, divergence, under four schedules; what moves between the kernels and
//                memory
//   fast-math    results as a compiler gives them that may assume finite numbers
//   plain        as strict, without its checks and counts: quicker
//
// float32 within 1e-5; float16 and bfloat16 within twice the error of the straightforward algorithm of their type.

#include "attention-case.h"

using namespace mrope;
using namespace mrope::test;

namespace {

constexpr DType f32 = DType::Float32, f16 = DType::Float16, bf16 = DType::Bfloat16;

std::string lane, text;

bool bits(const std::vector<double> &a, const std::vector<double> &b) { return largestError(a, b) == 0; }

/** Most that a result may be off; one rounding of it is always allowed. */
double boundOf(const AttendWorld &world, const std::vector<double> &exact) {
  const AttendCase &c = world.c;
  if (c.q == f32 && c.k == f32 && c.v == f32 && c.out == f32) return 1e-5;
  double largest = 0;
  for (double x : exact) largest = std::max(largest, std::fabs(x));
  return std::max(2 * largestError(world.straightforward(), exact), largest * roundingOf(c.out));
}

bool doubtful(const gpu::AttendPlan &plan, const AttendCase &c) {
  const auto *bytes = static_cast<const uint8_t *>(plan.doubt->host());
  return std::any_of(bytes, bytes + c.queries * c.heads, [](uint8_t byte) { return byte != 0; });
}

void checkCase(HostDevice &device, const AttendCase &c, uint64_t seed) {
  const std::string name = lane + ": " + c.name() + ", seed " + std::to_string(seed);
  AttendWorld world(c, seed);
  gpu::AttendRequest request;
  gpu::AttendPlan plan;
  device.limits_.cores = c.cores;
  if (Status s = world.upload(device, request); !s.ok()) return (void)expect(false, name + ": " + s.message());
  expect(c.angles != AngleSource::PerId || request.rotary.kind == AnglesPerId, name + ": a table per token");
  const gpu::AttendCost cost = gpu::costOf(device.limits(), request);
  if (Status s = gpu::planAttend(device, request, plan); !s.ok()) return (void)expect(false, name + ": " + s.message());
  expect(cost.scratchBytes == plan.scratchBytes && cost.dispatches == int64_t(plan.dispatches.size()),
         name + ": planned " + std::to_string(cost.scratchBytes) + " bytes and " + std::to_string(cost.dispatches) +
             " dispatches, took " + std::to_string(plan.scratchBytes) + " and " +
             std::to_string(plan.dispatches.size()));
  const std::vector<double> exact = world.exact();
  const double bound = boundOf(world, exact);
  struct Run {
    metal_host::Schedule schedule;
    uint64_t seed;
  };
  const Run runs[] = {{metal_host::Schedule::InOrder, 1}, {metal_host::Schedule::Reverse, 1},
                      {metal_host::Schedule::Random, 1}, {metal_host::Schedule::Random, 2}};
  std::vector<double> first;
  for (const Run &run : runs) {
    if (lane == "fast-math" && !first.empty()) continue;
    device.options.schedule = run.schedule;
    device.options.seed = run.seed;
    std::memset(request.out.buffer->host(), 0xff, request.out.buffer->bytes());
    if (Status s = device.run(plan.dispatches); !s.ok()) return (void)expect(false, name + ": " + s.message());
    const std::vector<double> result = world.result(request);
    const double error = largestError(result, exact);
    char figures[96];
    std::snprintf(figures, sizeof figures, ": error %.3g, bound %.3g", error, bound);
    if (!expect(error <= bound, name + figures)) return;
    if (first.empty()) first = result;
    expect(bits(first, result), name + ": another schedule, other bits");
  }
  expect(!doubtful(plan, c), name + ": doubts a finite row");
  device.options.schedule = metal_host::Schedule::InOrder;
}

void checkAll(HostDevice &device, const std::vector<AttendCase> &cases) {
  for (const AttendCase &c : cases) {
    if (c.name().find(text) != std::string::npos) checkCase(device, c, 1);
  }
}

/** Other shapes of the tile: those of other families, and the smallest. */
void checkShapes() {
  for (gpu::Family family : {gpu::Family::Apple7, gpu::Family::Apple9}) {
    for (size_t memory : {size_t(32768), size_t(14000)}) {
      HostDevice device(lane);
      device.limits_.family = family;
      device.limits_.threadgroupBytes = memory;
      device.options.threadgroupLimit = memory;
      for (DType type : {f16, bf16}) {
        for (int64_t dim : {80, 128, 192}) {
          if (memory < 32768 && dim == 192) continue;
          AttendCase c = AttendCase{}.sized(40, 77, 14, 2, dim).types(type);
          checkCase(device, c, 2);
          c.sized(40, 40, 2, 2, dim).keysAre = Keys::Raw;
          c.causal = false;
          checkCase(device, c, 2);
        }
      }
    }
  }
}

}  // namespace

int main(int count, char **values) {
  const std::string only = count > 2 ? values[2] : "";
  for (int i = 3; i < count; i++) text += std::string(i > 3 ? " " : "") + values[i];
  for (const char *each : {"strict", "fast-math", "plain"}) {
    if (count > 1 ? std::string(values[1]) != each : std::string(each) == "plain") continue;
    lane = each;
    HostDevice device(lane);
    const auto part = [&](const char *name, const auto &run) {
      if (only.empty() || only == name) run();
    };
    if (lane != "fast-math") {
      part("dims", [&] { checkAll(device, dimCases()); });
      part("sizes", [&] { checkAll(device, sizeCases()); });
      part("shapes", checkShapes);
      part("doubt", [] { attentionDoubt(lane); });
    }
    part("masks", [&] { checkAll(device, maskCases()); });
    part("biases", [&] { checkAll(device, biasCases()); });
    part("angles", [&] { checkAll(device, angleCases()); });
    part("others", [&] { checkAll(device, otherCases()); });
    part("fallback", [] { attentionFallback(lane); });
    part("lanes", [] { laneOrder(lane); });
    if (lane != "strict") continue;
    part("refusals", attentionRefusals);
    part("alignment", attentionAlignment);
    part("traffic", attentionTraffic);
  }
  return report();
}
