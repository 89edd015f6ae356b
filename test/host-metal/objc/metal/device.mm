#import "fake.h"

#include <cstdlib>
#include <mutex>

#include "worker.h"

using namespace mrope::fake;

namespace mrope::fake {

std::string text(NSString *string) { return string == nil ? "" : string.UTF8String; }

NSString *string(const std::string &text) {
  NSString *made = [[NSString alloc] initWithBytes:text.data() length:text.size() encoding:NSUTF8StringEncoding];
  return made == nil ? @"(not UTF-8)" : made;
}

NSError *error(NSErrorDomain domain, NSInteger code, const std::string &message) {
  return [NSError errorWithDomain:domain code:code userInfo:@{NSLocalizedDescriptionKey : string(message)}];
}

id refuse(NSError *__autoreleasing *out, NSErrorDomain domain, NSInteger code, const std::string &message) {
  if (out != nullptr) *out = error(domain, code, message);
  return nil;
}

}  // namespace mrope::fake

/** The generation of GPU that is played: MROPE_HOST_FAMILY=7…10. */
static NSInteger generation() { return std::atol(setting("MROPE_HOST_FAMILY", "8").c_str()); }

@implementation MTLArchitecture

- (NSString *)name {
  return string("applegpu_host" + std::to_string(generation()));
}

- (id)copyWithZone:(NSZone *)zone {
  return self;
}

@end

@implementation FakeDevice

- (NSString *)name {
  return @"mrope host executor (no GPU)";
}

- (uint64_t)registryID {
  return 0x6d726f7065;
}

- (MTLArchitecture *)architecture {
  return [MTLArchitecture new];
}

- (MTLSize)maxThreadsPerThreadgroup {
  return MTLSizeMake(1024, 1024, 1024);
}

- (BOOL)isLowPower {
  return NO;
}

- (BOOL)hasUnifiedMemory {
  return YES;
}

- (uint64_t)recommendedMaxWorkingSetSize {
  return memoryLimit() != 0 ? memoryLimit() : 8ull << 30;
}

- (NSUInteger)currentAllocatedSize {
  return allocated();
}

- (NSUInteger)maxThreadgroupMemoryLength {
  return threadgroupLimit;
}

- (NSUInteger)maxBufferLength {
  return 4ull << 30;
}

- (BOOL)supportsFamily:(MTLGPUFamily)family {
  if (family >= MTLGPUFamilyApple7 && family <= MTLGPUFamilyApple10) return family - 1000 <= generation();
  return family == MTLGPUFamilyMac2 || family == MTLGPUFamilyCommon3 || family == MTLGPUFamilyMetal3;
}

- (id<MTLCommandQueue>)newCommandQueue {
  return fails("queue") ? nil : [FakeQueue newQueueOf:self];
}

- (id<MTLCommandQueue>)newCommandQueueWithMaxCommandBufferCount:(NSUInteger)count {
  return [self newCommandQueue];
}

- (id<MTLBuffer>)newBufferWithLength:(NSUInteger)length options:(MTLResourceOptions)options {
  return [FakeBuffer newBufferOf:self length:length options:options];
}

- (id<MTLBuffer>)newBufferWithBytes:(const void *)pointer
                             length:(NSUInteger)length
                            options:(MTLResourceOptions)options {
  FakeBuffer *buffer = [FakeBuffer newBufferOf:self length:length options:options];
  if (buffer != nil) memcpy([buffer memory]->data(), pointer, length);
  return buffer;
}

- (id<MTLBuffer>)newBufferWithBytesNoCopy:(void *)pointer
                                   length:(NSUInteger)length
                                  options:(MTLResourceOptions)options
                              deallocator:(void (^)(void *, NSUInteger))deallocator {
  return [FakeBuffer newBufferOf:self wrapping:pointer length:length options:options deallocator:deallocator];
}

- (id<MTLLibrary>)newLibraryWithSource:(NSString *)source options:(MTLCompileOptions *)options error:(NSError **)error {
  return [FakeLibrary newLibraryOf:self source:source options:options error:error];
}

- (void)newLibraryWithSource:(NSString *)source
                     options:(MTLCompileOptions *)options
           completionHandler:(MTLNewLibraryCompletionHandler)handler {
  MTLCompileOptions *copy = [options copy];
  compiler().post([self, source, copy, handler] {
    NSError *error = nil;
    FakeLibrary *library = [FakeLibrary newLibraryOf:self source:source options:copy error:&error];
    handler(library, error);
  });
}

- (id<MTLComputePipelineState>)newComputePipelineStateWithFunction:(id<MTLFunction>)function error:(NSError **)error {
  MTLComputePipelineDescriptor *descriptor = [MTLComputePipelineDescriptor new];
  descriptor.computeFunction = function;
  return [FakePipeline newPipelineOf:self descriptor:descriptor options:MTLPipelineOptionNone error:error];
}

- (void)newComputePipelineStateWithFunction:(id<MTLFunction>)function
                          completionHandler:(MTLNewComputePipelineStateCompletionHandler)handler {
  compiler().post([self, function, handler] {
    NSError *error = nil;
    id<MTLComputePipelineState> state = [self newComputePipelineStateWithFunction:function error:&error];
    handler(state, error);
  });
}

- (id<MTLComputePipelineState>)
    newComputePipelineStateWithDescriptor:(MTLComputePipelineDescriptor *)descriptor
                                  options:(MTLPipelineOption)options
                               reflection:(MTLAutoreleasedComputePipelineReflection *)reflection
                                    error:(NSError **)error {
  return [FakePipeline newPipelineOf:self descriptor:descriptor options:options error:error];
}

- (id<MTLBinaryArchive>)newBinaryArchiveWithDescriptor:(MTLBinaryArchiveDescriptor *)descriptor
                                                 error:(NSError **)error {
  return [FakeArchive newArchiveOf:self descriptor:descriptor error:error];
}

@end

/** As on a Mac, everybody gets the same device; but it goes when nobody holds it, so that a leak of it shows. */
id<MTLDevice> MTLCreateSystemDefaultDevice() {
  static std::mutex mutex;
  static __weak FakeDevice *shared;
  if (fails("device")) return nil;
  std::lock_guard guard(mutex);
  FakeDevice *device = shared;
  if (device == nil) shared = device = [FakeDevice new];
  return device;
}

NSArray<id<MTLDevice>> *MTLCopyAllDevices() {
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  return device == nil ? @[] : @[ device ];
}
