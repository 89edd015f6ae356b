#include "turns.h"

#include <algorithm>
#include <cmath>

namespace mrope::gpu {
namespace {

constexpr int mostFractionBits = 24;
/** A table per id beyond this is no longer small. */
constexpr int64_t mostPerIdBytes = 1 << 20;

/** 1 / 2π, 256 bits after the point, highest word first. */
constexpr uint32_t inverseTurn[8] = {0x28be60db, 0x9391054a, 0x7f09d5f4, 0x7d4d3770,
                                     0x36d8a566, 0x4f10e410, 0x7f9458ea, 0xf7aef158};

/** An integer below 2^53 and a power of two: |x| = mantissa · 2^exponent. */
struct Parts {
  uint64_t mantissa;
  int exponent;
};

Parts partsOf(double x) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(x), &exponent);
  return {uint64_t(std::ldexp(fraction, 53)), exponent - 53};
}

/** words += factor · 2^(32·at); words lowest first. */
void addProduct(uint32_t *words, int count, int at, uint32_t a, uint32_t b) {
  uint64_t carry = uint64_t(a) * b;
  for (int i = at; carry != 0 && i < count; i++) {
    const uint64_t sum = uint64_t(words[i]) + uint32_t(carry);
    words[i] = uint32_t(sum);
    carry = (carry >> 32) + (sum >> 32);
  }
}

bool dyadic(const Angles &a, std::optional<int> bits) {
  if (!bits) return false;
  const int64_t places = a.directions ? a.heads * a.pairs : a.pairs, steps = a.directions ? a.axes : 1;
  for (int64_t i = 0; i < places * steps; i++) {
    const double direction = a.directions ? a.directions[i] : 1;
    if (!turnsOf(a.invFreq[i / steps % a.pairs], direction, *bits)) return false;
  }
  return true;
}

/** (high, low) words per pair, or per head, pair and axis. */
Status uploadFrequencies(Device &device, const Angles &a, int bits, BufferRef &out) {
  const int64_t places = a.directions ? a.heads * a.pairs : a.pairs, steps = a.directions ? a.axes : 1;
  std::vector<uint32_t> words(2 * places * steps);
  for (int64_t i = 0; i < places * steps; i++) {
    const uint64_t turns = *turnsOf(a.invFreq[i / steps % a.pairs], a.directions ? a.directions[i] : 1, bits);
    words[2 * i] = uint32_t(turns >> 32);
    words[2 * i + 1] = uint32_t(turns);
  }
  return device.upload(words.data(), words.size() * 4, out);
}

Status uploadAxes(Device &device, const Angles &a, BufferRef &out) {
  std::vector<uint8_t> axes(a.heads * a.pairs);
  for (size_t i = 0; i < axes.size(); i++) axes[i] = a.axisOf[i] < 0 ? uint8_t(noAxis) : uint8_t(a.axisOf[i]);
  return device.upload(axes.data(), axes.size(), out);
}

Status uploadIds(Device &device, const std::vector<int32_t> &ids, BufferRef &out) {
  return device.upload(ids.data(), ids.size() * 4, out);
}

/** cos and sin by native/cpu, straight into device memory. */
Status uploadTable(Device &device, const Angles &a, const cpu::Run &run, BufferRef &cos, BufferRef &sin) {
  const size_t bytes = std::max<size_t>(16, a.heads * a.tokens * a.pairs * sizeof(float));
  if (Status s = device.allocate(bytes, cos); !s.ok()) return s;
  if (Status s = device.allocate(bytes, sin); !s.ok()) return s;
  switch (cpu::fillTable(a, static_cast<float *>(cos->host()), static_cast<float *>(sin->host()), run)) {
    case cpu::Outcome::Done:
      cos->modified(0, bytes);
      sin->modified(0, bytes);
      return {};
    case cpu::Outcome::NoMemory:
      return outOfMemory("table", 2 * bytes);
    case cpu::Outcome::Aborted:
      break;
  }
  return Status::range(code::state, "table: aborted");
}

std::vector<double> distinctOf(const double *ids, int64_t count) {
  std::vector<double> distinct(ids, ids + count);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  return distinct;
}

Status perToken(Device &device, const Angles &a, const cpu::Run &run, Rotary &out) {
  out.kind = AnglesTable;
  return uploadTable(device, a, run, out.cos, out.sin);
}

/** Every id becomes the number of its row in a table over the distinct ids. */
Status perId(Device &device, const Angles &a, const std::vector<double> &distinct, const cpu::Run &run, Rotary &out) {
  const std::vector<int32_t> firstAxis(a.pairs, 0);
  Angles rows = a;
  rows.ids = distinct.data();
  rows.axes = 1;
  rows.tokens = int64_t(distinct.size());
  rows.axisOf = firstAxis.data();
  rows.heads = 1;
  std::vector<int32_t> rowOf(a.axes * a.tokens);
  for (size_t i = 0; i < rowOf.size(); i++) {
    rowOf[i] = int32_t(std::lower_bound(distinct.begin(), distinct.end(), a.ids[i]) - distinct.begin());
  }
  out.kind = AnglesPerId;
  if (Status s = uploadAxes(device, a, out.axes); !s.ok()) return s;
  if (Status s = uploadIds(device, rowOf, out.ids); !s.ok()) return s;
  return uploadTable(device, rows, run, out.cos, out.sin);
}

Status byTurns(Device &device, const Angles &a, int bits, Rotary &out) {
  out.kind = a.directions ? AnglesDirections : AnglesTurns;
  out.fractionBits = bits;
  std::vector<int32_t> ids(a.axes * a.tokens);
  for (size_t i = 0; i < ids.size(); i++) ids[i] = int32_t(std::ldexp(a.ids[i], bits));
  if (Status s = uploadIds(device, ids, out.ids); !s.ok()) return s;
  if (Status s = uploadFrequencies(device, a, bits, out.frequencies); !s.ok()) return s;
  return a.directions ? Status() : uploadAxes(device, a, out.axes);
}

}  // namespace

std::optional<uint64_t> turnsOf(double frequency, double direction, int fractionBits) {
  const Parts f = partsOf(frequency), d = partsOf(direction);
  if (f.mantissa == 0 || d.mantissa == 0) return 0;
  const int exponent = f.exponent + d.exponent;
  if (exponent + 106 > 128) return std::nullopt;
  // mantissas (106 bits) · inverseTurn (256 bits), lowest word first, then times 2^(exponent + 64 − fractionBits − 256).
  constexpr int count = 12;
  uint32_t product[4] = {}, words[count] = {};
  for (int i = 0; i < 2; i++) {
    for (int j = 0; j < 2; j++) addProduct(product, 4, i + j, uint32_t(f.mantissa >> 32 * i), uint32_t(d.mantissa >> 32 * j));
  }
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < 8; j++) addProduct(words, count, i + j, product[i], inverseTurn[7 - j]);
  }
  const int shift = 192 + fractionBits - exponent;
  const auto bit = [&](int at) { return at < 32 * count ? uint64_t(words[at / 32] >> at % 32 & 1) : 0; };
  uint64_t turns = bit(shift - 1);
  for (int i = 0; i < 64; i++) turns += bit(shift + i) << i;
  return (frequency < 0) != (direction < 0) ? ~turns + 1 : turns;
}

std::optional<int> fractionBitsOf(const double *ids, int64_t count) {
  int bits = 0;
  double most = 0;
  for (int64_t i = 0; i < count; i++) {
    const Parts parts = partsOf(ids[i]);
    if (parts.mantissa == 0) continue;
    bits = std::max(bits, -(parts.exponent + std::countr_zero(parts.mantissa)));
    most = std::max(most, std::fabs(ids[i]));
  }
  if (bits > mostFractionBits || std::ldexp(most, bits) > 2147483647.0) return std::nullopt;
  return bits;
}

Status rotaryFrom(Device &device, const Angles &a, bool adjacent, AngleUse use, const cpu::Run &run, Rotary &out) {
  out = Rotary{};
  out.adjacent = adjacent;
  if (a.pairs == 0 || a.tokens == 0) return {};
  out.params = {.pairs = uint32_t(a.pairs),
                .tokens = uint32_t(a.tokens),
                .axes = uint32_t(a.axes),
                .heads = uint32_t(a.heads),
                .column = 0,
                .factor = float(a.factor)};
  const std::optional<int> bits = fractionBitsOf(a.ids, a.axes * a.tokens);
  const bool turns = use == AngleUse::Once && dyadic(a, bits);
  if (!a.directions && !turns) {
    const std::vector<double> distinct = distinctOf(a.ids, a.axes * a.tokens);
    const int64_t rows = int64_t(distinct.size());
    if (rows < a.heads * a.tokens && rows * a.pairs * 8 <= mostPerIdBytes) {
      return perId(device, a, distinct, run, out);
    }
  }
  return turns ? byTurns(device, a, *bits, out) : perToken(device, a, run, out);
}

Status rotaryFrom(Device &device, const Table &table, Rotary &out) {
  out = Rotary{};
  out.adjacent = table.adjacent;
  if (table.pairs == 0 || table.tokens == 0) return {};
  out.kind = AnglesTable;
  out.params = {.pairs = uint32_t(table.pairs),
                .tokens = uint32_t(table.tokens),
                .axes = 0,
                .heads = uint32_t(table.heads),
                .column = 0,
                .factor = 1};
  const size_t bytes = table.heads * table.tokens * table.pairs * sizeof(float);
  if (Status s = device.upload(table.cos, bytes, out.cos); !s.ok()) return s;
  return device.upload(table.sin, bytes, out.sin);
}

void Rotary::specialise(PipelineKey &key) const {
  key.constants.push_back(Constant::integer(ConstantAngles, kind));
  key.constants.push_back(Constant::boolean(ConstantAdjacent, adjacent));
}

void Rotary::bind(Dispatch &dispatch, const BufferRef &unused) const {
  const auto one = [&](uint32_t index, const BufferRef &buffer) { dispatch.bind(index, buffer ? buffer : unused); };
  one(RotaryIds, ids);
  one(RotaryFrequencies, frequencies);
  one(RotaryAxes, axes);
  one(RotaryCos, cos);
  one(RotarySin, sin);
}

Rotary Rotary::from(int64_t tokens) const {
  Rotary later = *this;
  later.params.column += uint32_t(tokens);
  return later;
}

size_t Rotary::bytes() const {
  size_t sum = 0;
  for (const BufferRef *buffer : {&ids, &frequencies, &axes, &cos, &sin}) sum += *buffer ? (*buffer)->bytes() : 0;
  return sum;
}

}  // namespace mrope::gpu
