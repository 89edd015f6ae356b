#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "../core/status.h"

// What the plans of this folder need of a GPU: memory, pipelines, and work submitted in order.
//
// Two implementations: native/apple (Metal) and test/host-metal/kernels/device.h (the executor that runs the same
// kernels on Linux). Nothing throws, nothing aborts the process: what can fail returns a Status, with the codes
// `code::memory`, `code::compile` and `code::device`. All members may be called from any thread.

namespace mrope::gpu {

/** Memory that kernels read and write. It lives as long as somebody holds it; submitted work holds what it uses. */
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual size_t bytes() const = 0;
  /** The same memory for the host, or null where the host cannot see it. */
  virtual void *host() const = 0;
  /** The host wrote these bytes through host(): for devices that have to be told. */
  virtual void modified(size_t offset, size_t bytes) {
    (void)offset;
    (void)bytes;
  }
  /** Of `wrap`: kernels work on the caller's own bytes. False: on a copy, which the caller reads back from host(). */
  virtual bool shared() const { return false; }
};
using BufferRef = std::shared_ptr<Buffer>;

/** The kernel language's types of function constants that the kernels use. */
enum class ConstantType : uint8_t { Bool, Int, Uint, Float };

/** A function constant: its index in the source and its value. */
struct Constant {
  uint32_t index = 0;
  ConstantType type = ConstantType::Int;
  /** The four bytes of the value; 0 or 1 for Bool. */
  uint32_t bits = 0;

  static Constant boolean(uint32_t index, bool value) { return {index, ConstantType::Bool, value ? 1u : 0u}; }
  static Constant integer(uint32_t index, int32_t value) { return {index, ConstantType::Int, uint32_t(value)}; }

  bool operator==(const Constant &) const = default;
};

/** Which compiled kernel: everything that makes a difference to the compiler. */
struct PipelineKey {
  /** File under metal/, such as `rotate.metal`. */
  std::string library;
  std::string kernel;
  /** Definitions (name, value) that the library is compiled with. Same library and macros: one compilation. */
  std::vector<std::pair<std::string, std::string>> macros;
  std::vector<Constant> constants;

  bool operator==(const PipelineKey &) const = default;
};

/** A kernel ready to run. */
class Pipeline {
 public:
  virtual ~Pipeline() = default;
  /** Most threads of a threadgroup; less where the kernel needs many registers. */
  virtual uint32_t maxThreads() const = 0;
  /** Bytes of threadgroup memory that the kernel declares. */
  virtual uint32_t threadgroupBytes() const = 0;
};
using PipelineRef = std::shared_ptr<Pipeline>;

/** A place in a buffer. */
struct BufferAt {
  BufferRef buffer;
  size_t offset = 0;
};

/** Parameters passed by value, at most 4096 of them. */
using Bytes = std::vector<uint8_t>;

struct Binding {
  uint32_t index = 0;
  std::variant<BufferAt, Bytes> value;
};

struct Grid {
  uint32_t x = 1, y = 1, z = 1;
};

/** One launch. Every buffer index that the kernel uses under its constants must be bound. */
struct Dispatch {
  PipelineRef pipeline;
  std::vector<Binding> bindings;
  /** Threadgroups of the grid; none may be 0. */
  Grid threadgroups;
  /** Threads of a threadgroup, in one row. */
  uint32_t threads = 32;

  Dispatch &bind(uint32_t index, BufferRef buffer, size_t offset = 0) {
    bindings.push_back({index, BufferAt{std::move(buffer), offset}});
    return *this;
  }
  template <class Params>
  Dispatch &bytes(uint32_t index, const Params &params) {
    Bytes copy(sizeof(Params));
    std::memcpy(copy.data(), &params, sizeof(Params));
    bindings.push_back({index, std::move(copy)});
    return *this;
  }
};

/** A group of GPUs that want the same tile sizes: rows of the tables in tiles.h. */
enum class Family : int { Unknown = 0, Apple7, Apple8, Apple9, Apple10 };

struct Limits {
  std::string name;
  Family family = Family::Unknown;
  uint32_t cores = 0;                // 0: the device does not say
  size_t threadgroupBytes = 32768;
  size_t maxBufferBytes = 0;
  size_t workingSetBytes = 0;        // recommended upper bound of all memory
};

/** Called once, on any thread, when the work is done or has failed. */
using Completion = std::function<void(Status)>;

class Device {
 public:
  virtual ~Device() = default;

  virtual const Limits &limits() const = 0;

  /** Memory that the host sees too. Its contents are undefined. */
  virtual Status allocate(size_t bytes, BufferRef &out) = 0;

  /**
   * The caller's memory as a buffer: without a copy where the device can (`out->shared()`), otherwise a copy of the
   * bytes. The caller keeps the memory alive and still while `out` lives.
   */
  virtual Status wrap(void *pointer, size_t bytes, BufferRef &out) = 0;

  /** Compiles on first use, then answers from the cache. May take seconds: not for the main thread. */
  virtual Status pipeline(const PipelineKey &, PipelineRef &out) = 0;

  /**
   * Runs the dispatches in order; each sees what the former wrote. Where the result is an error nothing ran and
   * `done` is not called.
   */
  virtual Status submit(std::vector<Dispatch> dispatches, Completion done) = 0;

  /** A new buffer with these bytes. */
  Status upload(const void *data, size_t bytes, BufferRef &out) {
    if (Status s = allocate(bytes ? bytes : 16, out); !s.ok()) return s;
    if (bytes == 0) return {};
    std::memcpy(out->host(), data, bytes);
    out->modified(0, bytes);
    return {};
  }
};

}  // namespace mrope::gpu
