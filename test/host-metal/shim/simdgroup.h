#pragma once

// Barriers, and operations among the lanes of a simdgroup. A lane that left the kernel, or an index beyond the
// simdgroup, has no value: its bytes are 0xff (NaN), and the executor reports operations that not all lanes reach.

#include "relational.h"

namespace metal {

enum class mem_flags {
  mem_none = 0,
  mem_device = 1,
  mem_threadgroup = 2,
  mem_texture = 4,
  mem_threadgroup_imageblock = 8,
  mem_object_data = 16
};
constexpr mem_flags operator|(mem_flags a, mem_flags b) { return mem_flags(int(a) | int(b)); }

MSL_UNTRACKED inline void threadgroup_barrier(mem_flags flags, MSL_SITE) {
  msl::runtime().barrier(int(flags), file, line);
}
MSL_UNTRACKED inline void simdgroup_barrier(mem_flags flags, MSL_SITE) {
  msl::runtime().simdBarrier(int(flags), file, line);
}

}  // namespace metal

namespace msl {

/** What every lane of the simdgroup gave. */
template <class T>
struct Lanes {
  const char *slots;
  std::uint32_t active;

  MSL_UNTRACKED bool has(unsigned lane) const { return lane < simdWidth && (active >> lane & 1); }
  MSL_UNTRACKED T operator[](unsigned lane) const {
    T value;
    if (has(lane)) __builtin_memcpy((void *)&value, slots + maxExchange * lane, sizeof(T));
    else __builtin_memset((void *)&value, 0xff, sizeof(T));
    return value;
  }
};

template <class T>
MSL_UNTRACKED inline Lanes<T> exchange(const T &value, SimdOp kind, const char *file, int line) {
  static_assert(sizeof(T) <= maxExchange);
  Lanes<T> lanes;
  lanes.slots = runtime().exchange(&value, sizeof(T), kind, file, line, &lanes.active);
  return lanes;
}

/** Combines the lanes from `begin` to before `end`, in rising order. `end` > `begin` of an active lane. */
template <class T, class F>
MSL_UNTRACKED inline T reduce(const Lanes<T> &lanes, unsigned begin, unsigned end, F combine) {
  while (begin + 1 < end && !lanes.has(begin)) begin++;
  T result = lanes[begin];
  for (unsigned i = begin + 1; i < end; i++)
    if (lanes.has(i)) result = static_cast<T>(combine(result, lanes[i]));
  return result;
}

}  // namespace msl

namespace metal {

#define MSL_REDUCTION(name, expression)                                                                            \
  template <class T>                                                                                               \
  MSL_UNTRACKED inline T simd_##name(T value, MSL_SITE) {                                                          \
    return msl::reduce(msl::exchange(value, msl::SimdOp::Exchange, file, line), 0, msl::simdWidth,                 \
                       [](const T &a, const T &b) MSL_UNTRACKED { return expression; });                           \
  }                                                                                                                \
  template <class T>                                                                                               \
  MSL_UNTRACKED inline T quad_##name(T value, MSL_SITE) {                                                          \
    const unsigned first = msl::lane() & ~3u;                                                                      \
    return msl::reduce(msl::exchange(value, msl::SimdOp::Exchange, file, line), first, first + 4,                  \
                       [](const T &a, const T &b) MSL_UNTRACKED { return expression; });                           \
  }
MSL_REDUCTION(sum, a + b)
MSL_REDUCTION(product, a *b)
MSL_REDUCTION(max, max(a, b))
MSL_REDUCTION(min, min(a, b))
MSL_REDUCTION(and, a &b)
MSL_REDUCTION(or, a | b)
MSL_REDUCTION(xor, a ^ b)
#undef MSL_REDUCTION

// name(value, n): the value of lane `index`; n is its second argument
#define MSL_SHUFFLE(name, index)                                                      \
  template <class T>                                                                  \
  MSL_UNTRACKED inline T name(T value, ushort n, MSL_SITE) {                          \
    return msl::exchange(value, msl::SimdOp::Exchange, file, line)[index];            \
  }
MSL_SHUFFLE(simd_shuffle, n)
MSL_SHUFFLE(simd_broadcast, n)
MSL_SHUFFLE(simd_shuffle_xor, msl::lane() ^ n)
MSL_SHUFFLE(simd_shuffle_down, msl::lane() + n)
MSL_SHUFFLE(simd_shuffle_up, msl::lane() - n)
MSL_SHUFFLE(simd_shuffle_rotate_down, (msl::lane() + n) % msl::simdWidth)
MSL_SHUFFLE(simd_shuffle_rotate_up, (msl::lane() - n) % msl::simdWidth)
MSL_SHUFFLE(quad_shuffle, (msl::lane() & ~3u) + n)
MSL_SHUFFLE(quad_broadcast, (msl::lane() & ~3u) + n)
MSL_SHUFFLE(quad_shuffle_xor, msl::lane() ^ (n & 3u))
#undef MSL_SHUFFLE

template <class T>
MSL_UNTRACKED inline T simd_broadcast_first(T value, MSL_SITE) {
  const auto lanes = msl::exchange(value, msl::SimdOp::Exchange, file, line);
  return lanes[__builtin_ctz(lanes.active)];
}
template <class T>
MSL_UNTRACKED inline T simd_shuffle_and_fill_down(T value, T fill, ushort n, MSL_SITE) {
  const auto values = msl::exchange(value, msl::SimdOp::Exchange, file, line);
  const auto fills = msl::exchange(fill, msl::SimdOp::Exchange, file, line);
  const unsigned from = msl::lane() + n;
  return from < msl::simdWidth ? values[from] : fills[from - msl::simdWidth];
}
template <class T>
MSL_UNTRACKED inline T simd_shuffle_and_fill_up(T value, T fill, ushort n, MSL_SITE) {
  const auto values = msl::exchange(value, msl::SimdOp::Exchange, file, line);
  const auto fills = msl::exchange(fill, msl::SimdOp::Exchange, file, line);
  return msl::lane() >= n ? values[msl::lane() - n] : fills[msl::simdWidth + msl::lane() - n];
}
template <class T>
MSL_UNTRACKED inline T simd_prefix_inclusive_sum(T value, MSL_SITE) {
  return msl::reduce(msl::exchange(value, msl::SimdOp::Exchange, file, line), 0, msl::lane() + 1,
                     [](const T &a, const T &b) MSL_UNTRACKED { return a + b; });
}
template <class T>
MSL_UNTRACKED inline T simd_prefix_exclusive_sum(T value, MSL_SITE) {
  const auto lanes = msl::exchange(value, msl::SimdOp::Exchange, file, line);
  if (msl::lane() == 0) return T(0);
  return msl::reduce(lanes, 0, msl::lane(), [](const T &a, const T &b) MSL_UNTRACKED { return a + b; });
}

struct simd_vote {
  using vote_t = ulong;
  ulong votes = 0, active = 0;

  explicit operator vote_t() const { return votes; }
  bool all() const { return votes == active; }
  bool any() const { return votes != 0; }
};
MSL_UNTRACKED inline simd_vote simd_ballot(bool value, MSL_SITE) {
  const auto lanes = msl::exchange(value, msl::SimdOp::Vote, file, line);
  simd_vote vote;
  vote.active = lanes.active;
  for (unsigned i = 0; i < msl::simdWidth; i++)
    if (lanes.has(i) && lanes[i]) vote.votes |= 1ul << i;
  return vote;
}
MSL_UNTRACKED inline bool simd_all(bool value, MSL_SITE) { return simd_ballot(value, file, line).all(); }
MSL_UNTRACKED inline bool simd_any(bool value, MSL_SITE) { return simd_ballot(value, file, line).any(); }
MSL_UNTRACKED inline simd_vote simd_active_threads_mask(MSL_SITE) { return simd_ballot(true, file, line); }
MSL_UNTRACKED inline bool simd_is_first(MSL_SITE) {
  return msl::lane() == unsigned(__builtin_ctzl(ulong(simd_ballot(true, file, line))));
}

}  // namespace metal
