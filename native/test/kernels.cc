// The kernels of every instruction set of this machine against the definition in float64.
//
//   kernels             everything
//   kernels threads     concurrent calls only, for the thread sanitizer
//
// An error may be at most twice that of the naive algorithm in the same storage type with float32 sums.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "../core/check.h"
#include "../core/half.h"
#include "../core/visible.h"
#include "../cpu/cpu.h"
#include "../cpu/kernels.h"

using namespace mrope;

namespace {

int passed = 0, failed = 0;

void expect(bool fine, const std::string &what) {
  (fine ? passed : failed)++;
  if (!fine) std::printf("FAILED %s\n", what.c_str());
}

struct Noise {
  uint64_t state;
  double operator()() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return double(int64_t(state) >> 11) / double(int64_t(1) << 52);
  }
  int64_t below(int64_t n) { return int64_t((operator()() + 1) / 2 * double(n)) % n; }
};

struct Data {
  DType type;
  std::vector<char> bytes;

  Data(DType type, int64_t elements, Noise &noise, double size = 1) : type(type), bytes(elements * bytesOf(type)) {
    for (int64_t i = 0; i < elements; i++) storeAs(bytes.data(), type, i, size * noise());
  }
  void *data() { return bytes.data(); }
  double at(int64_t i) const { return loadAs(bytes.data(), type, i); }
  void set(int64_t i, double x) { storeAs(bytes.data(), type, i, x); }
};

const char *nameOf(DType type) {
  return type == DType::Float32 ? "float32" : type == DType::Float16 ? "float16" : "bfloat16";
}

template <class Real>
void turn(std::vector<Real> &line, const Table &table, int64_t head, int64_t token, bool inverse) {
  for (int64_t f = 0; f < table.pairs; f++) {
    const int64_t i = table.adjacent ? 2 * f : f, j = table.adjacent ? 2 * f + 1 : f + table.pairs;
    const Real c = table.cos[table.row(head, token) + f];
    const Real s = (inverse ? -1 : 1) * Real(table.sin[table.row(head, token) + f]);
    const Real x = line[i], y = line[j];
    line[i] = x * c - y * s;
    line[j] = y * c + x * s;
  }
}

template <class Real>
void norm(std::vector<Real> &line, const Norm &n) {
  Real squares = 0;
  for (Real x : line) squares += x * x;
  const Real factor = 1 / std::sqrt(squares / Real(line.size()) + Real(n.eps));
  for (size_t i = 0; i < line.size(); i++) line[i] *= factor * Real(n.weight[i]);
}

template <class Real>
std::vector<Real> lineOf(const Attend &a, const Tensor &x, int64_t token, int64_t head, bool rotated, int64_t row,
                         const Norm &n) {
  std::vector<Real> line(x.dim);
  for (int64_t i = 0; i < x.dim; i++) line[i] = Real(loadAs(x.data, x.type, (token * x.heads + head) * x.dim + i));
  if (n.weight && !n.after) norm(line, n);
  if (rotated) turn(line, a.table, head * a.table.heads / x.heads, row, false);
  if (n.weight && n.after) norm(line, n);
  return line;
}

double biasAt(const Attend &a, int64_t head, int64_t query, int64_t j) {
  const Bias &b = a.bias;
  const int64_t plane = b.heads == 1 ? 0 : head, i = a.queryOffset + query;
  const auto *f = static_cast<const float *>(b.values);
  switch (b.kind) {
    case BiasKind::None:
      return 0;
    case BiasKind::Tensor:
      return loadAs(b.values, b.type, (plane * a.q.tokens + query) * a.k.tokens + j);
    case BiasKind::Slope:
      return -double(f[plane]) * double(std::abs(i - j));
    case BiasKind::Distance:
      return f[plane * b.span + std::clamp<int64_t>(j - i + b.origin, 0, b.span - 1)];
    case BiasKind::Grid: {
      const int64_t cells = b.rows * b.columns, y = i % cells / b.columns - j % cells / b.columns;
      const int64_t x = i % cells % b.columns - j % cells % b.columns, width = 2 * b.columns - 1;
      return f[plane * (2 * b.rows - 1) * width + (y + b.rows - 1) * width + x + b.columns - 1];
    }
    case BiasKind::Difference:
      return double(f[plane * a.k.tokens + i]) - f[plane * a.k.tokens + j];
  }
  return 0;
}

bool sees(const Attend &a, int64_t query, int64_t j) {
  const int64_t i = a.queryOffset + query;
  const Mask &m = a.mask;
  if (i < m.padding || j < m.padding || (m.causal && j > i)) return false;
  if (m.window > 0 && std::abs(i - j) >= m.window) return false;
  for (int64_t s = 0; m.cuSeqlens && s < m.segments; s++) {
    const bool mine = i >= m.cuSeqlens[s] && i < m.cuSeqlens[s + 1];
    if (mine && (j < m.cuSeqlens[s] || j >= m.cuSeqlens[s + 1])) return false;
  }
  return true;
}

/** The whole row of scores, then the softmax, then the sum: the definition, in any precision. */
template <class Real>
std::vector<double> naive(const Attend &a) {
  const int64_t group = a.q.heads / a.k.heads;
  std::vector<double> out(a.out.elements());
  std::vector<std::vector<Real>> keys(a.k.tokens * a.k.heads);
  for (int64_t j = 0; j < a.k.tokens; j++) {
    for (int64_t h = 0; h < a.k.heads; h++) {
      keys[j * a.k.heads + h] = lineOf<Real>(a, a.k, j, h, a.rotateK, j, a.kNorm);
    }
  }
  for (int64_t i = 0; i < a.q.tokens; i++) {
    for (int64_t h = 0; h < a.q.heads; h++) {
      const auto q = lineOf<Real>(a, a.q, i, h, a.rotateQ, a.tableOffset + i, a.qNorm);
      std::vector<int64_t> seen;
      std::vector<Real> scores;
      Real largest = -HUGE_VALF;
      for (int64_t j = 0; j < a.k.tokens; j++) {
        if (!sees(a, i, j)) continue;
        Real score = 0;
        for (int64_t c = 0; c < a.q.dim; c++) score += q[c] * keys[j * a.k.heads + h / group][c];
        score = score * Real(a.scales ? a.scales[i] : a.scale) + Real(biasAt(a, h, i, j));
        if (score == -HUGE_VALF) continue;
        seen.push_back(j);
        scores.push_back(score);
        largest = std::max(largest, score);
      }
      Real total = 0;
      std::vector<Real> sums(a.v.dim);
      for (size_t n = 0; n < seen.size(); n++) {
        const Real weight = std::exp(scores[n] - largest);
        total += weight;
        const int64_t at = (seen[n] * a.v.heads + h / group) * a.v.dim;
        for (int64_t c = 0; c < a.v.dim; c++) sums[c] += weight * Real(loadAs(a.v.data, a.v.type, at + c));
      }
      for (int64_t c = 0; c < a.v.dim; c++) {
        out[(i * a.q.heads + h) * a.v.dim + c] = total > 0 ? double(sums[c] / total) : 0;
      }
    }
  }
  return out;
}

double stored(DType type, double x) {
  char bytes[4];
  storeAs(bytes, type, 0, x);
  return loadAs(bytes, type, 0);
}

/** Everything that an attention needs, made from a seed. */
struct AttendCase {
  int64_t queries, keys, heads, kvHeads, dim, valueDim;
  DType type = DType::Float32;
  std::string mask = "causal";
  BiasKind bias = BiasKind::None;
  bool adjacent = false, perHead = false, partial = false, rotateK = true, norms = false, normAfter = false;
  bool scales = false;
  DType biasType = DType::Float32;

  std::string name() const {
    return "attend q " + std::to_string(queries) + " k " + std::to_string(keys) + " heads " + std::to_string(heads) +
           "/" + std::to_string(kvHeads) + " dim " + std::to_string(dim) + "/" + std::to_string(valueDim) + " " +
           nameOf(type) + " " + mask + " bias " + std::to_string(int(bias)) + (adjacent ? " adjacent" : "") +
           (perHead ? " per head" : "") + (partial ? " partial" : "") + (rotateK ? "" : " k rotated") +
           (norms ? normAfter ? " norm after" : " norm" : "") + (scales ? " scales" : "");
  }
};

struct AttendData {
  Noise noise;
  Data q, k, v, out;
  std::vector<float> cos, sin, weights, biases;
  Data biasHalf;
  std::vector<int32_t> cu;
  std::vector<double> scales;
  Attend a;

  explicit AttendData(const AttendCase &c, uint64_t seed)
      : noise{seed},
        q(c.type, c.queries * c.heads * c.dim, noise, 2),
        k(c.type, c.keys * c.kvHeads * c.dim, noise, 2),
        v(c.type, c.keys * c.kvHeads * c.valueDim, noise),
        out(c.type, c.queries * c.heads * c.valueDim, noise),
        biasHalf(c.biasType, c.bias == BiasKind::Tensor ? c.heads * c.queries * c.keys : 0, noise) {
    a.q = {q.data(), c.type, c.queries, c.heads, c.dim};
    a.k = {k.data(), c.type, c.keys, c.kvHeads, c.dim};
    a.v = {v.data(), c.type, c.keys, c.kvHeads, c.valueDim};
    a.out = {out.data(), c.type, c.queries, c.heads, c.valueDim};
    const int64_t pairs = c.partial ? c.dim / 4 : c.dim / 2, tableHeads = c.perHead ? c.kvHeads : 1;
    for (int64_t i = 0; i < tableHeads * c.keys * pairs; i++) {
      const double angle = 10 * noise();
      cos.push_back(float(std::cos(angle)));
      sin.push_back(float(std::sin(angle)));
    }
    a.table = {cos.data(), sin.data(), tableHeads, c.keys, pairs, c.adjacent};
    a.rotateQ = true;
    a.rotateK = c.rotateK;
    const int64_t offset = std::max<int64_t>(c.keys - c.queries, 0);
    a.tableOffset = a.queryOffset = offset;
    a.scale = 1 / std::sqrt(double(c.dim));
    setMask(c);
    setBias(c);
    if (c.norms) {
      for (int64_t i = 0; i < c.dim; i++) weights.push_back(float(1 + 0.3 * noise()));
      a.qNorm = a.kNorm = {weights.data(), 1e-6, c.normAfter};
    }
    for (int64_t i = 0; c.scales && i < c.queries; i++) scales.push_back(a.scale * (1 + 0.5 * noise()));
    if (c.scales) a.scales = scales.data();
  }

  void setMask(const AttendCase &c) {
    a.mask.causal = c.mask.find("bidirectional") == std::string::npos;
    if (c.mask.find("window") != std::string::npos) a.mask.window = 37;
    if (c.mask.find("padding") != std::string::npos) a.mask.padding = c.keys / 3;
    if (c.mask.find("varlen") == std::string::npos) return;
    // Segments of all lengths, empty ones among them.
    const int64_t longest = c.mask.find("long") != std::string::npos ? 700 : 64;
    cu.push_back(0);
    while (cu.back() < c.keys) {
      cu.push_back(int32_t(std::min<int64_t>(c.keys, cu.back() + noise.below(longest))));
      if (noise() > 0.7) cu.push_back(cu.back());
    }
    a.mask.cuSeqlens = cu.data();
    a.mask.segments = int64_t(cu.size()) - 1;
  }

  void setBias(const AttendCase &c) {
    Bias &b = a.bias;
    b.kind = c.bias;
    b.heads = c.heads;
    int64_t each = 0;
    switch (c.bias) {
      case BiasKind::None:
        return;
      case BiasKind::Tensor:
        b.values = biasHalf.data();
        b.type = c.biasType;
        b.length = c.heads * c.queries * c.keys;
        // Some keys are masked by bias.
        for (int64_t i = 0; i < b.length; i += 5) biasHalf.set(i, -HUGE_VAL);
        return;
      case BiasKind::Slope:
        each = 1;
        break;
      case BiasKind::Distance:
        b.span = 41;
        b.origin = 20;
        each = 41;
        break;
      case BiasKind::Grid:
        b.rows = 5;
        b.columns = 7;
        each = 9 * 13;
        break;
      case BiasKind::Difference:
        each = c.keys;
        break;
    }
    for (int64_t i = 0; i < c.heads * each; i++) biases.push_back(float(noise()));
    b.values = biases.data();
    b.length = int64_t(biases.size());
  }
};

void attendCase(const AttendCase &c, ThreadPool &pool, uint64_t seed) {
  AttendData data(c, seed);
  const Status status = check(data.a);
  if (!status.ok()) return expect(false, c.name() + ": " + status.message());
  const auto exact = naive<double>(data.a);
  const auto plain = naive<float>(data.a);
  double bound = 0, largest = 0;
  for (size_t i = 0; i < exact.size(); i++) {
    bound = std::max(bound, std::fabs(stored(c.type, plain[i]) - exact[i]));
    largest = std::max(largest, std::fabs(exact[i]));
  }
  // One rounding of the result is always allowed.
  const double rounding = c.type == DType::Float32 ? 0x1p-23 : c.type == DType::Float16 ? 0x1p-11 : 0x1p-8;
  bound = std::max(2 * bound, largest * rounding);
  for (const char *isa : {"avx512", "avx2", "sse2", "neon"}) {
    if (!cpu::useKernels(isa)) continue;
    std::vector<char> first;
    for (int threads : {1, 2, 5}) {
      pool.setThreads(threads);
      std::memset(data.out.data(), 0xff, data.out.bytes.size());
      const auto outcome = cpu::attend(data.a, {&pool});
      double error = outcome == cpu::Outcome::Done ? 0 : HUGE_VAL;
      for (size_t i = 0; i < exact.size(); i++) {
        const double e = std::fabs(data.out.at(int64_t(i)) - exact[i]);
        error = e >= 0 ? std::max(error, e) : HUGE_VAL;
      }
      char figures[96];
      std::snprintf(figures, sizeof figures, ": error %.3g, bound %.3g", error, bound);
      expect(error <= bound, std::string(isa) + " " + std::to_string(threads) + " threads seed " +
                                 std::to_string(seed) + " " + c.name() + figures);
      if (first.empty()) first = data.out.bytes;
      expect(first == data.out.bytes, std::string(isa) + " same bits with " + std::to_string(threads) + " threads " +
                                          c.name());
    }
  }
}

void attendCases(ThreadPool &pool) {
  const DType types[] = {DType::Float32, DType::Float16, DType::Bfloat16};
  uint64_t seed = 1;
  for (int64_t tokens : {1, 3, 33, 100, 777}) {
    for (int64_t dim : {32, 64, 72, 80, 96, 128, 256}) {
      const int64_t groups[] = {1, 4, 7};
      const int64_t group = groups[seed % 3], kvHeads = 1 + int64_t(seed % 2);
      for (DType type : types) {
        if (tokens == 777 && type != types[seed % 3]) continue;
        attendCase({tokens, tokens, group * kvHeads, kvHeads, dim, dim, type}, pool, seed);
      }
      seed++;
    }
  }
  const auto base = [](int64_t q, int64_t k) { return AttendCase{q, k, 8, 2, 40, 40}; };
  for (const char *mask : {"bidirectional", "causal window", "bidirectional window", "causal padding",
                           "bidirectional padding window", "varlen bidirectional", "varlen causal",
                           "varlen bidirectional long", "varlen causal window padding"}) {
    for (int64_t tokens : {1, 33, 100, 777}) {
      AttendCase c = base(tokens, tokens);
      c.mask = mask;
      c.adjacent = seed % 2;
      attendCase(c, pool, seed++);
    }
  }
  for (int kind = 1; kind <= 5; kind++) {
    for (int64_t queries : {1, 2, 33, 100}) {
      AttendCase c = base(queries, 100);
      c.bias = BiasKind(kind);
      c.mask = kind == 4 ? "bidirectional" : "causal";
      c.biasType = types[seed % 3];
      attendCase(c, pool, seed++);
    }
  }
  for (int64_t queries : {1, 2, 3, 17}) {
    for (int64_t keys : {17, 256, 257, 999, 2100}) {
      AttendCase c = base(queries, keys);
      c.perHead = seed % 2;
      c.rotateK = seed % 3;
      c.partial = seed % 5 == 0;
      c.type = types[seed % 3];
      attendCase(c, pool, seed++);
    }
  }
  for (int64_t queries : {1, 50}) {
    for (int option = 0; option < 8; option++) {
      AttendCase c = base(queries, 70);
      c.norms = true;
      c.normAfter = option & 1;
      c.adjacent = option & 2;
      c.partial = option & 4;
      c.scales = option % 3 == 0;
      attendCase(c, pool, seed++);
    }
    for (int64_t dim : {1, 2, 5, 24, 37, 300}) {
      AttendCase c = base(queries, 70);
      c.dim = dim;
      c.valueDim = dim + 3;
      attendCase(c, pool, seed++);
    }
    AttendCase c = base(queries, 70);
    c.heads = 40;
    attendCase(c, pool, seed++);
  }
  AttendCase none = base(5, 0);
  none.mask = "bidirectional";
  AttendData data(none, 1);
  data.a.rotateQ = data.a.rotateK = false;
  expect(check(data.a).ok() && cpu::attend(data.a, {&pool}) == cpu::Outcome::Done && data.out.at(7) == 0,
         "attend without keys gives zeros");
}

/** NaN, infinity and overflow have the results that the reference backend documents. */
void oddValues(ThreadPool &pool) {
  for (const char *isa : {"avx512", "avx2", "sse2", "neon"}) {
    if (!cpu::useKernels(isa)) continue;
    for (int64_t queries : {1, 40}) {
      const std::string who = std::string(isa) + " queries " + std::to_string(queries) + ": ";
      const AttendCase c = {queries, 200, 2, 1, 16, 16};
      const int64_t offset = 200 - queries;
      {
        AttendData d(c, 5);
        d.v.set(199 * 16 + 3, NAN);
        d.k.set(199 * 16 + 3, NAN);
        (void)cpu::attend(d.a, {&pool});
        bool fine = true;
        for (int64_t i = 0; i < d.a.out.elements(); i++) {
          const bool last = i >= (queries - 1) * 32;
          fine &= std::isnan(d.out.at(i)) == last;
        }
        expect(fine, who + "NaN in a masked key and value has no influence, at a seen key it fills the row");
      }
      {
        AttendData d(c, 6);
        d.v.set(2 * 16 + 5, HUGE_VAL);
        for (int i = 0; i < 16; i++) d.k.set(2 * 16 + i, 0);
        for (int i = 0; i < 16; i++) d.k.set(3 * 16 + i, 60000);
        (void)cpu::attend(d.a, {&pool});
        bool fine = true;
        for (int64_t i = 0; i < d.a.out.elements(); i++) {
          fine &= i % 16 == 5 ? d.out.at(i) == HUGE_VAL : std::isfinite(d.out.at(i));
        }
        expect(fine, who + "infinity in a seen value reaches its channel alone");
      }
      {
        AttendData d(c, 7);
        d.a.rotateQ = d.a.rotateK = false;
        for (int64_t i = 0; i < d.a.q.elements(); i++) d.q.set(i, 1e30);
        for (int64_t i = 0; i < d.a.k.elements(); i++) d.k.set(i, i / 16 == 100 ? 2e30 : 1e30);
        (void)cpu::attend(d.a, {&pool});
        bool fine = offset > 100;
        for (int64_t i = 0; i < d.a.out.elements(); i++) fine &= d.out.at(i) == d.v.at(100 * 16 + i % 16);
        expect(fine, who + "scores beyond float32 are finite");
      }
      {
        AttendData d(c, 8);
        for (int64_t i = 0; i < d.a.v.elements(); i++) d.v.set(i, 3e38);
        (void)cpu::attend(d.a, {&pool});
        bool fine = true;
        for (int64_t i = 0; i < d.a.out.elements(); i++) fine &= std::fabs(d.out.at(i) / 3e38 - 1) < 1e-6;
        expect(fine, who + "sums beyond float32 are finite");
      }
      {
        AttendCase biased = c;
        biased.bias = BiasKind::Tensor;
        AttendData d(biased, 9);
        for (int64_t i = 0; i < d.a.bias.length; i++) d.biasHalf.set(i, i % 200 < 199 ? -HUGE_VAL : 0);
        (void)cpu::attend(d.a, {&pool});
        bool fine = true;
        for (int64_t i = 0; i < d.a.out.elements(); i++) {
          const bool last = i >= (queries - 1) * 32;
          fine &= last ? std::fabs(d.out.at(i) - d.v.at(199 * 16 + i % 16)) < 1e-6 : d.out.at(i) == 0;
        }
        expect(fine, who + "a row whose keys are all masked by bias is zero");
      }
    }
  }
}

void rotateCases(ThreadPool &pool) {
  const DType types[] = {DType::Float32, DType::Float16, DType::Bfloat16};
  uint64_t seed = 100;
  for (int64_t tokens : {1, 3, 33, 777, 3000}) {
    for (int64_t dim : {5, 64, 72, 80, 128}) {
      for (int option = 0; option < 16; option++) {
        const bool adjacent = option & 1, partial = option & 2, inverse = option & 4, inPlace = option & 8;
        if (tokens == 3000 && (option != 0 || dim != 128)) continue;
        const int64_t heads = tokens == 3000 ? 8 : 6, tableHeads = option % 3 ? 1 : 2;
        const DType from = types[seed % 3], to = inPlace ? from : types[seed / 3 % 3];
        Noise noise{seed};
        const int64_t pairs = partial ? dim / 4 : dim / 2;
        std::vector<float> cos, sin;
        for (int64_t i = 0; i < tableHeads * tokens * pairs; i++) {
          const double angle = 10 * noise();
          cos.push_back(float(std::cos(angle)));
          sin.push_back(float(std::sin(angle)));
        }
        const Data source(from, tokens * heads * dim, noise);
        for (const char *isa : {"avx512", "avx2", "sse2", "neon"}) {
          if (!cpu::useKernels(isa)) continue;
          Data x = source;
          Data out(to, tokens * heads * dim, noise);
          Rotate r;
          r.x = {x.data(), from, tokens, heads, dim};
          r.out = {inPlace ? x.data() : out.data(), to, tokens, heads, dim};
          r.table = {cos.data(), sin.data(), tableHeads, tokens, pairs, adjacent};
          r.inverse = inverse;
          const Status status = check(r);
          double worst = status.ok() ? 0 : HUGE_VAL;
          if (status.ok()) (void)cpu::rotate(r, {&pool});
          for (int64_t row = 0; row < tokens * heads && status.ok(); row++) {
            std::vector<double> line(dim);
            for (int64_t i = 0; i < dim; i++) line[i] = source.at(row * dim + i);
            turn(line, r.table, row % heads * tableHeads / heads, row / heads, inverse);
            for (int64_t i = 0; i < dim; i++) {
              const double got = loadAs(r.out.data, to, row * dim + i), error = std::fabs(got - line[i]);
              const double ulp = to == DType::Float32 ? 2e-7 : to == DType::Float16 ? 0x1.01p-11 : 0x1.01p-8;
              worst = std::max(worst, error / (std::max(std::fabs(line[i]), 1.0) * ulp));
            }
          }
          expect(worst <= 1, std::string(isa) + " rotate tokens " + std::to_string(tokens) + " dim " +
                                 std::to_string(dim) + " option " + std::to_string(option) + " " + nameOf(from) + " to " +
                                 nameOf(to) + " seed " + std::to_string(seed) + ": " + std::to_string(worst));
        }
        seed++;
      }
    }
  }
}

/** In aligned vectors, wherever rows and token ranges begin and end: the bits of rows one by one, and nothing beside them. */
void alignedCases() {
  const int64_t tokens = 7, heads = 3, first = 2, count = 4;
  enum class To { Memory, PastCache, InPlace };
  Noise noise{77};
  for (const char *isa : {"avx512", "avx2", "sse2", "neon"}) {
    if (!cpu::useKernels(isa)) continue;
    for (DType from : {DType::Float32, DType::Float16, DType::Bfloat16}) {
      for (int64_t dim : {32, 64, 80, 96, 128, 256, 512}) {
        const int64_t row = heads * dim, size = tokens * row;
        Data x(from, size, noise);
        std::vector<float> cos, sin;
        for (int64_t i = 0; i < heads * tokens * dim / 2; i++) {
          cos.push_back(float(noise()));
          sin.push_back(float(noise()));
        }
        // A channel that does not turn keeps a row from it.
        Data wide(from, tokens * heads * (dim + 1), noise);
        const int64_t bytes = bytesOf(from);
        for (int64_t i = 0; i < tokens * heads; i++) {
          std::memcpy(static_cast<char *>(wide.data()) + i * (dim + 1) * bytes,
                      static_cast<const char *>(x.data()) + i * dim * bytes, dim * bytes);
        }
        for (int option = 0; option < 12; option++) {
          const To to = option < 4 ? To::Memory : option < 8 ? To::PastCache : To::InPlace;
          if (to == To::InPlace && from != DType::Float32) continue;
          Rotate r;
          r.table = {cos.data(), sin.data(), 1, tokens, dim / 2, option % 2 == 1};
          std::string wrong;
          for (int64_t offset = 0; offset < 16; offset++) {
            r.inverse = offset & 1;
            r.table.heads = option & 2 ? heads : 1;
            std::vector<float> plain(tokens * heads * (dim + 1)), memory(size + 32, 9);
            r.x = {wide.data(), from, tokens, heads, dim + 1};
            r.out = {plain.data(), DType::Float32, tokens, heads, dim + 1};
            cpu::kernels().rotate(r, first, count, false);
            float *out = memory.data() + (0 - reinterpret_cast<uintptr_t>(memory.data())) % 64 / 4 + offset;
            r.x = {x.data(), from, tokens, heads, dim};
            r.out = {out, DType::Float32, tokens, heads, dim};
            if (to == To::InPlace) {
              std::memcpy(out + first * row, static_cast<float *>(x.data()) + first * row, count * row * 4);
              r.x.data = out;
            }
            cpu::kernels().rotate(r, first, count, to == To::PastCache);
            for (const float &got : memory) {
              const int64_t i = &got - out;
              const bool inside = i >= first * row && i < (first + count) * row;
              const float expected = inside ? plain[i / dim * (dim + 1) + i % dim] : 9;
              if (got != expected) wrong = "; wrong at " + std::to_string(i) + ", offset " + std::to_string(offset);
            }
          }
          expect(wrong.empty(), std::string(isa) + " aligned rotation, dim " + std::to_string(dim) + " option " +
                                    std::to_string(option) + " from " + nameOf(from) + wrong);
        }
      }
    }
  }
}

void angleCases(ThreadPool &pool) {
  const int64_t tokens = 501, pairs = 37, axes = 3;
  std::vector<double> ids, inv, directions;
  std::vector<int32_t> axisOf;
  Noise noise{3};
  for (int64_t i = 0; i < axes * tokens; i++) {
    const double id = noise() * 16777216;
    ids.push_back(i % 3 ? std::round(id) : i % 5 ? id / 4096 : double(i));
  }
  for (int64_t f = 0; f < pairs; f++) inv.push_back(std::pow(1e6, -double(f) / double(pairs)));
  for (int64_t i = 0; i < 2 * pairs; i++) axisOf.push_back(int32_t(i % 4) - 1);
  for (int64_t i = 0; i < 2 * pairs * axes; i++) directions.push_back(noise());
  for (const char *isa : {"avx512", "avx2", "sse2", "neon"}) {
    if (!cpu::useKernels(isa)) continue;
    for (bool dense : {false, true}) {
      Angles a = {ids.data(), inv.data(), axisOf.data(), dense ? directions.data() : nullptr, axes, tokens, 2, pairs, 1};
      std::vector<float> cos(2 * tokens * pairs), sin(cos.size());
      expect(check(a).ok(), "angles are fine");
      (void)cpu::fillTable(a, cos.data(), sin.data(), {&pool});
      long double worst = 0;
      for (int64_t h = 0; h < 2; h++) {
        for (int64_t n = 0; n < tokens; n++) {
          for (int64_t f = 0; f < pairs; f++) {
            long double along = 0;
            for (int64_t x = 0; x < axes; x++) {
              const long double u = dense ? directions[(h * pairs + f) * axes + x] : axisOf[h * pairs + f] == x;
              along += u * ids[x * tokens + n];
            }
            const int64_t at = (h * tokens + n) * pairs + f;
            worst = std::max(worst, fabsl(cos[at] - cosl(along * inv[f])));
            worst = std::max(worst, fabsl(sin[at] - sinl(along * inv[f])));
          }
        }
      }
      expect(worst <= 6e-8L, std::string(isa) + " table " + (dense ? "dense" : "by axis") + ": error " +
                                 std::to_string(double(worst * 1e8L)) + "e-8");
    }
  }
}

void halfCases() {
  for (const char *isa : {"avx512", "avx2", "sse2", "neon"}) {
    if (!cpu::useKernels(isa)) continue;
    ThreadPool pool;
    for (DType type : {DType::Float16, DType::Bfloat16}) {
      // A table without pairs copies: every 16-bit pattern to float32 and back.
      std::vector<uint16_t> bits(65536), back(65536);
      std::vector<float> wide(65536);
      for (int i = 0; i < 65536; i++) bits[i] = uint16_t(i);
      Rotate r;
      r.x = {bits.data(), type, 256, 1, 256};
      r.out = {wide.data(), DType::Float32, 256, 1, 256};
      r.table = {nullptr, nullptr, 1, 256, 0, false};
      (void)cpu::rotate(r, {&pool});
      bool fine = true;
      for (int i = 0; i < 65536; i++) {
        const double want = loadAs(bits.data(), type, i);
        fine &= std::isnan(want) ? std::isnan(wide[i]) : wide[i] == want;
      }
      expect(fine, std::string(isa) + " widens every " + nameOf(type));
      // Floats between the patterns round to nearest, ties to even.
      std::vector<float> odd(65536);
      for (int i = 0; i < 65536; i++) {
        const float next = float(loadAs(bits.data(), type, (i + 1) & 65535));
        odd[i] = i % 3 == 0 ? wide[i] / 2 + next / 2 : i % 3 == 1 ? wide[i] * 0.99999f : wide[i] * 1.0003f;
      }
      r.x = {odd.data(), DType::Float32, 256, 1, 256};
      r.out = {back.data(), type, 256, 1, 256};
      (void)cpu::rotate(r, {&pool});
      fine = true;
      for (int i = 0; i < 65536; i++) {
        const double want = stored(type, odd[i]), got = loadAs(back.data(), type, i);
        fine &= std::isnan(want) ? std::isnan(got) : got == want;
      }
      expect(fine, std::string(isa) + " rounds to " + nameOf(type));
    }
  }
}

void refusals() {
  const auto refused = [](const char *code, auto change) {
    AttendData d({8, 8, 4, 2, 16, 16}, 1);
    change(d);
    const Status s = check(d.a);
    expect(!s.ok() && std::string(s.code()) == code,
           std::string("refused with ") + code + ": " + (s.ok() ? "accepted" : s.message()));
  };
  refused(code::heads, [](auto &d) { d.a.q.heads = 3, d.a.out.heads = 3; });
  refused(code::heads, [](auto &d) { d.a.v.heads = 1; });
  refused(code::shape, [](auto &d) { d.a.k.dim = 8; });
  refused(code::shape, [](auto &d) { d.a.v.tokens = 7; });
  refused(code::shape, [](auto &d) { d.a.out.tokens = 7; });
  refused(code::shape, [](auto &d) { d.a.q.tokens = -1; });
  refused(code::shape, [](auto &d) { d.a.q.tokens = int64_t(1) << 40; });
  refused(code::shape, [](auto &d) { d.a.table.pairs = 9; });
  refused(code::shape, [](auto &d) { d.a.table.tokens = 7; });
  refused(code::shape, [](auto &d) { d.a.queryOffset = 1; });
  refused(code::argument, [](auto &d) { d.a.out.data = d.a.q.data; });
  refused(code::argument, [](auto &d) { d.a.scale = NAN; });
  refused(code::argument, [](auto &d) { d.a.mask.padding = 9; });
  // One value for each key: queries beyond the keys have none.
  refused(code::shape, [](auto &d) {
    static const float values[7] = {};
    d.a.mask.causal = d.a.rotateQ = d.a.rotateK = false;
    d.a.k.tokens = d.a.v.tokens = 7;
    d.a.bias = {BiasKind::Difference, values, DType::Float32, 7, 1, 0, 0, 0, 0};
  });
  refused(code::segment, [](auto &d) {
    static const int32_t cu[] = {0, 5, 3, 8};
    d.a.mask.cuSeqlens = cu;
    d.a.mask.segments = 3;
  });
  refused(code::segment, [](auto &d) {
    static const int32_t cu[] = {0, 5};
    d.a.mask.cuSeqlens = cu;
    d.a.mask.segments = 1;
  });
}

/** Several threads call at once, some work is aborted, the number of threads changes under way. */
void concurrentCalls() {
  const auto pool = ThreadPool::acquire();
  pool->setThreads(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; t++) {
    callers.emplace_back([&, t] {
      AttendData d({150, 150, 4, 2, 64, 64}, 11);
      (void)cpu::attend(d.a, {nullptr});
      const std::vector<char> expected = d.out.bytes;
      for (int i = 0; i < 30; i++) {
        std::memset(d.out.data(), 0, d.out.bytes.size());
        AbortFlag abort{i % 7 == 3};
        const auto busy = t % 2 ? ThreadPool::Busy::Wait : ThreadPool::Busy::GoAlone;
        const auto outcome = cpu::attend(d.a, {pool.get(), busy, &abort});
        if (i % 7 == 3 ? outcome != cpu::Outcome::Aborted : d.out.bytes != expected) wrong++;
        if (t == 0) pool->setThreads(1 + i % 4);
      }
    });
  }
  for (std::thread &caller : callers) caller.join();
  expect(wrong == 0, "concurrent calls give the same bits");
}

}  // namespace

int main(int argc, char **argv) {
  const bool threadsOnly = argc > 1 && std::string(argv[1]) == "threads";
  concurrentCalls();
  if (!threadsOnly) {
    const auto pool = ThreadPool::acquire();
    refusals();
    halfCases();
    angleCases(*pool);
    rotateCases(*pool);
    alignedCases();
    oddValues(*pool);
    attendCases(*pool);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
