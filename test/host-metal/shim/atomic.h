#pragma once

// Atomics: one thread of the machine runs all fibers, so plain operations are atomic; the strict lane is told.

#include "relational.h"

namespace metal {

enum memory_order { memory_order_relaxed };

template <class T>
struct atomic {
  T value;
};
using atomic_int = atomic<int>;
using atomic_uint = atomic<uint>;
using atomic_bool = atomic<bool>;
using atomic_float = atomic<float>;
using atomic_ulong = atomic<ulong>;

}  // namespace metal

namespace msl {

/** The old value; the new one is what `next` makes of it. */
template <class T, class F>
MSL_UNTRACKED inline T modify(const volatile metal::atomic<T> *object, F next) {
  runtime().atomic(reinterpret_cast<std::uintptr_t>(object), sizeof(T), __builtin_return_address(0));
  auto *value = const_cast<T *>(&object->value);
  const T old = *value;
  const T wanted = next(old);
  *value = wanted;
  return old;
}

}  // namespace msl

namespace metal {

#define MSL_ATOMIC(name, expression)                                                                         \
  template <class T, class U>                                                                                \
  MSL_UNTRACKED inline T atomic_##name##_explicit(volatile atomic<T> *object, U operand, memory_order) {     \
    const T b = T(operand);                                                                                  \
    return msl::modify(object, [b]([[maybe_unused]] T a) MSL_UNTRACKED { return T(expression); });           \
  }
MSL_ATOMIC(fetch_add, a + b)
MSL_ATOMIC(fetch_sub, a - b)
MSL_ATOMIC(fetch_max, a < b ? b : a)
MSL_ATOMIC(fetch_min, b < a ? b : a)
MSL_ATOMIC(fetch_and, a &b)
MSL_ATOMIC(fetch_or, a | b)
MSL_ATOMIC(fetch_xor, a ^ b)
MSL_ATOMIC(exchange, b)
#undef MSL_ATOMIC

template <class T, class U>
MSL_UNTRACKED inline void atomic_store_explicit(volatile atomic<T> *object, U value, memory_order) {
  const T b = T(value);
  msl::modify(object, [b](T) MSL_UNTRACKED { return b; });
}
template <class T>
MSL_UNTRACKED inline T atomic_load_explicit(const volatile atomic<T> *object, memory_order) {
  return msl::modify(object, [](T a) MSL_UNTRACKED { return a; });
}
template <class T>
MSL_UNTRACKED inline bool atomic_compare_exchange_weak_explicit(volatile atomic<T> *object, T *expected, T desired,
                                                                memory_order, memory_order) {
  const T wanted = *expected;
  *expected = msl::modify(object, [=](T a) MSL_UNTRACKED { return a == wanted ? desired : a; });
  return *expected == wanted;
}

}  // namespace metal
