#import "buffer.h"

#include <algorithm>
#include <cstdlib>

#import "errors.h"

namespace mrope::apple {
namespace {

/** Page size of Apple silicon. */
constexpr uintptr_t page = 16384;

/** Below this, a copy costs less than mapping pages. */
constexpr size_t leastShared = 65536;

/** Vector loads of the kernels. */
constexpr uintptr_t alignment = 16;

bool copiesOnly() {
  const char *set = std::getenv("MROPE_FORCE_COPY");
  return set && set[0] == '1';
}

Status noMemory(size_t bytes, const std::string &why) {
  return Status::range(code::memory, "metal: no buffer of " + std::to_string(bytes) + " bytes: " + why);
}

}  // namespace

Status allocateBuffer(id<MTLDevice> device, size_t bytes, gpu::BufferRef &out) {
  const size_t most = device.maxBufferLength;
  if (bytes > most) return noMemory(bytes, "the device takes " + std::to_string(most) + " at most");
  // Never less than a vector: buffers stand in for others that a kernel declares and does not read.
  id<MTLBuffer> buffer = [device newBufferWithLength:std::max<size_t>(bytes, alignment)
                                             options:MTLResourceStorageModeShared];
  if (!buffer) return noMemory(bytes, "the device has none left");
  out = std::make_shared<MetalBuffer>(buffer, 0, bytes, false);
  return {};
}

Status wrapMemory(id<MTLDevice> device, void *pointer, size_t bytes, gpu::BufferRef &out) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(pointer);
  const uintptr_t start = at & ~(page - 1), end = (at + bytes + page - 1) & ~(page - 1);
  if (bytes >= leastShared && at % alignment == 0 && end - start <= device.maxBufferLength && !copiesOnly()) {
    id<MTLBuffer> buffer = [device newBufferWithBytesNoCopy:reinterpret_cast<void *>(start)
                                                     length:end - start
                                                    options:MTLResourceStorageModeShared
                                                deallocator:nil];
    if (buffer) {
      out = std::make_shared<MetalBuffer>(buffer, at - start, bytes, true);
      return {};
    }
  }
  if (Status status = allocateBuffer(device, bytes, out); !status.ok()) return status;
  if (bytes) std::memcpy(out->host(), pointer, bytes);
  return {};
}

Status adoptBuffer(id<MTLDevice> device, uint64_t handle, gpu::BufferRef &out) {
  if (handle == 0 || handle % alignof(void *) != 0) {
    return Status::range(code::argument, "metal: " + std::to_string(handle) + " is not the handle of an MTLBuffer");
  }
  id<MTLBuffer> buffer = (__bridge id<MTLBuffer>)reinterpret_cast<void *>(handle);
  if (buffer.device != device) {
    return Status::range(code::device, "metal: the MTLBuffer is of another device: " + textOf(buffer.device.name));
  }
  out = std::make_shared<MetalBuffer>(buffer, 0, buffer.length, true);
  return {};
}

}  // namespace mrope::apple
