#import "fake.h"

#include <cstring>

using namespace mrope::fake;
using namespace mrope::metal_host;

@implementation FakeEncoder {
  FakeCommandBuffer *_commandBuffer;
  bool _ended;
}

@synthesize label;

+ (instancetype)encoderOf:(FakeCommandBuffer *)commandBuffer {
  FakeEncoder *encoder = [self new];
  encoder->_commandBuffer = commandBuffer;
  return encoder;
}

- (void)dealloc {
  if (!_ended) [_commandBuffer broke:"an encoder was released without endEncoding"];
}

- (id<MTLDevice>)device {
  return _commandBuffer.device;
}

- (FakeCommandBuffer *)commandBuffer {
  return _commandBuffer;
}

- (void)broke:(const char *)method rule:(const std::string &)rule {
  [_commandBuffer broke:std::string(method) + ": " + rule];
}

- (bool)encodes:(const char *)method {
  if (!_ended) return true;
  [self broke:method rule:"the encoder has ended"];
  return false;
}

- (void)endEncoding {
  if (![self encodes:"endEncoding"]) return;
  _ended = true;
  [_commandBuffer ended:self];
}

@end

@implementation FakeBlitEncoder

- (bool)holds:(const char *)method buffer:(id<MTLBuffer>)buffer from:(NSUInteger)from bytes:(NSUInteger)bytes {
  if (buffer != nil && bytes > 0 && from <= buffer.length && bytes <= buffer.length - from) return true;
  [self broke:method rule:"the range is empty, or not within the buffer"];
  return false;
}

- (void)fillBuffer:(id<MTLBuffer>)buffer range:(NSRange)range value:(uint8_t)value {
  const char *method = "fillBuffer";
  if (![self encodes:method] || ![self holds:method buffer:buffer from:range.location bytes:range.length]) return;
  const auto memory = [(FakeBuffer *)buffer memory];
  [self.commandBuffer keep:buffer];
  [self.commandBuffer add:[memory, range, value] {
    memset(memory->as<char>() + range.location, value, range.length);
    return "";
  }];
}

- (void)copyFromBuffer:(id<MTLBuffer>)source
          sourceOffset:(NSUInteger)sourceOffset
              toBuffer:(id<MTLBuffer>)destination
     destinationOffset:(NSUInteger)destinationOffset
                  size:(NSUInteger)size {
  const char *method = "copyFromBuffer";
  if (![self encodes:method] || ![self holds:method buffer:source from:sourceOffset bytes:size] ||
      ![self holds:method buffer:destination from:destinationOffset bytes:size])
    return;
  const bool apart = sourceOffset + size <= destinationOffset || destinationOffset + size <= sourceOffset;
  if (source == destination && !apart) return [self broke:method rule:"the ranges overlap"];
  const auto from = [(FakeBuffer *)source memory], to = [(FakeBuffer *)destination memory];
  [self.commandBuffer keep:source];
  [self.commandBuffer keep:destination];
  [self.commandBuffer add:[=] {
    memcpy(to->as<char>() + destinationOffset, from->as<char>() + sourceOffset, size);
    return "";
  }];
}

@end
