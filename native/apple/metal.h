#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../gpu/device.h"

// Metal for plain C++: what the device interface of native/gpu does not have because only Metal has it. The rest of this
// folder is Objective-C++; nothing outside it is. No exception leaves it.

namespace mrope::apple {

/** A kernel as it was built for this device. */
struct BuiltPipeline {
  std::string library, kernel;
  /** Macros and function constants. */
  std::string variant;
  uint32_t maxThreads = 0;
  uint32_t threadgroupBytes = 0;
};

/** What was submitted since the device was opened. */
struct Counters {
  uint64_t commandBuffers = 0;
  uint64_t dispatches = 0;
  /** From GPUStartTime to GPUEndTime, all command buffers together. */
  double gpuSeconds = 0;
};

/** Handles are pointers of Metal objects, as integers. Whoever gives one vouches for it: it cannot be checked. */
class MetalDevice : public gpu::Device {
 public:
  /** Names of the devices that can run the kernels, the default one first; `why` says what is missing where none can. */
  static std::vector<std::string> names(std::string &why);

  /**
   * The device of the process at a place of names(); all that open it share it while one of them holds it. Where it was
   * lost, a new one is made, to which what is left of the lost one is foreign.
   */
  static Status open(std::size_t index, std::shared_ptr<MetalDevice> &out);

  /** The MTLBuffer behind a buffer. It is valid while the buffer lives. */
  virtual uint64_t handleOf(const gpu::Buffer &) const = 0;

  /** A foreign MTLBuffer of the same device. It is retained. */
  virtual Status adopt(uint64_t handle, gpu::BufferRef &out) = 0;

  /** Encodes into a command buffer of the caller, who commits it. What the dispatches use lives until it is done. */
  virtual Status encode(uint64_t commandBuffer, std::vector<gpu::Dispatch> dispatches) = 0;

  /** Whether it takes no more work. */
  virtual bool lost() const = 0;

  virtual std::vector<BuiltPipeline> pipelines() const = 0;
  virtual Counters counters() const = 0;
};

}  // namespace mrope::apple
