// What this machine can do at most: multiply-adds in registers, reading and copying memory. Each line of stdin is a
// request, "fma|gemm|read|copy threads bytes times"; the answer is the time of each run in milliseconds.
//   fma   "bytes" is the number of rounds; a round is `flopPerRound` multiplications and additions in each thread
//   gemm  "bytes" is the number of rounds; a round multiplies 96 × 256 by 256 × 192 in a cache, packed, by register tiles
//   read  sums the bytes
//   copy  from one array to another, with stores that bypass the cache where there are such
// Both look up the addresses of pages before they come to them.

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif
typedef float Vector __attribute__((vector_size(lanes * 4)));

constexpr int chains = 12;
constexpr int64_t flopPerRound = 2 * chains * lanes;
volatile float sink;

/** Twelve sums by name, as an array of them would be kept in memory, and all different, as equal ones would be one. */
void fma(int64_t rounds) {
  Vector a, b;
  for (int lane = 0; lane < lanes; lane++) a[lane] = 0.999f, b[lane] = 1e-3f;
  Vector s0 = a, s1 = a * 2, s2 = a * 3, s3 = a * 4, s4 = a * 5, s5 = a * 6;
  Vector s6 = -s0, s7 = -s1, s8 = -s2, s9 = -s3, s10 = -s4, s11 = -s5;
  for (int64_t i = 0; i < rounds; i++) {
    s0 = s0 * a + b, s1 = s1 * a + b, s2 = s2 * a + b, s3 = s3 * a + b;
    s4 = s4 * a + b, s5 = s5 * a + b, s6 = s6 * a + b, s7 = s7 * a + b;
    s8 = s8 * a + b, s9 = s9 * a + b, s10 = s10 * a + b, s11 = s11 * a + b;
  }
  const Vector all = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11;
  sink = all[0] + all[lanes - 1];
}

constexpr int64_t gemmRows = 96, gemmColumns = 192, gemmDepth = 256;
constexpr int64_t flopPerProduct = 2 * gemmRows * gemmColumns * gemmDepth;

/** What a matrix product reaches that has its operands packed in a cache: 6 (AVX-512: 12) rows × 2 vectors at a time. */
void gemm(int64_t rounds) {
  constexpr int rows = lanes == 16 ? 12 : 6, columns = 2 * lanes;
  std::vector<float> a(gemmRows * gemmDepth, 0.5f), b(gemmColumns * gemmDepth + 16, 0.25f), c(gemmRows * gemmColumns);
  for (int64_t round = 0; round < rounds; round++) {
    for (int64_t j = 0; j < gemmColumns; j += columns) {
      for (int64_t i = 0; i < gemmRows; i += rows) {
        Vector sums[rows][2] = {};
        const float *row = a.data() + i * gemmDepth, *panel = b.data() + j * gemmDepth;
        for (int64_t k = 0; k < gemmDepth; k++) {
          Vector b0, b1;
          std::memcpy(&b0, panel + k * columns, sizeof b0);
          std::memcpy(&b1, panel + k * columns + lanes, sizeof b1);
#pragma GCC unroll 12
          for (int r = 0; r < rows; r++) {
            const Vector x = Vector{} + row[r * gemmDepth + k];
            sums[r][0] += x * b0;
            sums[r][1] += x * b1;
          }
        }
        for (int r = 0; r < rows; r++) std::memcpy(c.data() + (i + r) * gemmColumns + j, sums[r], sizeof sums[r]);
      }
    }
  }
  sink = c[0] + c[c.size() - 1];
}

constexpr int64_t pageFloats = 1024, pagesAhead = 16;

/** Calls work with the first and the end of each page. */
template <class Work>
void byPages(int64_t floats, const Work &work) {
  for (int64_t i = 0; i < floats; i += pageFloats) work(i, std::min(i + pageFloats, floats));
}

void read(const float *from, int64_t floats) {
  Vector s0 = {}, s1 = {}, s2 = {}, s3 = {};
  byPages(floats, [&](int64_t first, int64_t last) {
    __builtin_prefetch(from + first + pagesAhead * pageFloats);
    const Vector *p = (const Vector *)(from + first), *end = (const Vector *)(from + last);
    for (; p + 4 <= end; p += 4) s0 += p[0], s1 += p[1], s2 += p[2], s3 += p[3];
  });
  const Vector all = s0 + s1 + s2 + s3;
  sink = all[0] + all[lanes - 1];
}

void copy(float *to, const float *from, int64_t floats) {
  byPages(floats, [&](int64_t first, int64_t last) {
    __builtin_prefetch(from + first + pagesAhead * pageFloats);
    __builtin_prefetch(to + first + pagesAhead * pageFloats);
#if defined(__AVX512F__)
    for (int64_t i = first; i < last; i += 16) _mm512_stream_ps(to + i, _mm512_load_ps(from + i));
#elif defined(__AVX__)
    for (int64_t i = first; i < last; i += 8) _mm256_stream_ps(to + i, _mm256_load_ps(from + i));
#else
    std::memcpy(to + first, from + first, (last - first) * 4);
#endif
  });
}

/** Both stay for the next request. */
float *memory(int which, int64_t bytes) {
  static float *arrays[2];
  static int64_t sizes[2];
  if (sizes[which] != bytes) {
    std::free(arrays[which]);
    arrays[which] = static_cast<float *>(std::aligned_alloc(64, bytes));
    if (arrays[which] == nullptr) std::exit(1);
    std::memset(arrays[which], 1, bytes);
    sizes[which] = bytes;
  }
  return arrays[which];
}

double now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** Runs work in all threads at once, each time from the first start to the last end; one run before is not told. */
std::vector<double> timed(int threads, int times, const std::function<void(int)> &work) {
  std::vector<double> ms, starts(threads), ends(threads);
  std::barrier gate(threads);
  const auto member = [&](int thread) {
    for (int run = 0; run <= times; run++) {
      gate.arrive_and_wait();
      // A thread may be woken from the gate later than the others.
      starts[thread] = now();
      work(thread);
      ends[thread] = now();
      gate.arrive_and_wait();
      if (thread == 0 && run > 0) {
        ms.push_back(*std::max_element(ends.begin(), ends.end()) - *std::min_element(starts.begin(), starts.end()));
      }
    }
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; thread++) others.emplace_back(member, thread);
  member(0);
  for (auto &other : others) other.join();
  return ms;
}

}  // namespace

int main() {
  char what[8];
  int threads, times;
  long long size;
  while (std::scanf("%7s %d %lld %d", what, &threads, &size, &times) == 4) {
    if (threads < 1 || threads > 256 || size < 1 || times < 1) return 2;
    const int64_t unit = int64_t(4096) * threads;
    const int64_t bytes = (size + unit - 1) / unit * unit, part = bytes / threads / 4;
    std::vector<double> ms;
    if (std::strcmp(what, "fma") == 0) {
      ms = timed(threads, times, [&](int) { fma(size); });
    } else if (std::strcmp(what, "gemm") == 0) {
      ms = timed(threads, times, [&](int) { gemm(size); });
    } else if (std::strcmp(what, "read") == 0) {
      const float *from = memory(0, bytes);
      ms = timed(threads, times, [&](int thread) { read(from + thread * part, part); });
    } else if (std::strcmp(what, "copy") == 0) {
      const float *from = memory(0, bytes);
      float *to = memory(1, bytes);
      ms = timed(threads, times, [&](int thread) { copy(to + thread * part, from + thread * part, part); });
    } else {
      return 2;
    }
    const int64_t flop = std::strcmp(what, "gemm") == 0 ? flopPerProduct : flopPerRound;
    std::printf("{\"flopPerRound\":%lld,\"ms\":[", static_cast<long long>(flop));
    for (size_t i = 0; i < ms.size(); i++) std::printf("%s%.6f", i ? "," : "", ms[i]);
    std::printf("]}\n");
    std::fflush(stdout);
  }
}
