#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace mrope::fake {

/** One thread that does what it is given, in order, each in an autorelease pool of its own. It starts when needed. */
class Worker {
 public:
  void post(std::function<void()> task);
  void drain();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool started_ = false, busy_ = false;
};

/** The thread that executes command buffers and calls their handlers, and the one that compiles. */
Worker &gpu();
Worker &compiler();

}  // namespace mrope::fake
