#include "pool.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace mrope {
namespace {

constexpr int mostThreads = 256;
/** How long a thread watches for what it waits for before it sleeps: to be woken costs a quarter of a short decode. */
constexpr auto watchTime = std::chrono::microseconds(50);

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class F>
void watchFor(const F &happened) {
  const auto until = std::chrono::steady_clock::now() + watchTime;
  while (!happened() && std::chrono::steady_clock::now() < until) {
    for (int i = 0; i < 32; i++) pause();
  }
}

}  // namespace

std::shared_ptr<ThreadPool> ThreadPool::acquire() {
  static std::mutex mutex;
  static std::weak_ptr<ThreadPool> pool;
  std::lock_guard lock(mutex);
  std::shared_ptr<ThreadPool> shared = pool.lock();
  if (!shared) pool = shared = std::make_shared<ThreadPool>();
  return shared;
}

int ThreadPool::defaultThreads() {
  if (const char *text = std::getenv("MROPE_THREADS")) {
    char *end = nullptr;
    const long count = std::strtol(text, &end, 10);
    if (end != text && *end == 0 && count >= 1 && count <= mostThreads) return static_cast<int>(count);
  }
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, mostThreads);
}

void ThreadPool::setThreads(int threads) {
  threads_.store(std::clamp(threads, 1, mostThreads), std::memory_order_relaxed);
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread &worker : workers_) worker.join();
}

void ThreadPool::drain(Work &work) {
  for (;;) {
    if (work.abort && work.abort->load(std::memory_order_relaxed)) return;
    const int64_t item = work.next.fetch_add(1, std::memory_order_relaxed);
    if (item >= work.items) return;
    work.call(work.context, item);
  }
}

bool ThreadPool::runErased(int64_t items, Busy busy, const AbortFlag *abort, Call call, const void *context) {
  Work work{call, context, abort, items};
  const int helpers = static_cast<int>(std::min<int64_t>(threads(), items)) - 1;
  std::unique_lock turn(turn_, std::defer_lock);
  if (helpers > 0) {
    if (busy == Busy::Wait) {
      turn.lock();
    } else {
      (void)turn.try_lock();
    }
  }
  if (turn.owns_lock()) {
    {
      std::lock_guard lock(mutex_);
      grow(helpers);
      work.places = helpers;
      work_ = &work;
      posted_.fetch_add(1);
    }
    wake_.notify_all();
    drain(work);
    {
      std::lock_guard lock(mutex_);
      work_ = nullptr;
    }
    watchFor([&] { return work.inside.load(std::memory_order_relaxed) == 0; });
    std::unique_lock lock(mutex_);
    left_.wait(lock, [&] { return work.inside == 0; });
  } else {
    drain(work);
  }
  return !(abort && abort->load(std::memory_order_relaxed));
}

void ThreadPool::grow(int workers) {
  try {
    while (static_cast<int>(workers_.size()) < workers) workers_.emplace_back([this] { serve(); });
  } catch (...) {
    // No more threads to be had: the work is done by those that are there.
  }
}

void ThreadPool::serve() {
  uint64_t seen = 0;
  for (;;) {
    watchFor([&] {
      return posted_.load(std::memory_order_relaxed) != seen || stop_.load(std::memory_order_relaxed);
    });
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return stop_.load() || posted_.load() != seen; });
    if (stop_.load()) return;
    seen = posted_.load();
    Work *work = work_;
    if (!work || work->places == 0) continue;
    work->places--;
    work->inside++;
    lock.unlock();
    drain(*work);
    lock.lock();
    if (--work->inside == 0) left_.notify_all();
  }
}

}  // namespace mrope
