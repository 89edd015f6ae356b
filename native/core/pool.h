#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace mrope {

/** Set by who no longer wants a result; looked at between two items of work. */
using AbortFlag = std::atomic<bool>;

/**
 * Threads that share the items of one piece of work with the thread that brings it. One piece runs at a time, so that
 * all calls of a process together use `threads` threads. Which thread takes an item never changes a result.
 */
class ThreadPool {
 public:
  /** Waits for a turn, or goes on alone where another piece of work is running. */
  enum class Busy { Wait, GoAlone };

  /** The pool of the process. The threads end with the last owner. */
  static std::shared_ptr<ThreadPool> acquire();
  /** The number of processors, or MROPE_THREADS where it is set to 1 … 256. */
  static int defaultThreads();

  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return threads_.load(std::memory_order_relaxed); }
  /** How many threads later work uses, the caller's included; 1 … 256. */
  void setThreads(int threads);

  /** Calls f(item) for 0 ≤ item < items; false when it was stopped by `abort`. f must not throw. */
  template <class F>
  bool run(int64_t items, Busy busy, const AbortFlag *abort, const F &f) {
    return runErased(items, busy, abort, [](const void *f, int64_t item) { (*static_cast<const F *>(f))(item); }, &f);
  }

 private:
  using Call = void (*)(const void *, int64_t);
  struct Work {
    Call call;
    const void *context;
    const AbortFlag *abort;
    int64_t items;
    std::atomic<int64_t> next{0};
    /** Pool threads that are inside, and places left for more. Changed under mutex_. */
    std::atomic<int> inside{0};
    int places = 0;
  };

  bool runErased(int64_t items, Busy busy, const AbortFlag *abort, Call call, const void *context);
  void serve();
  void grow(int workers);
  static void drain(Work &work);

  std::atomic<int> threads_{defaultThreads()};
  /** Held by the piece of work that may use the threads. */
  std::mutex turn_;
  std::mutex mutex_;
  std::condition_variable wake_, left_;
  Work *work_ = nullptr;
  /** Counts pieces of work; idle threads watch it for a moment before they sleep. */
  std::atomic<uint64_t> posted_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace mrope
