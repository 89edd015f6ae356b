// GFLOP/s and percent of the multiply-add peak measured in the same run. Not a test: it never fails.
//
//   bench [isa] [threads]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <vector>

#include "../core/check.h"
#include "../core/half.h"
#include "../cpu/cpu.h"
#include "../cpu/kernels.h"

using namespace mrope;

namespace {

bool oneThread = true;

/** One thread is timed by the processor time of the process, which neighbours on the machine disturb less. */
double now() {
  if (oneThread) {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(int runs, const std::function<void()> &f) {
  std::vector<double> times;
  f();
  for (int i = 0; i < runs; i++) {
    const double start = now();
    f();
    times.push_back(now() - start);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

struct Noise {
  uint32_t state = 1;
  float operator()() {
    state = state * 1664525u + 1013904223u;
    return float(int32_t(state)) / 2147483648.f;
  }
};

std::vector<char> filled(DType type, int64_t elements) {
  Noise noise;
  std::vector<char> data(elements * bytesOf(type) + 64);
  for (int64_t i = 0; i < elements; i++) storeAs(data.data(), type, i, noise());
  return data;
}

struct Case {
  const char *name;
  int64_t queries, keys, heads, kvHeads, dim;
  bool causal;
  int64_t window;
  DType type;
};

double peakOf(ThreadPool &pool) {
  const auto &kernel = cpu::kernels();
  const int threads = pool.threads();
  std::vector<double> work(threads);
  double best = 0;
  for (int i = 0; i < 5; i++) {
    const double start = now();
    pool.run(threads, ThreadPool::Busy::Wait, nullptr, [&](int64_t item) { work[item] = kernel.peak(4000000); });
    double all = 0;
    for (double each : work) all += each;
    best = std::max(best, all / (now() - start));
  }
  return best;
}

void attend(const Case &c, ThreadPool &pool, double peak) {
  auto q = filled(c.type, c.queries * c.heads * c.dim), k = filled(c.type, c.keys * c.kvHeads * c.dim);
  auto v = filled(c.type, c.keys * c.kvHeads * c.dim), out = filled(c.type, c.queries * c.heads * c.dim);
  const int64_t pairs = c.dim / 2;
  std::vector<float> cos(c.keys * pairs, 0.6f), sin(c.keys * pairs, 0.8f);
  Attend a;
  a.q = {q.data(), c.type, c.queries, c.heads, c.dim};
  a.k = {k.data(), c.type, c.keys, c.kvHeads, c.dim};
  a.v = {v.data(), c.type, c.keys, c.kvHeads, c.dim};
  a.out = {out.data(), c.type, c.queries, c.heads, c.dim};
  a.table = {cos.data(), sin.data(), 1, c.keys, pairs, false};
  a.rotateQ = true;
  a.rotateK = c.queries > 1;
  a.tableOffset = a.queryOffset = c.keys - c.queries;
  a.mask.causal = c.causal;
  a.scale = 0.1;
  std::vector<int32_t> cu;
  if (c.window) {
    for (int64_t i = 0; i <= c.keys; i += c.window) cu.push_back(int32_t(i));
    a.mask.cuSeqlens = cu.data();
    a.mask.segments = int64_t(cu.size()) - 1;
  }
  double flop = 4.0 * double(c.queries * c.heads * c.dim) * double(c.window ? c.window : c.keys);
  if (c.causal && c.queries > 1) flop /= 2;
  if (Status s = check(a); !s.ok()) {
    std::printf("%s: %s\n", c.name, s.message().c_str());
    return;
  }
  const int runs = flop > 1e10 ? 3 : flop > 1e9 ? 9 : 31;
  const double time = median(runs, [&] { (void)cpu::attend(a, {&pool}); });
  const double bytes = double(k.size() + v.size());
  std::printf("%-34s %9.3f ms %7.1f GFLOP/s %5.1f %% of peak %7.1f GB/s\n", c.name, time * 1e3, flop / time / 1e9,
              100 * flop / time / peak, bytes / time / 1e9);
}

}  // namespace

int main(int argc, char **argv) {
  const auto pool = ThreadPool::acquire();
  if (argc > 1 && !cpu::useKernels(argv[1])) return std::printf("no %s here\n", argv[1]), 2;
  pool->setThreads(argc > 2 ? std::atoi(argv[2]) : 1);
  oneThread = pool->threads() == 1;
  const char *only = argc > 3 ? argv[3] : "";
  const double peak = peakOf(*pool);
  std::printf("%s, %d threads, peak %.1f GFLOP/s\n", cpu::kernels().name, pool->threads(), peak / 1e9);
  const DType f32 = DType::Float32, f16 = DType::Float16;
  const Case cases[] = {
      {"prefill 512, 28/4x128", 512, 512, 28, 4, 128, true, 0, f32},
      {"prefill 512, 28/4x128, f16", 512, 512, 28, 4, 128, true, 0, f16},
      {"prefill 2048, 28/4x128", 2048, 2048, 28, 4, 128, true, 0, f32},
      {"prefill 2048, 16/8x128", 2048, 2048, 16, 8, 128, true, 0, f32},
      {"vit 1024, 16x80", 1024, 1024, 16, 16, 80, false, 0, f32},
      {"vit 1024, 16x72", 1024, 1024, 16, 16, 72, false, 0, f32},
      {"vit 1024, 16x80, windows 64", 1024, 1024, 16, 16, 80, false, 64, f32},
      {"decode 2048, 28/4x128", 1, 2048, 28, 4, 128, true, 0, f32},
      {"decode 2048, 28/4x128, f16", 1, 2048, 28, 4, 128, true, 0, f16},
      {"decode 8192, 28/4x128", 1, 8192, 28, 4, 128, true, 0, f32},
      {"decode 8192, 28/4x128, f16", 1, 8192, 28, 4, 128, true, 0, f16},
  };
  for (const Case &c : cases) {
    if (std::strstr(c.name, only)) attend(c, *pool, peak);
  }
  if (std::strstr("rotate", only)) {
    const int64_t tokens = 4096, heads = 32, dim = 128, size = tokens * heads * dim;
    std::vector<float> x(size, 0.5f), out(size, 0.f), cos(tokens * dim / 2, 0.6f), sin(tokens * dim / 2, 0.8f);
    Rotate r;
    r.x = {x.data(), f32, tokens, heads, dim};
    r.out = {out.data(), f32, tokens, heads, dim};
    r.table = {cos.data(), sin.data(), 1, tokens, dim / 2, false};
    const double copy = median(15, [&] {
      const int64_t part = size / pool->threads();
      pool->run(pool->threads(), ThreadPool::Busy::Wait, nullptr,
                [&](int64_t i) { std::memcpy(out.data() + i * part, x.data() + i * part, part * 4); });
    });
    const double apart = median(15, [&] { (void)cpu::rotate(r, {pool.get()}); });
    r.out.data = x.data();
    const double inPlace = median(15, [&] { (void)cpu::rotate(r, {pool.get()}); });
    const double gb = 8.0 * double(size) / 1e9;
    std::printf("rotate 4096x32x128: %.2f ms, %.1f GB/s, %.0f %% of memcpy (%.1f GB/s); in place %.2f ms\n", apart * 1e3,
                gb / apart, 100 * copy / apart, gb / copy, inPlace * 1e3);
    Angles angles;
    const int64_t n = 32768, pairs = 64;
    std::vector<double> ids(3 * n), inv(pairs, 0.01);
    std::vector<int32_t> axis(pairs, 1);
    for (int64_t i = 0; i < 3 * n; i++) ids[i] = double(i % n);
    angles = {ids.data(), inv.data(), axis.data(), nullptr, 3, n, 1, pairs, 1};
    std::vector<float> c(n * pairs), s(n * pairs);
    const double table = median(15, [&] { (void)cpu::fillTable(angles, c.data(), s.data(), {pool.get()}); });
    std::printf("table 32768x64: %.2f ms, %.2f ns a pair\n", table * 1e3, table * 1e9 / double(n * pairs));
  }
}
