#include "shadow.h"

#include <algorithm>
#include <cstdio>

namespace mrope::metal_host {

namespace {

constexpr std::uintptr_t nearBytes = 1 << 20;  // how far from a buffer an access is still blamed on it

std::string named(const Region &region) {
  switch (region.kind) {
    case Region::Kind::Threadgroup: return "threadgroup memory '" + region.name + "'";
    case Region::Kind::Constant: return "constant '" + region.name + "' at index " + std::to_string(region.index);
    default: return "buffer '" + region.name + "' at index " + std::to_string(region.index);
  }
}

}  // namespace

void Shadow::begin(std::string kernel, bool tracked, std::vector<Region> regions) {
  kernel_ = std::move(kernel);
  last_ = nullptr;
  threadgroup_ = Traffic();
  constantLoaded_ = 0;
  regions_.clear();
  for (auto &region : regions) {
    Tracked t;
    static_cast<Region &>(t) = std::move(region);
    if (tracked && (t.kind == Region::Kind::Device || t.kind == Region::Kind::Threadgroup)) {
      t.cells.reset(static_cast<Cell *>(std::calloc((t.end - t.begin) / t.granule + 1, sizeof(Cell))));
      if (!t.cells) report_.add("shadow", kernel_ + ": no memory to track " + named(t));
    }
    regions_.push_back(std::move(t));
  }
  std::sort(regions_.begin(), regions_.end(), [](const auto &a, const auto &b) { return a.begin < b.begin; });
}

Shadow::Tracked *Shadow::find(std::uintptr_t address) {
  if (last_ != nullptr && address - last_->begin < last_->end - last_->begin) return last_;
  const auto after = std::upper_bound(regions_.begin(), regions_.end(), address,
                                      [](std::uintptr_t a, const Tracked &r) { return a < r.begin; });
  if (after == regions_.begin() || address >= (after - 1)->end) return nullptr;
  return last_ = &*(after - 1);
}

const Region *Shadow::nearest(std::uintptr_t address) const {
  const Region *best = nullptr;
  std::uintptr_t distance = nearBytes;
  for (const auto &r : regions_) {
    const std::uintptr_t d = address < r.begin ? r.begin - address : address < r.end ? 0 : address - r.end;
    if (d >= distance) continue;
    best = &r;
    distance = d;
  }
  return best;
}

std::string Shadow::outside(std::uintptr_t address, const char *what) const {
  const Region *region = nearest(address);
  const std::string who = " (" + threads_.describe() + ")";
  const std::string start = kernel_ + ": " + what;
  if (region == nullptr) {
    char number[24];
    std::snprintf(number, sizeof number, "%#lx", static_cast<unsigned long>(address));
    return start + " out of bounds: address " + number + " is near no bound memory" + who;
  }
  if (region->kind == Region::Kind::Unbound) {
    const std::string index = std::to_string(region->index);
    return start + " of '" + region->name + "' at index " + index + ", where nothing is bound" + who;
  }
  if (address < region->begin) {
    const std::string distance = std::to_string(region->begin - address);
    return start + " out of bounds: " + distance + " bytes before " + named(*region) + who;
  }
  return start + " out of bounds: byte " + std::to_string(address - region->begin) + " of " + named(*region) +
         ", which has " + std::to_string(region->end - region->begin) + who;
}

bool Shadow::ignored(std::uintptr_t address) const {
  for (const auto &[begin, end] : images_)
    if (address - begin < end - begin) return true;
  return threads_.inRuntime(address);
}

/** Makes the cells of a region smaller; what a cell saw, all of its parts saw. */
void Shadow::split(Tracked &region, std::size_t granule) {
  const std::size_t old = (region.end - region.begin) / region.granule + 1, ratio = region.granule / granule;
  auto *cells = static_cast<Cell *>(std::calloc(old * ratio, sizeof(Cell)));
  if (cells == nullptr) report_.add("shadow", kernel_ + ": no memory to track " + named(region));
  for (std::size_t i = 0; cells != nullptr && i < old; i++) {
    const Cell &cell = region.cells[i];
    if (cell.write.group != 0 || cell.read.group != 0) std::fill_n(cells + i * ratio, ratio, cell);
  }
  region.cells.reset(cells);
  region.granule = granule;
}

template <bool Store>
void Shadow::access(std::uintptr_t address, std::size_t bytes, const void *site, bool isAtomic) {
  if (!threads_.running() || bytes == 0 || threads_.onStack(address)) return;
  Tracked *region = find(address);
  if (region == nullptr && ignored(address)) return;
  if (region == nullptr || address + bytes > region->end || region->kind == Region::Kind::Unbound) {
    const bool across = region != nullptr && region->kind != Region::Kind::Unbound;
    report_.add("bounds", outside(across ? region->end : address, Store ? "store" : "load"), site);
    threads_.abandon();
  }
  if (region->kind == Region::Kind::Constant) {
    if (!Store) constantLoaded_ += bytes;
    else report_.add("constant", kernel_ + ": store into " + named(*region) + " by " + threads_.describe(), site);
    return;
  }
  Traffic &traffic = region->kind == Region::Kind::Threadgroup ? threadgroup_ : region->traffic;
  (Store ? traffic.stored : traffic.loaded) += bytes;
  if (region->kind == Region::Kind::Threadgroup && threads_.lockstep()) threads_.step();
  const std::size_t offset = address - region->begin;
  std::size_t granule = region->granule;
  while ((offset | bytes) & (granule - 1)) granule /= 2;
  if (region->cells && granule != region->granule) split(*region, granule);
  if (!region->cells) return;
  for (std::size_t at = offset; at < offset + bytes; at += region->granule) {
    touch<Store>(*region, region->cells[at / region->granule], at, site, isAtomic);
  }
}

template <bool Store>
void Shadow::touch(Tracked &region, Cell &cell, std::size_t offset, const void *site, bool isAtomic) {
  const bool shared = region.kind == Region::Kind::Threadgroup;
  const Space space = shared ? ThreadgroupSpace : DeviceSpace;
  const std::uint32_t group = threads_.group(), epoch = threads_.epoch(space), simdEpoch = threads_.simdEpoch(space);
  const std::uint16_t thread = threads_.thread();
  const unsigned simdgroup = thread / msl::simdWidth;
  const Touch w = cell.write, r = cell.read;
  const char *verb = Store ? "stores over" : "loads";

  // A threadgroup variable is another one in the next threadgroup; device memory is the same.
  bool found = false;
  if (w.group != 0 && !(isAtomic && w.atomic)) {
    const bool byBarrier = w.thread == thread || w.epoch != epoch;
    const bool bySimdBarrier = w.thread / msl::simdWidth == simdgroup && w.simdEpoch != simdEpoch;
    found = !(w.group != group ? shared : byBarrier || bySimdBarrier);
    if (found) race(region, offset, verb, "stored", w, site);
  }
  if (Store && !found && r.group != 0) {
    const bool otherSimdgroup = (cell.readers & ~(1u << simdgroup)) != 0;
    const bool otherLane = r.simdEpoch == simdEpoch && (r.thread != thread || r.others);
    const bool ordered = r.group != group ? shared : r.epoch != epoch || !(otherSimdgroup || otherLane);
    if (!ordered || (cell.otherGroups && !shared)) race(region, offset, verb, "loaded", r, site);
  }

  if (!Store || isAtomic) {
    if (shared) {
      if (w.group != group) uninitialised(region, offset, site);
    } else if (!cell.known) {
      cell.known = written(region, offset);
      if (!cell.known) uninitialised(region, offset, site);
    }
  }

  const Touch now = {group, epoch, simdEpoch, thread, isAtomic, 0};
  if (Store) {
    if (!shared) {
      if (w.group == 0) region.traffic.uniqueStored += region.granule;
      if (w.group != group) region.traffic.uniquePerGroupStored += region.granule;
      if (!cell.known) markWritten(region, offset);
      cell.known = 1;
    }
    cell.write = now;
    return;
  }
  if (!shared) {
    if (r.group == 0) region.traffic.uniqueLoaded += region.granule;
    if (r.group != group) region.traffic.uniquePerGroupLoaded += region.granule;
    if (r.group != 0 && r.group != group) cell.otherGroups = 1;
  }
  const bool fresh = r.group != group || r.epoch != epoch;
  cell.readers = (fresh ? 0 : cell.readers) | 1u << simdgroup;
  cell.read = now;
  cell.read.others = !fresh && r.simdEpoch == simdEpoch && (r.others || r.thread != thread);
}

void Shadow::load(std::uintptr_t address, std::size_t bytes, const void *site) {
  access<false>(address, bytes, site, false);
}

void Shadow::store(std::uintptr_t address, std::size_t bytes, const void *site) {
  access<true>(address, bytes, site, false);
}

/** A load and a store for the counters, a store for everything else. */
void Shadow::atomic(std::uintptr_t address, std::size_t bytes, const void *site) {
  Tracked *region = find(address);
  if (region != nullptr && region->kind == Region::Kind::Device) region->traffic.loaded += bytes;
  if (region != nullptr && region->kind == Region::Kind::Threadgroup) threadgroup_.loaded += bytes;
  access<true>(address, bytes, site, true);
}

bool Shadow::written(const Tracked &region, std::size_t offset) const {
  const std::uintptr_t address = region.begin + offset;
  return std::any_of(region.memories.begin(), region.memories.end(), [&](const Memory *memory) {
    const std::uintptr_t at = address - reinterpret_cast<std::uintptr_t>(memory->data());
    return at < memory->bytes() && memory->written(at, region.granule);
  });
}

void Shadow::markWritten(const Tracked &region, std::size_t offset) const {
  const std::uintptr_t address = region.begin + offset;
  for (Memory *memory : region.memories) {
    const std::uintptr_t at = address - reinterpret_cast<std::uintptr_t>(memory->data());
    if (at < memory->bytes()) memory->markWritten(at, region.granule);
  }
}

void Shadow::race(const Tracked &region, std::size_t offset, const char *verb, const char *before, const Touch &other,
                  const void *site) {
  const std::string kind = "race " + region.name;
  if (!report_.wants(kind)) return report_.again();
  const bool near = other.group == threads_.group();
  report_.add(kind,
              kernel_ + ": race on byte " + std::to_string(offset) + " of " + named(region) + ": " +
                  threads_.describe() + " " + verb + " what thread " + std::to_string(other.thread) + " of " +
                  (near ? "the same" : "another") + " threadgroup " + before +
                  (near ? ", and no barrier orders them" : " in the same launch"),
              site);
}

void Shadow::uninitialised(const Tracked &region, std::size_t offset, const void *site) {
  const std::string kind = "uninitialised " + region.name;
  if (!report_.wants(kind)) return report_.again();
  report_.add(kind,
              kernel_ + ": uninitialised byte " + std::to_string(offset) + " of " + named(region) + " is loaded by " +
                  threads_.describe(),
              site);
}

void Shadow::finish(Stats &stats) const {
  stats.threadgroupLoaded = threadgroup_.loaded;
  stats.threadgroupStored = threadgroup_.stored;
  stats.constantLoaded = constantLoaded_;
  for (const auto &region : regions_) {
    if (region.kind != Region::Kind::Device) continue;
    stats.buffers[region.index] += region.traffic;
    stats.device += region.traffic;
  }
}

}  // namespace mrope::metal_host
