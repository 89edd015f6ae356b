#pragma once

#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

namespace mrope {

/** Aligned memory that grows and never throws. */
class Arena {
 public:
  static constexpr std::size_t alignment = 64;

  Arena() = default;
  Arena(Arena &&other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Arena &operator=(Arena &&other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Arena() { release(); }

  std::size_t size() const { return size_; }

  /** At least `bytes` bytes with unknown contents, or null where there is no memory. */
  void *reserve(std::size_t bytes) {
    if (bytes <= size_) return data_;
    release();
    data_ = ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
    size_ = data_ ? bytes : 0;
    return data_;
  }

  void release() {
    ::operator delete(data_, std::align_val_t(alignment));
    data_ = nullptr;
    size_ = 0;
  }

 private:
  void *data_ = nullptr;
  std::size_t size_ = 0;
};

/** Keeps a few arenas between calls, so that a call allocates nothing once the sizes have settled. */
class ArenaCache {
 public:
  static ArenaCache &shared();

  Arena take(std::size_t bytes);
  void give(Arena arena);

 private:
  static constexpr int slots = 16;
  /** Larger arenas go back to the system. */
  static constexpr std::size_t kept = std::size_t(48) << 20;

  std::mutex mutex_;
  Arena arenas_[slots];
};

/** Scratch memory of one scope: from the cache, or its own few bytes where they are enough. */
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : data_(own_) {
    if (bytes <= sizeof own_) return;
    arena_ = ArenaCache::shared().take(bytes);
    data_ = arena_.reserve(bytes);
  }
  ~Scratch() {
    if (data_ != own_) ArenaCache::shared().give(std::move(arena_));
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  /** Null where there is no memory. */
  template <class T>
  T *as() const {
    return static_cast<T *>(data_);
  }

 private:
  alignas(Arena::alignment) char own_[2048];
  Arena arena_;
  void *data_;
};

}  // namespace mrope
