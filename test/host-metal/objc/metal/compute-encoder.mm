#import "fake.h"

#include <algorithm>

using namespace mrope::fake;
using namespace mrope::metal_host;

namespace {

/** What one index of the argument table holds: a buffer from an offset on, or a copy of small bytes. */
struct Argument {
  FakeBuffer *buffer = nil;
  NSUInteger offset = 0;
  std::vector<std::byte> bytes;

  NSUInteger length() const { return buffer != nil ? buffer.length - offset : bytes.size(); }
};

std::string name(const ParameterInfo &parameter) {
  return "buffer(" + std::to_string(parameter.index) + ") " + parameter.name;
}

Size size(MTLSize s) { return {(uint32_t)s.width, (uint32_t)s.height, (uint32_t)s.depth}; }

}  // namespace

@implementation FakeComputeEncoder {
  MTLDispatchType _type;
  FakePipeline *_pipeline;
  std::map<NSUInteger, Argument> _arguments;
  std::map<NSUInteger, NSUInteger> _threadgroup;
  // Concurrent dispatches since the last barrier: the memory that they read and that they write.
  std::set<const void *> _read, _written;
}

+ (instancetype)encoderOf:(FakeCommandBuffer *)commandBuffer dispatchType:(MTLDispatchType)type {
  FakeComputeEncoder *encoder = [self encoderOf:commandBuffer];
  encoder->_type = type;
  return encoder;
}

- (MTLDispatchType)dispatchType {
  return _type;
}

- (void)setComputePipelineState:(id<MTLComputePipelineState>)state {
  const char *method = "setComputePipelineState";
  if (![self encodes:method]) return;
  if (state == nil) return [self broke:method rule:"computePipelineState must not be nil"];
  _pipeline = (FakePipeline *)state;
}

- (bool)index:(NSUInteger)index of:(const char *)method {
  if (index < bindings) return true;
  [self broke:method rule:"index " + std::to_string(index) + " must be < 31"];
  return false;
}

- (void)setBytes:(const void *)bytes length:(NSUInteger)length atIndex:(NSUInteger)index {
  const char *method = "setBytes";
  if (![self encodes:method] || ![self index:index of:method]) return;
  if (bytes == nullptr || length == 0) return [self broke:method rule:"bytes must not be null nor empty"];
  if (length > bytesLimit) return [self broke:method rule:"length " + std::to_string(length) + " must be <= 4096"];
  const auto *begin = static_cast<const std::byte *>(bytes);
  _arguments[index] = {nil, 0, std::vector<std::byte>(begin, begin + length)};
}

- (void)setBuffer:(id<MTLBuffer>)buffer offset:(NSUInteger)offset atIndex:(NSUInteger)index {
  const char *method = "setBuffer";
  if (![self encodes:method] || ![self index:index of:method]) return;
  if (buffer == nil) {
    _arguments.erase(index);
    return;
  }
  if (offset >= buffer.length)
    return [self broke:method
                  rule:"offset " + std::to_string(offset) + " must be < the length " + std::to_string(buffer.length)];
  _arguments[index] = {(FakeBuffer *)buffer, offset, {}};
  [self.commandBuffer keep:buffer];
}

- (void)setBufferOffset:(NSUInteger)offset atIndex:(NSUInteger)index {
  const auto found = _arguments.find(index);
  if (found == _arguments.end() || found->second.buffer == nil)
    return [self broke:"setBufferOffset" rule:"index " + std::to_string(index) + " has no buffer"];
  [self setBuffer:found->second.buffer offset:offset atIndex:index];
}

- (void)setThreadgroupMemoryLength:(NSUInteger)length atIndex:(NSUInteger)index {
  const char *method = "setThreadgroupMemoryLength";
  if (![self encodes:method] || ![self index:index of:method]) return;
  if (length % 16 != 0)
    return [self broke:method rule:"length " + std::to_string(length) + " must be a multiple of 16"];
  _threadgroup[index] = length;
}

- (void)memoryBarrierWithScope:(MTLBarrierScope)scope {
  if (![self encodes:"memoryBarrierWithScope"] || !(scope & MTLBarrierScopeBuffers)) return;
  _read.clear();
  _written.clear();
}

/** Whether what is bound fits what the kernel declares. */
- (bool)fits:(const ParameterInfo &)parameter method:(const char *)method {
  if (parameter.space == ParameterInfo::Space::Threadgroup) {
    if (_threadgroup[parameter.index] > 0) return true;
    [self broke:method rule:"missing threadgroup memory at index " + std::to_string(parameter.index)];
    return false;
  }
  const auto found = _arguments.find(parameter.index);
  if (found == _arguments.end()) {
    const std::string index = std::to_string(parameter.index);
    [self broke:method rule:"missing buffer binding at index " + index + " for " + parameter.name];
    return false;
  }
  const Argument &argument = found->second;
  if (argument.length() < parameter.elementBytes) {
    [self broke:method
           rule:name(parameter) + " has " + std::to_string(argument.length()) + " bytes where the kernel reads " +
                std::to_string(parameter.elementBytes)];
    return false;
  }
  if (argument.offset % parameter.alignment != 0) {
    [self broke:method
           rule:name(parameter) + ": offset " + std::to_string(argument.offset) + " is not aligned to " +
                std::to_string(parameter.alignment)];
    return false;
  }
  if (argument.buffer == nil && parameter.writable) {
    [self broke:method rule:name(parameter) + " is written but bound by setBytes"];
    return false;
  }
  return true;
}

/** Concurrent dispatches without a barrier between them must not use what another one writes. */
- (void)hazards:(const char *)method {
  std::set<const void *> read, written;
  for (const ParameterInfo &parameter : _pipeline->_pipeline->parameters()) {
    const auto found = _arguments.find(parameter.index);
    if (parameter.space == ParameterInfo::Space::Threadgroup || found->second.buffer == nil) continue;
    (parameter.writable ? written : read).insert((__bridge const void *)found->second.buffer);
  }
  for (const void *buffer : written)
    if (_written.contains(buffer) || _read.contains(buffer))
      [self broke:method rule:"a concurrent dispatch writes a buffer that one before uses, without a memory barrier"];
  for (const void *buffer : read)
    if (_written.contains(buffer))
      [self broke:method rule:"a concurrent dispatch reads a buffer that one before writes, without a memory barrier"];
  _read.merge(read);
  _written.merge(written);
}

- (bool)accepts:(const char *)method grid:(MTLSize)grid threads:(MTLSize)threads {
  if (![self encodes:method]) return false;
  const NSUInteger total = threads.width * threads.height * threads.depth;
  NSUInteger memory = _pipeline.staticThreadgroupMemoryLength;
  for (const auto &[index, length] : _threadgroup) memory += length;
  std::string rule;
  if (_pipeline == nil) rule = "no compute pipeline state is set";
  else if (grid.width * grid.height * grid.depth == 0 || total == 0) rule = "the grid or the threadgroup is empty";
  else if (std::max({grid.width, grid.height, grid.depth}) > UINT32_MAX) rule = "the grid is too large";
  else if (total > _pipeline.maxTotalThreadsPerThreadgroup)
    rule = "(threadsPerThreadgroup.width * height * depth)(" + std::to_string(total) + ") must be <= " +
           std::to_string(_pipeline.maxTotalThreadsPerThreadgroup) + " (the kernel's maxTotalThreadsPerThreadgroup)";
  else if (memory > threadgroupLimit)
    rule = "threadgroup memory of " + std::to_string(memory) + " bytes exceeds the limit of 32768";
  if (!rule.empty()) {
    [self broke:method rule:rule];
    return false;
  }
  for (const ParameterInfo &parameter : _pipeline->_pipeline->parameters())
    if (![self fits:parameter method:method]) return false;
  if (_type == MTLDispatchTypeConcurrent) [self hazards:method];
  return true;
}

- (void)dispatch:(const Grid &)grid {
  // Weak: a command buffer that does not retain what it uses must find it alive when it runs.
  struct Bound {
    NSUInteger index;
    __weak FakeBuffer *buffer;
    NSUInteger offset;
    std::vector<std::byte> bytes;
    bool isBuffer;
  };
  std::vector<Bound> bound;
  for (const auto &[index, argument] : _arguments)
    bound.push_back({index, argument.buffer, argument.offset, argument.bytes, argument.buffer != nil});
  const auto pipeline = _pipeline->_pipeline;
  const auto threadgroup = _threadgroup;
  [self.commandBuffer keep:_pipeline];
  [self.commandBuffer add:[=]() -> std::string {
    Bindings bindings;
    for (const Bound &at : bound) {
      FakeBuffer *buffer = at.buffer;
      if (!at.isBuffer) bindings.bytes((int)at.index, at.bytes.data(), at.bytes.size());
      else if (buffer == nil) return violation("a buffer was released before the command buffer that uses it ran");
      else bindings.buffer((int)at.index, [buffer memory], at.offset);
    }
    for (const auto &[index, length] : threadgroup) bindings.threadgroup((int)index, length);
    const Stats stats = pipeline->launch(bindings, grid, launchOptions());
    dispatched(pipeline->kernel(), grid, stats);
    return stats.ok() ? "" : stats.messages.empty() ? "the kernel failed" : stats.messages[0];
  }];
}

- (void)dispatchThreadgroups:(MTLSize)groups threadsPerThreadgroup:(MTLSize)threads {
  if (![self accepts:"dispatchThreadgroups" grid:groups threads:threads]) return;
  [self dispatch:Grid::threadgroups(size(groups), size(threads))];
}

- (void)dispatchThreads:(MTLSize)grid threadsPerThreadgroup:(MTLSize)threads {
  if (![self accepts:"dispatchThreads" grid:grid threads:threads]) return;
  [self dispatch:Grid::ofThreads(size(grid), size(threads))];
}

@end
