// What the attention planner refuses and copies first, which rows the kernels doubt, and devices with less room.

#include "../../../native/gpu/lane-order.h"
#include "../../../native/gpu/redo.h"
#include "attention-case.h"

namespace mrope::test {
namespace {

void refuses(const std::string &what, const char *code, const std::string &text, const AttendCase &c,
             const std::function<void(gpu::AttendRequest &)> &change) {
  HostDevice device("strict");
  AttendWorld world(c, 1);
  gpu::AttendRequest request;
  gpu::AttendPlan plan;
  if (Status s = world.upload(device, request); !s.ok()) return (void)expect(false, what + ": " + s.message());
  change(request);
  const Status s = gpu::planAttend(device, request, plan);
  expect(!s.ok() && std::string(s.code()) == code && s.message().find(text) != std::string::npos,
         "refuses " + what + ": " + (s.ok() ? "taken" : std::string(s.code()) + " " + s.message()));
  expect(plan.dispatches.empty() && plan.scratchBytes == 0, what + ": planned something all the same");
}

}  // namespace

void attentionRefusals() {
  const AttendCase square = AttendCase{}.sized(100, 100, 4, 2, 64);
  static const std::vector<int32_t> falling = {0, 60, 40, 100}, shortOf = {0, 60, 99}, late = {1, 100};
  const auto segments = [](const std::vector<int32_t> &cu) {
    return [&cu](gpu::AttendRequest &r) { r.mask.cuSeqlens = cu.data(), r.mask.segments = int64_t(cu.size()) - 1; };
  };
  refuses("segments that fall", code::segment, "entry 2 is 40", square, segments(falling));
  refuses("segments that end early", code::segment, "from 0 to", square, segments(shortOf));
  refuses("segments that begin late", code::segment, "from 0 to", square, segments(late));
  refuses("segments of a chunk", code::segment, "as many queries as keys", AttendCase{}.sized(3, 100, 4, 2, 64),
          segments(falling));
  refuses("a head dim of 264", code::shape, "head dims of up to 256, q has 264", AttendCase{}.sized(3, 3, 2, 1, 264),
          [](gpu::AttendRequest &) {});
  AttendCase wide = AttendCase{}.sized(3, 3, 2, 1, 64);
  wide.valueDim = 300;
  refuses("a value dim of 300", code::shape, "v has 300", wide, [](gpu::AttendRequest &) {});
  refuses("a window of −1", code::argument, "mask.window", square, [](gpu::AttendRequest &r) { r.mask.window = -1; });
  refuses("3 query heads for 2", code::heads, "do not divide", square,
          [](gpu::AttendRequest &r) { r.q.heads = 3, r.out.heads = 3; });
  refuses("queries past the keys", code::shape, "queryOffset 1", square,
          [](gpu::AttendRequest &r) { r.queryOffset = 1; });
  refuses("columns past the angles", code::shape, "the queries use rows 1", square,
          [](gpu::AttendRequest &r) { r.tableOffset = 1; });
  refuses("a buffer that ends early", code::shape, "ends at byte", square,
          [](gpu::AttendRequest &r) { r.k.tokenStride = 1 << 20; });
  refuses("a scale of NaN", code::argument, "scale", square, [](gpu::AttendRequest &r) { r.scale = std::nan(""); });
}

void attentionAlignment() {
  AttendCase c = AttendCase{}.sized(33, 33, 4, 2, 64);
  c.gap = 8;  // room behind the last row
  HostDevice device("strict");
  AttendWorld world(c, 1);
  gpu::AttendRequest request;
  if (Status s = world.upload(device, request); !s.ok()) return (void)expect(false, "alignment: " + s.message());
  for (const auto &[name, view] : {std::pair{"k", &request.k}, {"v", &request.v}, {"out", &request.out}}) {
    for (size_t shift : {0, 4, 8, 16}) {
      gpu::AttendPlan plan;
      view->offset += shift;
      const Status s = gpu::planAttend(device, request, plan);
      view->offset -= shift;
      const bool copies = plan.dispatches.size() == 2;
      expect(s.ok() && copies == (shift % 16 != 0),
             std::string("alignment: ") + name + " " + std::to_string(shift) + " bytes on: " +
                 std::to_string(plan.dispatches.size()) + " dispatches " + s.message());
    }
  }
}

void attentionDoubt(const std::string &lane) {
  // More than one block of keys, so that the running maximum is at work: on few cores whole, on more in parts.
  for (const auto &[queries, cores] : {std::pair<int64_t, uint32_t>{150, 1}, {3, 8}}) {
    struct Change {
      const char *name;
      std::function<void(AttendWorld &)> apply;
      bool doubts;
    };
    const auto key = [](int64_t j, int64_t channel, double x) {
      return [=](AttendWorld &w) { w.k.set((j * w.c.kvHeads + 1) * w.c.dim + channel, x); };
    };
    const auto value = [](int64_t j, int64_t channel, double x) {
      return [=](AttendWorld &w) { w.v.set((j * w.c.kvHeads + 1) * w.c.valueDim + channel, x); };
    };
    const Change changes[] = {
        {"nothing odd", [](AttendWorld &) {}, false},
        {"a NaN key", key(100, 3, std::nan("")), true},
        {"an infinite key", key(60, 0, HUGE_VAL), true},
        {"a NaN query", [](AttendWorld &w) { w.q.set(5, std::nan("")); }, true},
        {"an infinite value", value(70, 2, -HUGE_VAL), true},
        {"a NaN value", value(149, 7, std::nan("")), true},
        {"scores beyond float32", [](AttendWorld &w) { w.a.scale = 1e300; }, true},
        {"scores far below", [](AttendWorld &w) {
           for (int64_t i = 0; i < w.q.length(); i++) w.q.set(i, 1e18);
           for (int64_t i = 0; i < w.k.length(); i++) w.k.set(i, -1e18);
         }, true},
    };
    for (const Change &change : changes) {
      AttendCase c = AttendCase{}.sized(queries, 150, 4, 2, 16);
      const std::string name = lane + ": doubt, " + std::to_string(queries) + " queries, " + change.name;
      HostDevice device(lane);
      device.limits_.cores = cores;
      AttendWorld world(c, 3);
      change.apply(world);
      gpu::AttendRequest request;
      gpu::AttendPlan plan;
      Status s = world.upload(device, request);
      if (s.ok()) s = gpu::planAttend(device, request, plan);
      if (s.ok()) s = device.run(plan.dispatches);
      if (!expect(s.ok(), name + ": " + s.message())) continue;
      expect((plan.cost.splits > 1) == (queries == 3), name + ": parts of the keys");
      const int64_t again = gpu::redoRows(request, *plan.doubt, {});
      expect((again > 0) == change.doubts, name + ": " + std::to_string(again) + " rows done again");
      const double error = largestError(world.result(request), world.exact());
      expect(error <= 1e-5, name + ": error " + std::to_string(error));
    }
  }
}

namespace {

/** A device whose kernels take more registers than the table expects. */
class NarrowDevice : public HostDevice {
 public:
  NarrowDevice(const std::string &lane, uint32_t threads) : HostDevice(lane), threads_(threads) {}
  Status pipeline(const gpu::PipelineKey &key, gpu::PipelineRef &out) override {
    for (const auto &[name, value] : key.macros) {
      if (name == "MROPE_SIMDGROUPS") asked.push_back(std::stoi(value));
    }
    Status s = HostDevice::pipeline(key, out);
    narrowed_.most = threads_;
    // Built pipelines answer with what the device has room for; the executor runs the one that was taken.
    if (s.ok() && !asked.empty() && uint32_t(asked.back()) * 32 > threads_) {
      out = std::shared_ptr<gpu::Pipeline>(&narrowed_, [](gpu::Pipeline *) {});
    }
    return s;
  }
  std::vector<int> asked;

 private:
  struct Narrow : gpu::Pipeline {
    uint32_t most = 0;
    uint32_t maxThreads() const override { return most; }
    uint32_t threadgroupBytes() const override { return 0; }
  };
  uint32_t threads_;
  Narrow narrowed_;
};

}  // namespace

void attentionFallback(const std::string &lane) {
  const AttendCase c = AttendCase{}.sized(40, 40, 4, 2, 128).types(DType::Float16);
  for (const auto &[threads, simdgroups] : {std::pair<uint32_t, int>{256, 8}, {224, 4}, {64, 1}}) {
    const std::string name = lane + ": kernels of at most " + std::to_string(threads) + " threads";
    NarrowDevice device(lane, threads);
    device.limits_.family = gpu::Family::Apple7;
    AttendWorld world(c, 1);
    gpu::AttendRequest request;
    gpu::AttendPlan plan;
    Status s = world.upload(device, request);
    if (s.ok()) s = gpu::planAttend(device, request, plan);
    if (s.ok()) s = device.run(plan.dispatches);
    if (!expect(s.ok(), name + ": " + s.message())) continue;
    expect(plan.shape.simdgroups == simdgroups, name + ": " + std::to_string(plan.shape.simdgroups) + " simdgroups");
    const std::vector<double> exact = world.exact();
    const double bound = 2 * largestError(world.straightforward(), exact);
    expect(largestError(world.result(request), exact) <= bound, name + ": error");
  }
  NarrowDevice device(lane, 16);
  AttendWorld world(c, 1);
  gpu::AttendRequest request;
  gpu::AttendPlan plan;
  Status s = world.upload(device, request);
  if (s.ok()) s = gpu::planAttend(device, request, plan);
  const bool refused = !s.ok() && std::string(s.code()) == code::device;
  expect(refused, lane + ": a device without room for the smallest tile: " + s.message());
}

void laneOrder(const std::string &lane) {
  HostDevice device(lane);
  for (metal_host::Schedule schedule : {metal_host::Schedule::InOrder, metal_host::Schedule::Reverse}) {
    device.options.schedule = schedule;
    gpu::Plan plan;
    gpu::BufferRef wrong;
    Status s = gpu::planLaneOrder(device, plan, wrong);
    if (s.ok()) s = device.run(plan.dispatches);
    if (s.ok()) s = gpu::checkLanes(device.limits(), *wrong);
    expect(s.ok(), lane + ": lane order: " + s.message());
    static_cast<uint32_t *>(wrong->host())[9] = 1;
    s = gpu::checkLanes(device.limits(), *wrong);
    expect(!s.ok() && s.message().find("lane 9") != std::string::npos, lane + ": a lane of another order is an error");
  }
}

}  // namespace mrope::test
