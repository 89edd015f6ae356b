#pragma once

// Runs compiled Metal kernels on the CPU, one fiber per GPU thread. `compile.mjs` makes the libraries.
//
//   auto library = Library::load("build/rotate.1a2b3c.so");                // Result<std::shared_ptr<Library>>
//   auto pipeline = library.value->pipeline("rotate", {constant(0, true), constant(4, 7)});
//   auto out = Memory::allocate(bytes, "out", Contents::Unwritten);
//   Stats stats = pipeline.value->launch(Bindings().buffer(0, q).buffer(1, out).value(2, params),
//                                        Grid::threadgroups({tokens, heads}, {128}),
//                                        {.schedule = Schedule::Random, .seed = 7});
//   if (!stats.ok()) std::puts(stats.messages[0].c_str());
//
// Nothing here aborts, throws or prints: mistakes of a kernel and of its caller come back as messages. Launches are
// serialised: one thread of the process executes at a time. A launch is synchronous.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define MROPE_METAL_HOST_API __attribute__((visibility("default")))

namespace mrope::metal_host {

struct Size {
  std::uint32_t x = 1, y = 1, z = 1;
};

/** A value, or an error that says why there is none. */
template <class T>
struct Result {
  T value{};
  std::string error;

  explicit operator bool() const { return error.empty(); }
};

/** What device memory holds before anybody writes to it. */
enum class Contents {
  Written,    // the host filled it, or will before it launches: every byte may be read
  Unwritten,  // outputs, scratch, caches: all 0xff (NaN); loading a byte that nobody wrote is an error (strict lane)
};

/**
 * Device memory known to the executor. It remembers, over launches, which of its bytes were written. Memories may
 * overlap: windows of one array are one memory to the checks. Create and change them while no launch uses them.
 */
class MROPE_METAL_HOST_API Memory {
 public:
  /** Memory between two guard pages; its end touches the second one. Null when there is no memory. */
  static std::shared_ptr<Memory> allocate(std::size_t bytes, std::string name, Contents contents = Contents::Written);
  /** The caller's memory, which must outlive this. No guard pages: bounds are checked in the strict lane only. */
  static std::shared_ptr<Memory> wrap(void *data, std::size_t bytes, std::string name,
                                      Contents contents = Contents::Written);

  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  void *data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  const std::string &name() const { return name_; }
  template <class T>
  T *as() const { return static_cast<T *>(data_); }

  /** The host wrote these bytes of memory that began Unwritten. */
  void markWritten(std::size_t offset, std::size_t bytes);
  void markWritten() { markWritten(0, bytes_); }
  /** Poisons the bytes; until they are written again, reading them is an error (strict lane). */
  void markUnwritten(std::size_t offset, std::size_t bytes);
  /** Whether all of these bytes were written, by the host or by a kernel of the strict lane. */
  bool written(std::size_t offset, std::size_t bytes) const;

 private:
  Memory(void *data, std::size_t bytes, std::string name, Contents contents, void *mapping, std::size_t mapped);

  void *data_;
  std::size_t bytes_;
  std::string name_;
  void *mapping_;                   // what to unmap; null for wrapped memory
  std::size_t mapped_;
  std::vector<bool> unwritten_;     // per byte; empty when everything is written
};

/** What a launch binds. A later call for the same index replaces the earlier one. */
class MROPE_METAL_HOST_API Bindings {
 public:
  struct Buffer {
    std::shared_ptr<Memory> memory;
    std::size_t offset = 0;
    std::vector<std::byte> bytes;   // when memory is null: a copy of a small constant, as setBytes
  };

  Bindings &buffer(int index, std::shared_ptr<Memory> memory, std::size_t offset = 0);
  Bindings &bytes(int index, const void *data, std::size_t size);
  template <class T>
  Bindings &value(int index, const T &value) { return bytes(index, &value, sizeof value); }
  /** Size of a `threadgroup T *` argument. */
  Bindings &threadgroup(int index, std::size_t bytes);

  const std::map<int, Buffer> &buffers() const { return buffers_; }
  const std::map<int, std::size_t> &threadgroupBytes() const { return threadgroup_; }

 private:
  std::map<int, Buffer> buffers_;
  std::map<int, std::size_t> threadgroup_;
};

struct Grid {
  Size groups, threadsPerGroup;
  Size threads;  // threads of the whole grid; groups at its edges are smaller when it is no multiple

  /** As dispatchThreadgroups. */
  static Grid threadgroups(Size groups, Size threadsPerGroup) {
    return {groups, threadsPerGroup,
            {groups.x * threadsPerGroup.x, groups.y * threadsPerGroup.y, groups.z * threadsPerGroup.z}};
  }
  /** As dispatchThreads. */
  static Grid ofThreads(Size threads, Size perGroup) {
    auto up = [](std::uint32_t n, std::uint32_t d) { return d == 0 ? 0 : (n + d - 1) / d; };
    return {{up(threads.x, perGroup.x), up(threads.y, perGroup.y), up(threads.z, perGroup.z)}, perGroup, threads};
  }
};

enum class Schedule {
  InOrder,   // threadgroups and threads by rising index, each as far as it gets
  Reverse,   // by falling index
  Random,    // threadgroups shuffled, a random ready thread at every switch (seed)
  Lockstep,  // lanes of a simdgroup take turns at every threadgroup access; strict lane only
};

struct LaunchOptions {
  Schedule schedule = Schedule::InOrder;
  std::uint64_t seed = 1;
  int maxMessages = 8;                       // later errors are counted, not described
  double cpuSeconds = 120;                   // processor time after which the launch is given up
  std::size_t threadgroupLimit = 32768;      // bytes of threadgroup memory
  bool allowUnusedBindings = false;          // bindings at indices that the kernel lacks (an encoder keeps old ones)
};

/** Bytes moved between kernels and memory. Counted in the strict lane; zero in the others. */
struct Traffic {
  std::uint64_t loaded = 0, stored = 0;                              // sum over accesses
  std::uint64_t uniqueLoaded = 0, uniqueStored = 0;                  // distinct bytes of the launch
  std::uint64_t uniquePerGroupLoaded = 0, uniquePerGroupStored = 0;  // distinct bytes of a group, summed over groups

  Traffic &operator+=(const Traffic &other);
};

/** Calls of transcendental functions of metal_stdlib; every component of a vector counts. */
struct MathCalls {
  std::uint64_t sin = 0, cos = 0, exp = 0, log = 0, pow = 0, sqrt = 0;

  MathCalls &operator+=(const MathCalls &other);
};

struct MROPE_METAL_HOST_API Stats {
  std::uint64_t threads = 0, threadgroups = 0;
  std::uint64_t barriers = 0;                // threadgroup barriers, counted once per group
  std::uint64_t simdBarriers = 0, simdOps = 0, mmas = 0;  // counted once per simdgroup
  std::size_t threadgroupBytes = 0;          // threadgroup memory of the kernel, arguments included
  std::uint64_t threadgroupLoaded = 0, threadgroupStored = 0;  // strict lane
  Traffic device;                            // all buffers; not the small constants bound as bytes
  std::map<int, Traffic> buffers;            // the same by buffer index (the lowest one of a memory bound twice)
  std::uint64_t constantLoaded = 0;          // bytes read from constants bound as bytes
  MathCalls math;
  std::map<std::string, std::uint64_t> calls;  // of the functions that compile.mjs --count named
  std::uint64_t errors = 0;
  std::vector<std::string> messages;

  bool ok() const { return errors == 0; }
  Stats &operator+=(const Stats &other);     // a sequence of launches
  std::string json() const;
};

/** One function constant. Its type is spelled as in MSL: bool, char, uchar, short, ushort, int, uint, half, float. */
struct ConstantValue {
  int index = 0;
  std::string type;
  std::vector<std::byte> bytes;
};

template <class T>
ConstantValue constant(int index, T value) {
  constexpr bool known = std::is_same_v<T, bool> || std::is_same_v<T, int> || std::is_same_v<T, unsigned>;
  static_assert(known || std::is_same_v<T, float>, "spell other types as a ConstantValue");
  ConstantValue result{index, std::is_same_v<T, bool>       ? "bool"
                              : std::is_same_v<T, int>      ? "int"
                              : std::is_same_v<T, unsigned> ? "uint"
                                                            : "float",
                       std::vector<std::byte>(sizeof value)};
  std::memcpy(result.bytes.data(), &value, sizeof value);
  return result;
}

struct ParameterInfo {
  enum class Space { Device, Constant, Threadgroup };

  int index = 0;
  std::string name, type;                    // type as written
  Space space = Space::Device;
  bool writable = false;                     // device T *, not const
  std::size_t elementBytes = 0, alignment = 1;  // of what it points to
};

struct FunctionConstantInfo {
  int index = 0;
  std::string name, type;
};

class Pipeline;

/** A compiled .metal file. */
class MROPE_METAL_HOST_API Library : public std::enable_shared_from_this<Library> {
 public:
  struct Image;

  static Result<std::shared_ptr<Library>> load(const std::string &path);
  ~Library();
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;

  std::vector<std::string> kernels() const;
  const std::vector<FunctionConstantInfo> &functionConstants() const;
  /** plain, strict or fast-math. */
  const std::string &lane() const;
  /** The kernel with these function constants; an unknown kernel or index and a wrong type are errors. */
  Result<std::shared_ptr<Pipeline>> pipeline(const std::string &kernel, std::vector<ConstantValue> constants = {});

 private:
  explicit Library(std::unique_ptr<Image> image);

  std::unique_ptr<Image> image_;
};

/** A kernel ready to launch. It keeps its library alive. */
class MROPE_METAL_HOST_API Pipeline {
 public:
  struct State;

  const std::string &kernel() const;
  const std::vector<ParameterInfo> &parameters() const;   // pointers and references, by index
  std::size_t threadgroupBytes() const;      // static: without `threadgroup T *` arguments
  std::uint32_t maxThreads() const;          // 1024, or max_total_threads_per_threadgroup

  Stats launch(const Bindings &bindings, const Grid &grid, const LaunchOptions &options = {});

  ~Pipeline();
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;

 private:
  friend class Library;
  explicit Pipeline(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace mrope::metal_host
