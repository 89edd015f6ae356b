#include "worker.h"

#include <thread>

namespace mrope::fake {

void Worker::post(std::function<void()> task) {
  std::lock_guard guard(mutex_);
  tasks_.push_back(std::move(task));
  if (!started_) std::thread([this] { run(); }).detach();
  started_ = true;
  changed_.notify_all();
}

void Worker::drain() {
  std::unique_lock guard(mutex_);
  changed_.wait(guard, [this] { return tasks_.empty() && !busy_; });
}

void Worker::run() {
  for (std::unique_lock guard(mutex_);;) {
    busy_ = false;
    changed_.notify_all();
    changed_.wait(guard, [this] { return !tasks_.empty(); });
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    busy_ = true;
    guard.unlock();
    @autoreleasepool {
      task();
      task = nullptr;
    }
    guard.lock();
  }
}

// Never destroyed: their threads may outlive main.
Worker &gpu() {
  static auto *worker = new Worker;
  return *worker;
}

Worker &compiler() {
  static auto *worker = new Worker;
  return *worker;
}

}  // namespace mrope::fake
