#include <cstring>

#include "threads.h"

// Where threads wait for each other: barriers of a threadgroup, barriers and operations of a simdgroup. All must come
// to the same one. That some do not is reported, and the others go on without them if they can.

namespace mrope::metal_host {

bool operator==(const Place &a, const Place &b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

void Threads::wait(State state, Place place) {
  Thread &me = threads_[current_];
  me.state = state;
  me.place = place;
  ready_.reset(current_);
  yield();
}

void Threads::barrier(int flags, Place place) {
  if (atBarrier_ == 0) {
    barrierPlace_ = place;
    barrierFlags_ = flags;
    stats_.barriers++;
  } else if (!(barrierPlace_ == place)) {
    report_.add("barriers differ", "divergence: " + describe() + " is at the threadgroup_barrier at " + place.text() +
                                       ", others of its threadgroup at the one at " + barrierPlace_.text());
  }
  if (++atBarrier_ < alive_) return wait(State::AtBarrier, place);
  if (alive_ < count_) reportMissing("threadgroup_barrier", place, alive_, count_);
  releaseBarrier(flags);
  if (options_.schedule != Schedule::InOrder) yield();
}

void Threads::releaseBarrier(int flags) {
  atBarrier_ = 0;
  if (flags & 1) epoch_[DeviceSpace]++;
  if (flags & 2) epoch_[ThreadgroupSpace]++;
  for (int i = 0; i < count_; i++)
    if (threads_[i].state == State::AtBarrier) setReady(i);
}

void Threads::simdBarrier(int flags, Place place) {
  Simdgroup &group = simdgroup();
  if (group.arrived == 0) stats_.simdBarriers++;
  if (group.arrived + 1 == group.alive) {
    if (flags & 1) group.epoch[DeviceSpace]++;
    if (flags & 2) group.epoch[ThreadgroupSpace]++;
  }
  waitSimd(msl::SimdOp::Barrier, place);
}

const char *Threads::exchange(const void *in, unsigned size, msl::SimdOp kind, Place place, std::uint32_t *active) {
  // Two sets of slots in turn: a lane may be in the next operation while others still read the results of this one, but
  // not in the one after, which begins when all lanes have come to the next.
  Simdgroup &group = simdgroup();
  const unsigned parity = group.parity;
  if (group.arrived == 0) (kind == msl::SimdOp::Multiply ? stats_.mmas : stats_.simdOps)++;
  std::memcpy(group.slots[parity] + msl::maxExchange * (current_ - group.first), in, size);
  waitSimd(kind, place);
  *active = group.active[parity];
  return group.slots[parity];
}

void Threads::waitSimd(msl::SimdOp kind, Place place) {
  Simdgroup &group = simdgroup();
  threads_[current_].operation = kind;
  for (int i = group.first; group.arrived > 0 && i < group.first + group.width; i++) {
    const Thread &other = threads_[i];
    if (other.state != State::InSimdOp) continue;
    if (other.operation != kind || !(other.place == place)) {
      report_.add("simd ops differ", "divergence: lanes of one simdgroup are in different operations, at " +
                                         other.place.text() + " and at " + place.text() + " (" + describe() + ")");
    }
    break;
  }
  group.active[group.parity] |= 1u << (current_ - group.first);
  if (++group.arrived < group.alive) return wait(State::InSimdOp, place);
  // Votes may be of those lanes that are left: that is what they tell.
  if (group.alive < group.width && kind != msl::SimdOp::Vote) {
    reportMissing("simdgroup operation", place, group.alive, group.width);
  }
  releaseSimd(group);
  if (options_.schedule == Schedule::Random) yield();
}

void Threads::releaseSimd(Simdgroup &group) {
  group.arrived = 0;
  group.parity ^= 1;
  group.active[group.parity] = 0;
  for (int i = group.first; i < group.first + group.width; i++)
    if (threads_[i].state == State::InSimdOp) setReady(i);
}

void Threads::releaseForsaken() {
  Simdgroup &group = simdgroup();
  if (group.arrived > 0 && group.arrived == group.alive) {
    int i = group.first;
    while (threads_[i].state != State::InSimdOp) i++;
    const Thread &waiting = threads_[i];
    if (waiting.operation != msl::SimdOp::Vote) {
      reportMissing("simdgroup operation", waiting.place, group.arrived, group.width);
    }
    releaseSimd(group);
  }
  if (atBarrier_ > 0 && atBarrier_ == alive_) {
    reportMissing("threadgroup_barrier", barrierPlace_, atBarrier_, count_);
    releaseBarrier(barrierFlags_);
  }
}

void Threads::step() {
  const Simdgroup &group = simdgroup();
  for (int i = 1; i < group.width; i++) {
    const int lane = group.first + (current_ - group.first + i) % group.width;
    if (ready_[lane]) return resume(lane);
  }
}

void Threads::reportStuck() {
  int inSimdOp = 0, atBarrier = 0;
  Place simdPlace;
  for (int i = 0; i < count_; i++) {
    if (threads_[i].state == State::AtBarrier) atBarrier++;
    if (threads_[i].state != State::InSimdOp) continue;
    inSimdOp++;
    simdPlace = threads_[i].place;
  }
  std::string where;
  if (inSimdOp > 0) where = " " + std::to_string(inSimdOp) + " in a simdgroup operation at " + simdPlace.text();
  if (atBarrier > 0) {
    where += (inSimdOp > 0 ? " and " : " ") + std::to_string(atBarrier) + " at the threadgroup_barrier at " +
             barrierPlace_.text();
  }
  report_.add("stuck", "divergence: threads wait for each other for ever," + where);
}

void Threads::reportMissing(const char *what, Place place, int arrived, int expected) {
  report_.add(std::string("missing ") + what, "divergence: " + std::to_string(arrived) + " of " +
                                                  std::to_string(expected) + " threads reach the " + what + " at " +
                                                  place.text() + ", the others left the kernel");
}

}  // namespace mrope::metal_host
