#pragma once

#include <cstdlib>
#include <memory>

#include "../apple/metal.h"

namespace mrope::binding {

/** Stands in for a device where a plan is made to be weighed, not run: it compiles, and counts what is allocated. */
class CountingDevice final : public gpu::Device {
 public:
  explicit CountingDevice(std::shared_ptr<gpu::Device> device) : device_(std::move(device)) {}

  size_t allocated() const { return allocated_; }
  size_t wrapped() const { return wrapped_; }

  const gpu::Limits &limits() const override { return device_->limits(); }

  Status allocate(size_t bytes, gpu::BufferRef &out) override {
    allocated_ += bytes;
    return make(bytes, out);
  }

  Status wrap(void *, size_t bytes, gpu::BufferRef &out) override {
    wrapped_ += bytes;
    return make(bytes, out);
  }

  Status pipeline(const gpu::PipelineKey &key, gpu::PipelineRef &out) override { return device_->pipeline(key, out); }

  Status submit(std::vector<gpu::Dispatch>, gpu::Completion) override {
    return Status::range(code::state, "an estimate runs nothing");
  }

 private:
  /** Address space; pages become memory only where a plan writes a small table. */
  class Reserved final : public gpu::Buffer {
   public:
    explicit Reserved(size_t bytes) : bytes_(bytes), memory_(std::calloc(bytes ? bytes : 1, 1)) {}
    ~Reserved() override { std::free(memory_); }
    Reserved(const Reserved &) = delete;
    Reserved &operator=(const Reserved &) = delete;
    size_t bytes() const override { return bytes_; }
    void *host() const override { return memory_; }

   private:
    size_t bytes_;
    void *memory_;
  };

  Status make(size_t bytes, gpu::BufferRef &out) {
    const size_t most = limits().maxBufferBytes;
    if (most != 0 && bytes > most) {
      return Status::range(code::memory, "metal: no buffer of " + std::to_string(bytes) + " bytes: the device takes " +
                                             std::to_string(most) + " at most");
    }
    out = std::make_shared<Reserved>(bytes);
    if (out->host()) return {};
    return Status::range(code::memory, "metal: no address space for " + std::to_string(bytes) + " bytes");
  }

  std::shared_ptr<gpu::Device> device_;
  size_t allocated_ = 0, wrapped_ = 0;
};

}  // namespace mrope::binding
