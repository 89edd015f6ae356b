#pragma once

#import <Metal/Metal.h>

#include "../gpu/device.h"

namespace mrope::apple {

/** A window of an MTLBuffer. */
class MetalBuffer final : public gpu::Buffer {
 public:
  MetalBuffer(id<MTLBuffer> buffer, size_t offset, size_t bytes, bool shared)
      : buffer_(buffer), offset_(offset), bytes_(bytes), shared_(shared) {
    void *contents = buffer.storageMode == MTLStorageModePrivate ? nullptr : buffer.contents;
    host_ = contents ? static_cast<char *>(contents) + offset : nullptr;
  }

  size_t bytes() const override { return bytes_; }
  void *host() const override { return host_; }
  bool shared() const override { return shared_; }

  id<MTLBuffer> metal() const { return buffer_; }
  /** Bytes from the start of the MTLBuffer. */
  size_t offset() const { return offset_; }

 private:
  id<MTLBuffer> buffer_;
  size_t offset_, bytes_;
  void *host_ = nullptr;
  bool shared_;
};

Status allocateBuffer(id<MTLDevice>, size_t bytes, gpu::BufferRef &out);

/**
 * Host memory without a copy, as the whole pages around it; a copy where it is small, not aligned for vector loads, or
 * where Metal refuses the pages.
 */
Status wrapMemory(id<MTLDevice>, void *pointer, size_t bytes, gpu::BufferRef &out);

Status adoptBuffer(id<MTLDevice>, uint64_t handle, gpu::BufferRef &out);

}  // namespace mrope::apple
