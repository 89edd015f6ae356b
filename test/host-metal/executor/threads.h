#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi.h"
#include "context.h"
#include "executor.h"
#include "report.h"

namespace mrope::metal_host {

/** The memories that barriers order. */
enum Space : unsigned { DeviceSpace = 0, ThreadgroupSpace = 1 };

/** Where a kernel calls a barrier or an operation among lanes. */
struct Place {
  const char *file = nullptr;
  int line = 0;

  std::string text() const { return place(file, line); }
};
bool operator==(const Place &a, const Place &b);

/** The threads of one threadgroup, as fibers that switch at barriers and simdgroup operations. */
class Threads {
 public:
  using Body = void (*)(const msl::Arguments &);

  Threads(Report &report, msl::Runtime &runtime) : report_(report), runtime_(runtime) {}

  /** Starts a launch. */
  void begin(const LaunchOptions &options, Body body, const msl::Arguments *arguments);
  /** Runs the threadgroup at `group` to its end. False: it was given up, and so is the launch. */
  bool run(const Grid &grid, Size group);
  /** Ends the launch from within a fiber; does not return to it. */
  [[noreturn]] void abandon();

  // What kernels call (barriers.cc).
  void barrier(int flags, Place place);
  void simdBarrier(int flags, Place place);
  const char *exchange(const void *in, unsigned size, msl::SimdOp kind, Place place, std::uint32_t *active);
  /** Lockstep: lets the other lanes of the simdgroup come this far. */
  void step();

  // Where and when the running thread is.
  bool running() const { return current_ >= 0; }
  std::uint32_t group() const { return group_; }           // serial number, from 1
  std::uint16_t thread() const { return static_cast<std::uint16_t>(current_); }
  std::uint32_t epoch(Space space) const { return epoch_[space]; }
  std::uint32_t simdEpoch(Space space) const { return simdgroups_[current_ / msl::simdWidth].epoch[space]; }
  bool lockstep() const { return options_.schedule == Schedule::Lockstep; }
  bool onStack(std::uintptr_t address) const { return address - stackLow_ < stackBytes; }
  bool nearStackEnd(std::uintptr_t address) const { return stackLow_ - address <= stackBytes / 4; }
  /** Whether an address belongs to the executor: slots of exchanges, values of threads. */
  bool inRuntime(std::uintptr_t address) const;
  /** "thread 3 of threadgroup (0, 1, 0)" */
  std::string describe() const;
  const Stats &stats() const { return stats_; }

 private:
  enum class State : std::uint8_t { Ready, InSimdOp, AtBarrier, Done };

  struct Thread {
    Context context;
    msl::ThreadContext values;
    State state = State::Done;
    msl::SimdOp operation = msl::SimdOp::Barrier;  // that it waits in, and where
    Place place;
    std::unique_ptr<char, void (*)(char *)> stack{nullptr, nullptr};
  };

  struct Simdgroup {
    int first = 0, width = 0;          // its threads
    int alive = 0, arrived = 0;
    unsigned parity = 0;               // which of the two sets of slots the next operation uses
    std::uint32_t active[2] = {0, 0};
    std::uint32_t epoch[2] = {0, 0};
    alignas(64) char slots[2][msl::simdWidth * msl::maxExchange];
  };

  static constexpr std::size_t stackBytes = 256 * 1024;
  static void fiberMain();

  void layout(const Grid &grid, Size group);
  bool prepare(Thread &thread);
  void finish();
  int next();
  void yield();
  void resume(int thread);
  void setReady(int thread) {
    threads_[thread].state = State::Ready;
    ready_.set(thread);
  }
  std::uint64_t random();

  Simdgroup &simdgroup() { return simdgroups_[current_ / msl::simdWidth]; }
  void wait(State state, Place place);
  void waitSimd(msl::SimdOp kind, Place place);
  void releaseBarrier(int flags);
  void releaseSimd(Simdgroup &simdgroup);
  /** After a thread ended: releases those that wait for nobody else any more. */
  void releaseForsaken();
  void reportStuck();
  void reportMissing(const char *what, Place place, int arrived, int expected);

  Report &report_;
  msl::Runtime &runtime_;
  LaunchOptions options_;
  Body body_ = nullptr;
  const msl::Arguments *arguments_ = nullptr;
  Stats stats_;

  std::vector<Thread> threads_;
  std::vector<Simdgroup> simdgroups_;
  std::bitset<msl::maxThreads> ready_;
  Context outside_;                    // of run()
  int count_ = 0, alive_ = 0, current_ = -1;
  std::uintptr_t stackLow_ = 0;        // of the running thread
  bool abandoned_ = false;

  int atBarrier_ = 0, barrierFlags_ = 0;
  Place barrierPlace_;
  std::uint32_t group_ = 0;
  std::uint32_t epoch_[2] = {0, 0};    // grow with every barrier and never fall back
  std::uint64_t randomState_ = 1;
};

}  // namespace mrope::metal_host
