#import "fake.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "worker.h"

using namespace mrope::fake;

NSErrorDomain const MTLCommandBufferErrorDomain = @"MTLCommandBufferErrorDomain";

static CFTimeInterval now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

@implementation FakeQueue {
  FakeDevice *_device;
}

@synthesize label;

+ (instancetype)newQueueOf:(FakeDevice *)device {
  FakeQueue *queue = [FakeQueue new];
  queue->_device = device;
  return queue;
}

- (id<MTLDevice>)device {
  return _device;
}

- (id<MTLCommandBuffer>)commandBuffer {
  return [FakeCommandBuffer commandBufferOf:self retaining:YES];
}

- (id<MTLCommandBuffer>)commandBufferWithUnretainedReferences {
  return [FakeCommandBuffer commandBufferOf:self retaining:NO];
}

@end

@implementation FakeCommandBuffer {
  FakeQueue *_queue;
  BOOL _retaining;
  NSMutableArray *_kept;
  std::vector<FakeCommand> _commands;
  std::vector<MTLCommandBufferHandler> _scheduled, _completed;
  __weak FakeEncoder *_encoder;  // the one that is open
  std::string _broken;           // the first rule that was broken
  std::mutex _mutex;
  std::condition_variable _changed;
  MTLCommandBufferStatus _status;
  bool _finished;                // handlers included
  NSError *_error;
  CFTimeInterval _start, _end;
}

@synthesize label;

+ (instancetype)commandBufferOf:(FakeQueue *)queue retaining:(BOOL)retaining {
  FakeCommandBuffer *made = [FakeCommandBuffer new];
  made->_queue = queue;
  made->_retaining = retaining;
  made->_kept = [NSMutableArray array];
  return made;
}

- (id<MTLDevice>)device {
  return _queue.device;
}

- (id<MTLCommandQueue>)commandQueue {
  return _queue;
}

- (BOOL)retainedReferences {
  return _retaining;
}

- (MTLCommandBufferStatus)status {
  std::lock_guard guard(_mutex);
  return _status;
}

- (NSError *)error {
  std::lock_guard guard(_mutex);
  return _error;
}

- (CFTimeInterval)kernelStartTime {
  return self.GPUStartTime;
}

- (CFTimeInterval)kernelEndTime {
  return self.GPUEndTime;
}

- (CFTimeInterval)GPUStartTime {
  std::lock_guard guard(_mutex);
  return _start;
}

- (CFTimeInterval)GPUEndTime {
  std::lock_guard guard(_mutex);
  return _end;
}

- (void)broke:(const std::string &)rule {
  violation(rule);
  if (_broken.empty()) _broken = rule;
}

- (void)add:(FakeCommand)command {
  _commands.push_back(command);
}

- (void)keep:(id)resource {
  if (_retaining) [_kept addObject:resource];
}

- (void)ended:(FakeEncoder *)encoder {
  if (_encoder == encoder) _encoder = nil;
}

- (bool)isCommitted {
  return self.status >= MTLCommandBufferStatusCommitted;
}

/** Whether a new encoder may begin. */
- (bool)opens:(const char *)method {
  const bool open = _encoder == nil && ![self isCommitted];
  const char *rule = _encoder != nil ? "a command encoder is already encoding" : "the command buffer is committed already";
  if (!open) [self broke:std::string(method) + ": " + rule];
  return open;
}

- (id<MTLComputeCommandEncoder>)computeCommandEncoder {
  return [self computeCommandEncoderWithDispatchType:MTLDispatchTypeSerial];
}

- (id<MTLComputeCommandEncoder>)computeCommandEncoderWithDispatchType:(MTLDispatchType)type {
  if (![self opens:"computeCommandEncoder"]) return nil;
  FakeComputeEncoder *encoder = [FakeComputeEncoder encoderOf:self dispatchType:type];
  _encoder = encoder;
  return encoder;
}

- (id<MTLBlitCommandEncoder>)blitCommandEncoder {
  if (![self opens:"blitCommandEncoder"]) return nil;
  FakeBlitEncoder *encoder = [FakeBlitEncoder encoderOf:self];
  _encoder = encoder;
  return encoder;
}

- (void)addScheduledHandler:(MTLCommandBufferHandler)block {
  if ([self isCommitted]) return [self broke:"addScheduledHandler: the command buffer is committed already"];
  _scheduled.push_back(block);
}

- (void)addCompletedHandler:(MTLCommandBufferHandler)block {
  if ([self isCommitted]) return [self broke:"addCompletedHandler: the command buffer is committed already"];
  _completed.push_back(block);
}

- (void)enqueue {
  if ([self isCommitted]) return [self broke:"enqueue: the command buffer is committed already"];
  std::lock_guard guard(_mutex);
  _status = MTLCommandBufferStatusEnqueued;
}

- (void)commit {
  if ([self isCommitted]) {
    violation("commit: the command buffer is committed already");
    return;
  }
  if (_encoder != nil) [self broke:"commit: an encoder of the command buffer is not ended"];
  {
    std::lock_guard guard(_mutex);
    _status = MTLCommandBufferStatusCommitted;
  }
  count("commandBuffers");
  gpu().post([self] { [self execute]; });
}

/** On the thread of the GPU. */
- (void)execute {
  {
    std::lock_guard guard(_mutex);
    _status = MTLCommandBufferStatusScheduled;
    _start = now();
    _changed.notify_all();
  }
  for (MTLCommandBufferHandler handler : _scheduled) handler(self);
  std::this_thread::sleep_for(std::chrono::milliseconds(delay()));

  NSError *failure = nil;
  if (!_broken.empty()) failure = error(MTLCommandBufferErrorDomain, MTLCommandBufferErrorInvalidResource, _broken);
  else if (fails("submit"))
    failure = error(MTLCommandBufferErrorDomain, MTLCommandBufferErrorDeviceRemoved, "the device was removed");
  for (const FakeCommand &command : _commands) {
    if (failure != nil) break;
    const std::string message = command();
    if (!message.empty()) failure = error(MTLCommandBufferErrorDomain, MTLCommandBufferErrorPageFault, message);
  }
  _commands.clear();
  [_kept removeAllObjects];
  {
    std::lock_guard guard(_mutex);
    _end = now();
    _error = failure;
    _status = failure == nil ? MTLCommandBufferStatusCompleted : MTLCommandBufferStatusError;
  }
  for (MTLCommandBufferHandler handler : _completed) handler(self);
  _scheduled.clear();
  _completed.clear();
  std::lock_guard guard(_mutex);
  _finished = true;
  _changed.notify_all();
}

- (void)waitUntilScheduled {
  std::unique_lock guard(_mutex);
  if (_status < MTLCommandBufferStatusCommitted) {
    violation("waitUntilScheduled: the command buffer is not committed");
    return;
  }
  _changed.wait(guard, [self] { return _status >= MTLCommandBufferStatusScheduled; });
}

- (void)waitUntilCompleted {
  std::unique_lock guard(_mutex);
  if (_status < MTLCommandBufferStatusCommitted) {
    violation("waitUntilCompleted: the command buffer is not committed");
    return;
  }
  _changed.wait(guard, [self] { return _finished; });
}

@end
