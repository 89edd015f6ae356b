#include <algorithm>

#include "cpu.h"
#include "kernels.h"

namespace mrope::cpu {

Outcome rotate(const Rotate &job, const Run &run) {
  const Kernels &kernel = kernels();
  const int64_t perToken = std::max<int64_t>(job.x.heads * job.x.dim, 1);
  const int64_t tokens = std::clamp<int64_t>(65536 / perToken, 1, std::max<int64_t>(job.x.tokens, 1));
  const int64_t items = (job.x.tokens + tokens - 1) / tokens;
  // Past the caches only where they could not hold the result.
  const bool stream = job.x.data != job.out.data && job.out.elements() * 4 >= (int64_t(8) << 20);
  const bool done = forEach(run, items, double(job.x.elements()) * 8, [&](int64_t item) {
    const int64_t token = item * tokens;
    kernel.rotate(job, token, std::min(tokens, job.x.tokens - token), stream);
  });
  return done ? Outcome::Done : Outcome::Aborted;
}

Outcome fillTable(const Angles &job, float *cos, float *sin, const Run &run) {
  const Kernels &kernel = kernels();
  const int64_t tokens = std::max<int64_t>(4096 / std::max<int64_t>(job.pairs, 1), 1);
  const int64_t blocks = (job.tokens + tokens - 1) / tokens;
  const double cost = double(job.heads) * double(job.tokens) * double(job.pairs) * 64;
  const bool done = forEach(run, job.heads * blocks, cost, [&](int64_t item) {
    const int64_t head = item / blocks, token = item % blocks * tokens;
    const int64_t at = (head * job.tokens + token) * job.pairs;
    kernel.angles(job, head, token, std::min(tokens, job.tokens - token), cos + at, sin + at);
  });
  return done ? Outcome::Done : Outcome::Aborted;
}

}  // namespace mrope::cpu
