// The attentions that attention.cc checks: sizes are ugly on purpose.

#include "attention-case.h"

namespace mrope::test {
namespace {

constexpr DType f32 = DType::Float32, f16 = DType::Float16, bf16 = DType::Bfloat16;

}  // namespace

Cases dimCases() {
  Cases cases;
  for (DType type : {f32, f16, bf16}) {
    for (int64_t dim : {64, 72, 80, 96, 128, 192, 256}) {
      cases.push_back(AttendCase{}.sized(33, 33, 4, 2, dim).types(type));
    }
  }
  // Every run of channels, and dims that go through scratch rows.
  for (int64_t dim : {8, 40, 88, 120, 184}) {
    cases.push_back(AttendCase{}.sized(3, 33, 2, 1, dim).types(f16));
    cases.push_back(AttendCase{}.sized(3, 33, 2, 1, dim).types(f32));
  }
  for (int64_t dim : {1, 20, 65}) {
    AttendCase c = AttendCase{}.sized(33, 33, 2, 1, dim);
    c.keysAre = Keys::Raw;
    cases.push_back(c);
    cases.push_back(c.types(f16));
  }
  for (const auto &[dim, valueDim] : {std::pair<int64_t, int64_t>{40, 24}, {64, 128}, {192, 128}, {16, 65}}) {
    AttendCase c = AttendCase{}.sized(33, 33, 4, 2, dim).types(dim == 64 ? bf16 : f16);
    c.valueDim = valueDim;
    cases.push_back(c);
  }
  return cases;
}

Cases sizeCases() {
  Cases cases;
  for (const auto &[heads, kvHeads] : {std::pair<int64_t, int64_t>{2, 2}, {4, 2}, {14, 2}}) {
    for (int64_t tokens : {1, 3, 33, 100}) {
      cases.push_back(AttendCase{}.sized(tokens, tokens, heads, kvHeads, 72));
      cases.push_back(AttendCase{}.sized(tokens, 100 + tokens, heads, kvHeads, 128).types(f16));
    }
  }
  cases.push_back(AttendCase{}.sized(256, 256, 7, 1, 128).types(f16));
  AttendCase more = AttendCase{}.sized(100, 3, 4, 2, 64);
  more.causal = false;
  more.angles = AngleSource::None;
  cases.push_back(more);
  return cases;
}

Cases maskCases() {
  Cases cases;
  const auto add = [&](AttendCase c, bool causal, int64_t window, int64_t padding, std::vector<int32_t> cu) {
    c.causal = causal;
    c.window = window;
    c.padding = padding;
    c.cuSeqlens = std::move(cu);
    cases.push_back(c);
  };
  const AttendCase square = AttendCase{}.sized(100, 100, 4, 2, 64), chunk = AttendCase{}.sized(33, 100, 14, 2, 64);
  const std::vector<int32_t> segments = {0, 33, 33, 34, 97, 100, 100};
  for (const AttendCase &c : {square, chunk}) {
    for (int64_t window : {1, 16, 33, 99, 100}) add(c, true, window, 0, {});
    for (int64_t window : {1, 31, 49}) add(c, false, window, 0, {});
    add(c, true, 0, 70, {});
    add(c, false, 0, 16, {});
    add(c, true, 24, 80, {});
  }
  add(square, true, 0, 0, segments);
  add(square, false, 0, 0, segments);
  add(square, true, 20, 0, {0, 1, 50, 100});
  add(square, false, 9, 40, segments);
  add(square, false, 0, 100, {});
  add(AttendCase{}.sized(32, 32, 2, 2, 64), true, 0, 0, {});
  for (int64_t keys : {31, 63, 64, 65}) add(AttendCase{}.sized(2, keys, 2, 1, 64), true, 0, 0, {});
  return cases;
}

Cases biasCases() {
  Cases cases;
  for (int kind = 1; kind <= 5; kind++) {
    for (bool shared : {false, true}) {
      AttendCase c = AttendCase{}.sized(60, 100, 14, 2, 64);
      c.bias = BiasKind(kind);
      c.biasShared = shared;
      cases.push_back(c);
    }
  }
  // Keys on both sides, beyond the first and the last distance.
  AttendCase far = AttendCase{}.sized(60, 100, 4, 2, 64);
  far.causal = false;
  far.bias = BiasKind::Distance;
  cases.push_back(far);
  for (DType type : {f16, bf16}) {
    AttendCase c = AttendCase{}.sized(33, 33, 4, 2, 80).types(type);
    c.bias = BiasKind::Tensor;
    c.biasType = type;
    cases.push_back(c);
  }
  AttendCase swin = AttendCase{}.sized(105, 105, 3, 3, 64);
  swin.causal = false;
  swin.bias = BiasKind::Grid;
  swin.cuSeqlens = {0, 35, 70, 105};
  swin.keysAre = Keys::Raw;
  cases.push_back(swin);
  AttendCase scaled = AttendCase{}.sized(60, 100, 14, 2, 64);
  scaled.scales = true;
  cases.push_back(scaled);
  scaled.bias = BiasKind::Slope;
  scaled.window = 40;
  scaled.padding = 50;  // so that the queries with keys are not the first
  cases.push_back(scaled);
  return cases;
}

Cases angleCases() {
  Cases cases;
  for (AngleSource source : {AngleSource::None, AngleSource::Table, AngleSource::Turns, AngleSource::PerId,
                             AngleSource::Directions}) {
    for (bool perHead : {false, true}) {
      for (Keys keys : {Keys::Cache, Keys::Raw}) {
        AttendCase c = AttendCase{}.sized(33, 33, 4, 2, 64);
        c.angles = source;
        c.perHead = perHead;
        c.keysAre = keys;
        c.adjacent = perHead;
        c.factor = 1.25;
        cases.push_back(c);
        c.pairs = 17;
        c.norms = perHead ? Norms::After : Norms::Before;
        cases.push_back(c);
        c.norms = perHead ? Norms::Before : Norms::After;
        c.pairs = 16;
        c.causal = false;
        c.cuSeqlens = {0, 10, 10, 33};
        cases.push_back(c.types(f16));
      }
    }
  }
  // Two KV heads a threadgroup, one after the other.
  for (Keys keys : {Keys::Cache, Keys::Raw}) {
    AttendCase c = AttendCase{}.sized(33, 33, 8, 4, 64).types(keys == Keys::Raw ? f16 : f32);
    c.angles = AngleSource::PerId;
    c.keysAre = keys;
    c.cores = 1;
    cases.push_back(c);
  }
  return cases;
}

Cases otherCases() {
  Cases cases;
  // Few rows on many keys: the keys are split.
  cases.push_back(AttendCase{}.sized(9, 512, 14, 2, 128).types(f16));
  cases.push_back(AttendCase{}.sized(2, 300, 4, 2, 72));
  AttendCase split = AttendCase{}.sized(2, 300, 4, 2, 80).types(bf16);
  split.window = 100;
  cases.push_back(split);
  split = AttendCase{}.sized(3, 200, 2, 1, 64);
  split.bias = BiasKind::Tensor;
  split.padding = 70;
  cases.push_back(split);
  split = AttendCase{}.sized(1, 640, 8, 8, 16);
  split.even = true;
  cases.push_back(split);
  split = AttendCase{}.sized(200, 200, 1, 1, 64);
  split.cuSeqlens = {0, 3, 150, 150, 200};
  cases.push_back(split);
  // Storage types as they come.
  AttendCase mixed = AttendCase{}.sized(33, 33, 4, 2, 72);
  mixed.q = f32, mixed.k = f16, mixed.v = bf16, mixed.out = f16;
  cases.push_back(mixed);
  mixed.q = bf16, mixed.k = f32, mixed.v = f16, mixed.out = f32, mixed.keysAre = Keys::Raw;
  cases.push_back(mixed);
  mixed.q = f16, mixed.k = bf16, mixed.v = f32, mixed.out = bf16;
  cases.push_back(mixed);
  // Rows apart from each other, and rows that do not lie on 16 bytes.
  for (int64_t gap : {8, 3}) {
    AttendCase c = AttendCase{}.sized(33, 33, 4, 2, 64).types(gap == 8 ? f16 : f32);
    c.gap = gap;
    c.keysAre = Keys::Raw;
    cases.push_back(c);
  }
  return cases;
}

}  // namespace mrope::test
