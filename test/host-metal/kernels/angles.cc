// cos and sin as the kernels make them, against long double: rows (1, 0) come out of `rotate` as (cos, sin).

#include <numbers>

#include "../../../native/gpu/rotate.h"
#include "rotation.h"

using namespace mrope;
using namespace mrope::test;

namespace {

constexpr double bound = 1.5e-7;

/** Largest absolute error of all cosines and sines of an encoding, infinite where the work failed. */
double largestAngleError(HostDevice &device, const Encoding &e, gpu::AngleUse use, AngleKind expected) {
  gpu::Rotary rotary;
  if (const Status s = gpu::rotaryFrom(device, e.angles(), e.adjacent, use, {}, rotary); !s.ok()) {
    return expect(false, s.message()) ? 0 : HUGE_VAL;
  }
  expect(rotary.kind == expected, e.name + ": angles of kind " + std::to_string(rotary.kind));
  Data x(DType::Float32, e.tokens * e.heads * 2 * e.pairs);
  for (int64_t i = 0; i < x.length(); i++) {
    const int64_t channel = i % (2 * e.pairs);
    x.set(i, e.adjacent ? channel % 2 == 0 : channel < e.pairs);
  }
  const gpu::View from = onDevice(device, DType::Float32, e.tokens, e.heads, 2 * e.pairs, &x);
  const gpu::View to = onDevice(device, DType::Float32, e.tokens, e.heads, 2 * e.pairs);
  gpu::Plan plan;
  Status s = gpu::planRotate(device, {.x = from, .out = to, .rotary = rotary, .norm = {}}, plan);
  if (s.ok()) s = device.run(std::move(plan.dispatches));
  if (!s.ok()) return expect(false, e.name + ": " + s.message()) ? 0 : HUGE_VAL;
  const Data out = onHost(to);
  double worst = 0;
  for (int64_t row = 0; row < e.tokens * e.heads; row++) {
    for (int64_t f = 0; f < e.pairs; f++) {
      const long double theta = e.angle(row % e.heads, row / e.heads, f);
      const int64_t at = row * 2 * e.pairs;
      const double c = out.at(at + (e.adjacent ? 2 * f : f)), s = out.at(at + (e.adjacent ? 2 * f + 1 : f + e.pairs));
      worst = std::max({worst, double(fabsl(c - cosl(theta))), double(fabsl(s - sinl(theta)))});
    }
  }
  return worst;
}

void check(HostDevice &device, const Encoding &e, AngleKind kind = AnglesTurns, gpu::AngleUse use = gpu::AngleUse::Once) {
  const double worst = largestAngleError(device, e, use, kind);
  std::printf("%-44s %.2e\n", e.name.c_str(), worst);
  expect(worst <= bound, e.name + ": error " + std::to_string(worst));
}

/** Ids lowest … highest in steps of 2^−bits: both ends, their neighbours, and random ones between. */
Encoding idsBetween(const char *name, int64_t tokens, double base, double lowest, double highest, int bits) {
  Encoding e{.name = name, .tokens = tokens, .pairs = 64};
  e.name += " base " + std::to_string(int(base));
  e.invFreq = frequencies(e.pairs, base);
  e.axisOf.assign(e.pairs, 0);
  Noise noise{uint64_t(bits) + 17};
  const double step = std::ldexp(1.0, -bits), steps = (highest - lowest) / step;
  for (int64_t n = 0; n < tokens; n++) {
    const double at = n < 4 ? double(n) : n < 8 ? steps - double(n - 4) : std::floor((noise() + 1) / 2 * steps);
    e.ids.push_back(lowest + at * step);
  }
  return e;
}

/** 2^20 phases, spread over the whole turn: pair f turns by (2f + 1) / 2^32 turns a step. */
Encoding allPhases() {
  Encoding e{.name = "phases all over the turn", .tokens = 2048, .pairs = 512};
  for (int64_t f = 0; f < e.pairs; f++) e.invFreq.push_back(double(2 * f + 1) * 2 * std::numbers::pi * 0x1p-32);
  e.axisOf.assign(e.pairs, 0);
  for (int64_t n = 0; n < e.tokens; n++) e.ids.push_back(double(n * 2097143 % (int64_t(1) << 31)));
  return e;
}

void checkRanges(HostDevice &device, int64_t tokens) {
  const double m24 = 0x1p24, m23 = 0x1p23;
  for (const double base : {1e4, 1e6}) {
    check(device, idsBetween("ids to 2^15", tokens, base, 0, 32768, 0));
    check(device, idsBetween("ids to 2^24", tokens, base, 0, m24, 0));
    check(device, idsBetween("ids from -2^24", tokens, base, -m24, 0, 0));
    check(device, idsBetween("ids to 2^31", tokens, base, 0, 2147483647, 0));
    check(device, idsBetween("1/256 to 2^23", tokens, base, 0, m23 - 1.0 / 256, 8));
    check(device, idsBetween("1/256 from -2^23", tokens, base, 1.0 / 256 - m23, 0, 8));
    check(device, idsBetween("1/128 to 2^24", tokens, base, -m24 + 1.0 / 128, m24 - 1.0 / 128, 7));
  }
}

void checkAllocations(HostDevice &device) {
  Noise noise{5};
  check(device, mropeEncoding(33, 64));
  check(device, mropeEncoding(33, 20, 4));
  check(device, directionEncoding(33, 32, 1, noise), AnglesDirections);
  Encoding still = directionEncoding(33, 33, 3, noise);
  still.name = "directions per head, odd pairs";
  still.adjacent = true;
  check(device, still, AnglesDirections);
  Encoding some = mropeEncoding(100, 40);
  some.name = "pairs that do not turn";
  for (int64_t f = 0; f < 40; f += 3) some.axisOf[f] = -1;
  check(device, some);
  some.name += ", per id";
  check(device, some, AnglesPerId, gpu::AngleUse::Again);
  Encoding third = mropeEncoding(100, 40).withIds(100, std::vector<double>(300));
  for (size_t i = 0; i < third.ids.size(); i++) third.ids[i] = double(i % 10) / 3;
  third.name = "ids in thirds, few";
  check(device, third, AnglesPerId);
  for (size_t i = 0; i < third.ids.size(); i++) third.ids[i] = double(i) / 3;
  third.name = "ids in thirds, many";
  check(device, third, AnglesTable);
}

/** One frequency word against long double where that has the digits. */
void checkTurns() {
  expect(gpu::turnsOf(1, 1, 0) == uint64_t(0x28be60db9391054a), "turns of 1");
  expect(gpu::turnsOf(-1, 1, 0) == uint64_t(0) - 0x28be60db9391054a, "turns of −1");
  expect(gpu::turnsOf(2, -0.5, 0) == uint64_t(0) - 0x28be60db9391054a, "turns of 2 · −0.5");
  expect(gpu::turnsOf(1, 1, 8) == uint64_t(0x0028be60db939105), "turns of 1 in 1/256 steps");
  expect(gpu::turnsOf(0x1p32, 1, 0) == uint64_t(0x9391054a7f09d5f4), "turns of 2^32: whole turns drop out");
  expect(gpu::turnsOf(0x1p-60, 1, 0) == uint64_t(3), "turns of 2^−60: rounded up from 2.5");
  expect(gpu::turnsOf(0, 1, 0) == uint64_t(0) && gpu::turnsOf(5e-324, 5e-324, 24) == uint64_t(0), "turns of nothing");
  expect(!gpu::turnsOf(0x1p100, 0x1p100, 0), "turns of 2^200");
  Noise noise{3};
  for (int i = 0; i < 1000; i++) {
    const double frequency = std::fabs(noise()) * std::ldexp(1.0, -int(noise.below(20))), direction = noise();
    const int bits = int(noise.below(9));
    const long double product = (long double)frequency * direction / (2 * std::numbers::pi_v<long double>);
    const auto turns = gpu::turnsOf(frequency, direction, bits);
    const int64_t off = int64_t(*turns - uint64_t(int64_t(ldexpl(product, 64 - bits))));
    expect(std::abs(off) <= 8, "turns of " + std::to_string(frequency) + " · " + std::to_string(direction) +
                                      " in 2^-" + std::to_string(bits) + " steps, off by " + std::to_string(off));
  }
}

void checkFractionBits() {
  const auto bits = [](std::vector<double> ids) { return gpu::fractionBitsOf(ids.data(), int64_t(ids.size())); };
  expect(bits({}) == 0 && bits({0, -3, 2147483647}) == 0, "integers");
  expect(bits({0.5, 3}) == 1 && bits({1.0 / 256, 100}) == 8 && bits({-0.75}) == 2, "dyadic ids");
  expect(!bits({1.0 / 3}) && !bits({0x1p-25}) && !bits({2147483648.0}), "ids that are not fixed point");
  expect(!bits({0x1p24, 1.0 / 128}) && bits({0x1p24 - 1, 1.0 / 64}) == 6, "range and steps together");
}

}  // namespace

int main() {
  checkTurns();
  checkFractionBits();
  HostDevice plain("plain");
  checkRanges(plain, 2048);
  check(plain, allPhases());
  checkAllocations(plain);
  HostDevice fast("fast-math");
  checkRanges(fast, 256);
  HostDevice strict("strict");
  for (const Order &order : orders) {
    strict.options.schedule = order.schedule;
    strict.options.seed = order.seed;
    checkAllocations(strict);
  }
  return report();
}
