// What the attention kernels move and compute, counted by the executor, against the bars.

#include "attention-case.h"

namespace mrope::test {
namespace {

/** Kilobytes into the cores, the same byte once for each threadgroup. */
double kilobytes(const HostDevice &device, const std::string &kernel) {
  double sum = 0;
  for (const HostDevice::Launch &launch : device.launches()) {
    if (kernel.empty() || launch.kernel == kernel) sum += double(launch.stats.device.uniquePerGroupLoaded) / 1e3;
  }
  return sum;
}

struct Bar {
  std::string what;
  double most;
};

void atMost(double figure, const Bar &bar) {
  char text[160];
  std::snprintf(text, sizeof text, "%s: %.0f, bar %.0f", bar.what.c_str(), figure, bar.most);
  std::printf("%s\n", text);
  expect(figure <= bar.most, text);
}

void equals(int64_t figure, int64_t expected, const std::string &what) {
  expect(figure == expected, what + ": " + std::to_string(figure) + ", expected " + std::to_string(expected));
}

/** Runs a plan and holds what the executor counted to what the planner knew. */
bool runCounted(HostDevice &device, const std::vector<gpu::Dispatch> &dispatches, const gpu::AttendPlan &plan,
                const std::string &name) {
  device.forget();
  if (Status s = device.run(dispatches); !s.ok()) return expect(false, name + ": " + s.message());
  for (const HostDevice::Launch &launch : device.launches()) {
    if (launch.kernel != "attention") continue;
    equals(int64_t(launch.stats.mmas), plan.cost.matrixProducts, name + ": products of matrices");
    equals(int64_t(launch.stats.threadgroups), plan.cost.threadgroups, name + ": threadgroups");
    expect(launch.stats.threadgroupBytes <= 32768, name + ": threadgroup memory");
  }
  return true;
}

/** A case on a device of its own, planned and run; `more` stands before the attention. */
struct Counted {
  HostDevice device{"strict"};
  AttendWorld world;
  gpu::AttendRequest request;
  gpu::AttendPlan plan;
  std::string name;

  Counted(std::string what, const AttendCase &c) : world(c, 1), name(std::move(what)) {}

  bool plans() {
    Status s = world.upload(device, request);
    if (s.ok()) s = gpu::planAttend(device, request, plan);
    return expect(s.ok(), name + ": " + s.message());
  }
  bool runs() { return runCounted(device, plan.dispatches, plan, name); }
  int64_t angles() const { return int64_t(device.total().calls["cosSinOfPhase"]); }
};

/** Pairs of a case of `pairs` that turn, as AttendWorld deals them out. */
constexpr int64_t turningPairs(int64_t pairs) { return pairs - pairs / 11; }

/**
 * A layer over new tokens, as a step of a cache takes it: raw keys into the cache, then attention on the cache. Each
 * angle is made once, by the append; the attention reads it.
 */
bool layerTraffic(Counted &t, int64_t slot, int64_t dispatches) {
  const int64_t tokens = t.world.a.q.tokens, kvHeads = t.world.a.k.heads;
  gpu::AppendRequest append;
  for (gpu::View *view : {&append.k, &append.v}) {
    *view = gpu::View::of(nullptr, DType::Float16, tokens, kvHeads, 128);
    const std::vector<uint16_t> zeros(tokens * kvHeads * 128);
    const Status s = t.device.upload(zeros.data(), zeros.size() * 2, view->buffer);
    if (!expect(s.ok(), t.name + ": " + s.message())) return false;
  }
  gpu::View &k = t.request.k, &v = t.request.v;
  const int64_t capacity = k.headStride / k.tokenStride;
  append.cache = {k.buffer, v.buffer, k.offset, v.offset, DType::Float16, kvHeads, 128, 128, capacity};
  append.slot = slot;
  append.rotary = t.request.rotary.from(slot);
  gpu::AttendRequest request = t.request;
  request.tableOffset = 0;
  gpu::AttendPlan layer;
  Status s = gpu::planRotateAppend(t.device, append, layer, &request.rotary);
  if (s.ok()) s = gpu::planAttend(t.device, request, layer);
  if (!expect(s.ok(), t.name + ": " + s.message())) return false;
  equals(int64_t(layer.dispatches.size()), dispatches, t.name + ": dispatches of a layer");
  if (!runCounted(t.device, layer.dispatches, layer, t.name)) return false;
  const bool byTurns = t.request.rotary.kind == AnglesTurns;
  equals(t.angles(), byTurns ? tokens * turningPairs(64) : 0, t.name + ": sines and cosines of a layer");
  return true;
}

/** A decoder layer over a new prompt. */
void prefillTraffic(AngleSource source) {
  AttendCase c = AttendCase{}.sized(256, 256, 28, 4, 128).types(DType::Float16);
  c.angles = source;
  Counted t(std::string("prefill of 256 tokens, 28/4×128 f16, angles from ") +
                (source == AngleSource::Table ? "a table" : "turns"), c);
  if (!t.plans() || !layerTraffic(t, 0, 2)) return;
  atMost(kilobytes(t.device, "attention"), {t.name + ", kB", 10500});
  if (source == AngleSource::Turns) atMost(kilobytes(t.device, "rotate_append"), {t.name + ", append, kB", 600});
  equals(t.plan.cost.matrixProducts, 499712, t.name + ": products of matrices");
}

void chunkTraffic() {
  Counted t("a chunk of 9 tokens on 512 keys, 28/4×128 f16",
            AttendCase{}.sized(9, 512, 28, 4, 128).types(DType::Float16));
  // 3: the attention is split.
  if (!t.plans() || !layerTraffic(t, 503, 3)) return;
  atMost(kilobytes(t.device, "attention") + kilobytes(t.device, "attention_reduce"), {t.name + ", kB", 2700});
  equals(t.plan.cost.matrixProducts, 65536, t.name + ": products of matrices");
  equals(t.plan.cost.threadgroups, 28, t.name + ": threadgroups");
}

void windowTraffic() {
  AttendCase c = AttendCase{}.sized(256, 256, 16, 16, 80).types(DType::Float16);
  c.causal = false;
  c.cuSeqlens = {0, 64, 128, 192, 256};
  c.angles = AngleSource::PerId;
  c.keysAre = Keys::Raw;
  Counted t("ViT 16×80 f16, 4 windows of 64, everything", c);
  // The ids of a picture of 16×16 patches, window by window of 8×8; half of the pairs by row, half by column.
  for (int64_t n = 0; n < 256; n++) {
    const int64_t window = n / 64, place = n % 64;
    t.world.ids[n] = 0;
    t.world.ids[256 + n] = double(window / 2 * 8 + place / 8);
    t.world.ids[512 + n] = double(window % 2 * 8 + place % 8);
  }
  for (int64_t f = 0; f < 40; f++) t.world.axisOf[f] = f < 20 ? 1 : 2;
  if (!t.plans() || !t.runs()) return;
  atMost(kilobytes(t.device, ""), {t.name + ", kB", 2100});
  equals(int64_t(t.plan.dispatches.size()), 1, t.name + ": dispatches");
  equals(t.plan.cost.matrixProducts, 81920, t.name + ": products of matrices");
  equals(t.angles(), 0, t.name + ": sines and cosines beside the table per id");
}

}  // namespace

void attentionTraffic() {
  prefillTraffic(AngleSource::Turns);
  prefillTraffic(AngleSource::Table);
  chunkTraffic();
  windowTraffic();
}

}  // namespace mrope::test
