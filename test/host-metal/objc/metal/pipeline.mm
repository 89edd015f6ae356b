#import "fake.h"

using namespace mrope::fake;

@implementation MTLComputePipelineReflection
@end

@implementation MTLComputePipelineDescriptor

@synthesize label, computeFunction, threadGroupSizeIsMultipleOfThreadExecutionWidth, maxTotalThreadsPerThreadgroup,
    binaryArchives;

- (void)reset {
  self.label = nil;
  self.computeFunction = nil;
  self.threadGroupSizeIsMultipleOfThreadExecutionWidth = NO;
  self.maxTotalThreadsPerThreadgroup = 0;
  self.binaryArchives = nil;
}

- (id)copyWithZone:(NSZone *)zone {
  MTLComputePipelineDescriptor *copy = [MTLComputePipelineDescriptor new];
  copy.label = self.label;
  copy.computeFunction = self.computeFunction;
  copy.threadGroupSizeIsMultipleOfThreadExecutionWidth = self.threadGroupSizeIsMultipleOfThreadExecutionWidth;
  copy.maxTotalThreadsPerThreadgroup = self.maxTotalThreadsPerThreadgroup;
  copy.binaryArchives = self.binaryArchives;
  return copy;
}

@end

@implementation FakePipeline {
  FakeDevice *_device;
  NSString *_label;
  NSUInteger _threadLimit;
}

+ (instancetype)newPipelineOf:(FakeDevice *)device
                descriptor:(MTLComputePipelineDescriptor *)descriptor
                   options:(MTLPipelineOption)options
                     error:(NSError **)error {
  FakeFunction *function = (FakeFunction *)descriptor.computeFunction;
  if (function == nil) {
    violation("newComputePipelineStateWithDescriptor: computeFunction must not be nil");
    return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorFunctionNotFound, "computeFunction is nil");
  }
  if (fails("pipeline"))
    return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorInternal, "a failure that a test asked for");
  bool archived = false;
  for (id<MTLBinaryArchive> archive in descriptor.binaryArchives)
    archived = archived || [(FakeArchive *)archive holds:function->_key];
  if (archived) count("archiveHits");
  else if (options & MTLPipelineOptionFailOnBinaryArchiveMiss)
    return refuse(error, MTLBinaryArchiveDomain, MTLBinaryArchiveErrorUnexpectedElement, "no archive has the function");

  FakePipeline *made = [FakePipeline new];
  made->_device = device;
  made->_label = [descriptor.label copy];
  made->_pipeline = function->_pipeline;
  made->_threadLimit = function->_pipeline->maxThreads();
  // MROPE_HOST_MAX_THREADS plays a kernel that needs so many registers that fewer threads fit.
  const NSUInteger asked = descriptor.maxTotalThreadsPerThreadgroup;
  const NSUInteger played = std::stoul(setting("MROPE_HOST_MAX_THREADS", "1024"));
  for (const NSUInteger limit : {asked, played})
    if (limit > 0 && limit < made->_threadLimit) made->_threadLimit = limit;
  if (made.staticThreadgroupMemoryLength > threadgroupLimit)
    return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorInternal,
                  "Threadgroup memory size (" + std::to_string(made.staticThreadgroupMemoryLength) +
                      ") exceeds the maximum threadgroup memory allowed (" + std::to_string(threadgroupLimit) + ")");
  count("pipelines");
  return made;
}

- (NSString *)label {
  return _label;
}

- (id<MTLDevice>)device {
  return _device;
}

- (NSUInteger)maxTotalThreadsPerThreadgroup {
  return _threadLimit;
}

- (NSUInteger)threadExecutionWidth {
  return 32;
}

- (NSUInteger)staticThreadgroupMemoryLength {
  return _pipeline->threadgroupBytes();
}

@end
