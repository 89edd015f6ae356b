#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "executor.h"
#include "report.h"
#include "threads.h"

namespace mrope::metal_host {

/** Memory that a launch may touch, or may not: what an address belongs to. */
struct Region {
  enum class Kind { Device, Constant, Threadgroup, Unbound };

  std::uintptr_t begin = 0, end = 0;
  Kind kind = Kind::Device;
  std::string name;
  int index = 0;                    // buffer index
  std::vector<Memory *> memories;   // that it is made of: to ask what is written
};

/**
 * Strict lane: what every byte of a launch's memory saw last, to find races, uninitialised reads and accesses out of
 * bounds, and to count traffic.
 *
 * Two accesses of a byte race when one is a store, the threads differ, and no barrier for that memory lies between: a
 * threadgroup_barrier with its flag, or a simdgroup_barrier if both are in one simdgroup. Threadgroups of a launch are
 * never ordered. Atomics do not race with each other; they order nothing.
 */
class Shadow {
 public:
  Shadow(Report &report, Threads &threads) : report_(report), threads_(threads) {}

  void begin(std::string kernel, bool tracked, std::vector<Region> regions);
  void load(std::uintptr_t address, std::size_t bytes, const void *site);
  void store(std::uintptr_t address, std::size_t bytes, const void *site);
  void atomic(std::uintptr_t address, std::size_t bytes, const void *site);
  /** Adds traffic to the stats of the launch. */
  void finish(Stats &stats) const;
  /** Says what an access of `address`, outside of all memory, is. */
  std::string outside(std::uintptr_t address, const char *what) const;
  /** Addresses of the library's own constants and variables, which kernels may read. */
  void setImages(std::vector<std::pair<std::uintptr_t, std::uintptr_t>> images) { images_ = std::move(images); }

 private:
  // The last access of a cell by some thread.
  struct Touch {
    std::uint32_t group = 0, epoch = 0, simdEpoch = 0;  // group 0: never
    std::uint16_t thread = 0;
    std::uint8_t atomic = 0;
    std::uint8_t others = 0;  // of a read: another lane of the simdgroup read in the same simdgroup epoch
  };
  struct Cell {
    Touch write, read;
    std::uint32_t readers = 0;       // simdgroups that read in the epoch of `read`
    std::uint8_t otherGroups = 0;    // an earlier threadgroup read
    std::uint8_t known = 0;          // Device: all bytes are written
  };
  // A cell stands for as many bytes as the smallest access so far; cells are split when a smaller one comes.
  struct Tracked : Region {
    std::unique_ptr<Cell[], void (*)(void *)> cells{nullptr, std::free};
    std::size_t granule = 16;
    Traffic traffic;
  };

  template <bool Store>
  void access(std::uintptr_t address, std::size_t bytes, const void *site, bool isAtomic);
  Tracked *find(std::uintptr_t address);
  /** The memory that an address is in or near; null: none. */
  const Region *nearest(std::uintptr_t address) const;
  bool written(const Tracked &region, std::size_t offset) const;
  void markWritten(const Tracked &region, std::size_t offset) const;
  void split(Tracked &region, std::size_t granule);
  template <bool Store>
  void touch(Tracked &region, Cell &cell, std::size_t offset, const void *site, bool isAtomic);
  void race(const Tracked &region, std::size_t offset, const char *verb, const char *before, const Touch &other,
            const void *site);
  void uninitialised(const Tracked &region, std::size_t offset, const void *site);
  bool ignored(std::uintptr_t address) const;

  Report &report_;
  Threads &threads_;
  std::string kernel_;
  std::vector<Tracked> regions_;  // by address
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> images_;
  Tracked *last_ = nullptr;
  Traffic threadgroup_;
  std::uint64_t constantLoaded_ = 0;
};

}  // namespace mrope::metal_host
