#include "threads.h"

#include <sys/mman.h>

#include <algorithm>

namespace mrope::metal_host {

namespace {

Threads *active = nullptr;  // whose fibers run

}  // namespace

void Threads::begin(const LaunchOptions &options, Body body, const msl::Arguments *arguments) {
  options_ = options;
  body_ = body;
  arguments_ = arguments;
  stats_ = Stats();
  group_ = 0;
  epoch_[DeviceSpace] = epoch_[ThreadgroupSpace] = 0;
  randomState_ = options.seed * 0x9e3779b97f4a7c15ull | 1;
  current_ = -1;
  abandoned_ = false;
  active = this;
}

std::uint64_t Threads::random() {
  randomState_ ^= randomState_ << 13;
  randomState_ ^= randomState_ >> 7;
  randomState_ ^= randomState_ << 17;
  return randomState_;
}

/** Gives the threads of a threadgroup their built-in values. Groups at the edge of a grid may be smaller. */
void Threads::layout(const Grid &grid, Size group) {
  const Size per = grid.threadsPerGroup;
  const Size here = {std::min(per.x, grid.threads.x - group.x * per.x),
                     std::min(per.y, grid.threads.y - group.y * per.y),
                     std::min(per.z, grid.threads.z - group.z * per.z)};
  const auto simdgroups = [](Size s) { return (s.x * s.y * s.z + msl::simdWidth - 1) / msl::simdWidth; };
  count_ = static_cast<int>(here.x * here.y * here.z);
  if (static_cast<int>(threads_.size()) < count_) threads_.resize(count_);
  simdgroups_.resize(simdgroups(here));
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count_); i++) {
    const Size at = {i % here.x, i / here.x % here.y, i / here.x / here.y};
    threads_[i].values = {{group.x * per.x + at.x, group.y * per.y + at.y, group.z * per.z + at.z},
                          {at.x, at.y, at.z},
                          {group.x, group.y, group.z},
                          {here.x, here.y, here.z},
                          {per.x, per.y, per.z},
                          {grid.groups.x, grid.groups.y, grid.groups.z},
                          {grid.threads.x, grid.threads.y, grid.threads.z},
                          i,
                          i % msl::simdWidth,
                          i / msl::simdWidth,
                          simdgroups(here),
                          simdgroups(per),
                          msl::simdWidth};
  }
}

/** Puts a thread at the beginning of the kernel; false when there is no memory for its stack. */
bool Threads::prepare(Thread &thread) {
  constexpr std::size_t guard = 4096;
  if (!thread.stack) {
    void *p = mmap(nullptr, stackBytes + guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) return false;
    mprotect(p, guard, PROT_NONE);
    const auto release = [](char *stack) { munmap(stack - guard, stackBytes + guard); };
    thread.stack = {static_cast<char *>(p) + guard, release};
  }
  prepareContext(thread.context, thread.stack.get(), stackBytes, fiberMain);
  return true;
}

bool Threads::run(const Grid &grid, Size group) {
  layout(grid, group);
  group_++;
  epoch_[DeviceSpace]++;
  epoch_[ThreadgroupSpace]++;
  alive_ = count_;
  atBarrier_ = 0;
  ready_.reset();
  for (int i = 0; i < static_cast<int>(simdgroups_.size()); i++) {
    Simdgroup &s = simdgroups_[i];
    s.first = i * msl::simdWidth;
    s.width = s.alive = std::min(msl::simdWidth, count_ - s.first);
    s.arrived = 0;
    s.active[0] = s.active[1] = 0;
  }
  for (int i = 0; i < count_; i++) {
    if (!prepare(threads_[i])) {
      report_.add("stacks", "no memory for the stacks of " + std::to_string(count_) + " threads");
      return false;
    }
    setReady(i);
  }
  stats_.threadgroups++;
  stats_.threads += static_cast<std::uint64_t>(count_);
  current_ = options_.schedule == Schedule::Reverse ? count_ - 1 : 0;
  current_ = next();
  runtime_.thread = &threads_[current_].values;
  stackLow_ = reinterpret_cast<std::uintptr_t>(threads_[current_].stack.get());
  switchContext(outside_, threads_[current_].context);
  current_ = -1;
  return !abandoned_;
}

void Threads::fiberMain() {
  active->body_(*active->arguments_);
  active->finish();
}

void Threads::finish() {
  Thread &me = threads_[current_];
  me.state = State::Done;
  ready_.reset(current_);
  alive_--;
  simdgroup().alive--;
  releaseForsaken();
  if (alive_ == 0) switchContext(me.context, outside_);
  yield();
}

void Threads::abandon() {
  abandoned_ = true;
  switchContext(threads_[current_].context, outside_);
  __builtin_unreachable();
}

/** A ready thread in the order of the schedule, beginning with the current one; -1: there is none. */
int Threads::next() {
  const bool reverse = options_.schedule == Schedule::Reverse;
  const auto count = static_cast<unsigned>(count_);
  const int from = options_.schedule == Schedule::Random ? static_cast<int>(random() % count) : current_;
  for (int i = 0; i < count_; i++) {
    const int k = reverse ? (from - i + count_) % count_ : (from + i) % count_;
    if (ready_[k]) return k;
  }
  return -1;
}

void Threads::resume(int thread) {
  Thread &from = threads_[current_], &to = threads_[thread];
  current_ = thread;
  runtime_.thread = &to.values;
  stackLow_ = reinterpret_cast<std::uintptr_t>(to.stack.get());
  switchContext(from.context, to.context);
}

void Threads::yield() {
  const int k = next();
  if (k < 0) {
    reportStuck();
    abandon();
  }
  if (k != current_) resume(k);
}

bool Threads::inRuntime(std::uintptr_t address) const {
  const auto inside = [address](const auto &list) {
    const auto begin = reinterpret_cast<std::uintptr_t>(list.data());
    return address - begin < list.size() * sizeof(list[0]);
  };
  return inside(simdgroups_) || inside(threads_);
}

std::string Threads::describe() const {
  if (current_ < 0) return "a thread";
  const auto &v = threads_[current_].values;
  const auto *g = v.threadgroup_position_in_grid;
  return "thread " + std::to_string(v.thread_index_in_threadgroup) + " of threadgroup (" + std::to_string(g[0]) + ", " +
         std::to_string(g[1]) + ", " + std::to_string(g[2]) + ")";
}

}  // namespace mrope::metal_host
