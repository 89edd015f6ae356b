#import "fake.h"

#include <cstring>

using namespace mrope::fake;
using mrope::metal_host::Memory;

@implementation FakeBuffer {
  FakeDevice *_device;
  NSUInteger _length;
  MTLResourceOptions _options;
  std::shared_ptr<Memory> _memory;
  uint64_t _reserved;
  void (^_deallocator)(void *, NSUInteger);
}

@synthesize label;

+ (instancetype)newBufferOf:(FakeDevice *)device length:(NSUInteger)length options:(MTLResourceOptions)options {
  if (length == 0) violation("newBufferWithLength: length must not be 0");
  if (length == 0 || length > device.maxBufferLength || fails("memory") || !reserve(length)) return nil;
  // Rounded up for vectors at the end; what nobody wrote is NaN, where a real buffer happens to be zero.
  const auto memory = Memory::allocate((length + 15) / 16 * 16, "buffer");
  if (memory == nullptr) {
    release(length);
    return nil;
  }
  memset(memory->data(), 0xff, memory->bytes());
  FakeBuffer *buffer = [FakeBuffer new];
  buffer->_device = device;
  buffer->_length = length;
  buffer->_options = options;
  buffer->_memory = memory;
  buffer->_reserved = length;
  count("buffers");
  return buffer;
}

+ (instancetype)newBufferOf:(FakeDevice *)device
                wrapping:(void *)pointer
                  length:(NSUInteger)length
                 options:(MTLResourceOptions)options
             deallocator:(void (^)(void *, NSUInteger))deallocator {
  const bool aligned = (uintptr_t)pointer % pageBytes == 0 && length % pageBytes == 0;
  const bool usable = pointer != nullptr && length > 0 && length <= device.maxBufferLength;
  if (!aligned || !usable || fails("no-copy")) return nil;
  if ((options & (3 << 4)) != MTLResourceStorageModeShared) {
    violation("newBufferWithBytesNoCopy: the storage mode must be shared");
    return nil;
  }
  FakeBuffer *buffer = [FakeBuffer new];
  buffer->_device = device;
  buffer->_length = length;
  buffer->_options = options;
  buffer->_memory = Memory::wrap(pointer, length, "the host's memory");
  buffer->_deallocator = [deallocator copy];
  count("buffers");
  return buffer;
}

- (void)dealloc {
  if (_reserved > 0) release(_reserved);
  if (_deallocator != nil) _deallocator(_memory->data(), _length);
}

- (std::shared_ptr<Memory>)memory {
  return _memory;
}

- (id<MTLDevice>)device {
  return _device;
}

- (NSUInteger)length {
  return _length;
}

- (void *)contents {
  return self.storageMode == MTLStorageModePrivate ? nullptr : _memory->data();
}

- (void)didModifyRange:(NSRange)range {
  if (self.storageMode != MTLStorageModeManaged) violation("didModifyRange: the buffer is not managed");
}

- (uint64_t)gpuAddress {
  return (uint64_t)_memory->data();
}

- (MTLCPUCacheMode)cpuCacheMode {
  return (MTLCPUCacheMode)(_options & 0xf);
}

- (MTLStorageMode)storageMode {
  return (MTLStorageMode)(_options >> 4 & 0xf);
}

- (MTLResourceOptions)resourceOptions {
  return _options;
}

- (NSUInteger)allocatedSize {
  return (_length + pageBytes - 1) / pageBytes * pageBytes;
}

@end
