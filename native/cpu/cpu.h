#pragma once

#include "../core/params.h"
#include "../core/pool.h"

// The operations on the CPU. Parameters are checked by core/check.h before. Results do not depend on the number of
// threads.

namespace mrope::cpu {

struct Run {
  ThreadPool *pool = nullptr;
  ThreadPool::Busy busy = ThreadPool::Busy::Wait;
  const AbortFlag *abort = nullptr;
};

enum class Outcome { Done, Aborted, NoMemory };

Outcome rotate(const Rotate &, const Run &);
Outcome attend(const Attend &, const Run &);
/** cos and sin (heads, tokens, pairs). */
Outcome fillTable(const Angles &, float *cos, float *sin, const Run &);

/** Calls f(item) for all items; small work stays on the calling thread. False when it was aborted. */
template <class F>
bool forEach(const Run &run, int64_t items, double cost, const F &f) {
  // Less than about 20 µs is not worth waking a thread.
  constexpr double worthwhile = 1e6;
  if (run.pool && items > 1 && cost > worthwhile) return run.pool->run(items, run.busy, run.abort, f);
  for (int64_t item = 0; item < items; item++) {
    if (run.abort && run.abort->load(std::memory_order_relaxed)) return false;
    f(item);
  }
  return !(run.abort && run.abort->load(std::memory_order_relaxed));
}

}  // namespace mrope::cpu
