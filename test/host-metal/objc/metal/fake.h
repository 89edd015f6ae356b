// The classes of the fake Metal. Written with ARC, as the code that uses them.
#pragma once

#import <Metal/Metal.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../../executor/executor.h"
#include "control.h"

namespace mrope::fake {

/** Limits of Metal's encoders. */
constexpr NSUInteger bindings = 31;
constexpr NSUInteger bytesLimit = 4096;
constexpr NSUInteger threadgroupLimit = 32768;
/** Memory pages of Apple silicon. */
constexpr NSUInteger pageBytes = 16384;

std::string text(NSString *string);
NSString *string(const std::string &text);
NSError *error(NSErrorDomain domain, NSInteger code, const std::string &message);

/** Fills an NSError ** that may be null; the answer is nil. */
id refuse(NSError *__autoreleasing *out, NSErrorDomain domain, NSInteger code, const std::string &message);

}  // namespace mrope::fake

@interface FakeDevice : NSObject <MTLDevice>
@end

// What Metal returns from a method named new… is the caller's, without a pool; so are these.
@interface FakeBuffer : NSObject <MTLBuffer>
+ (instancetype)newBufferOf:(FakeDevice *)device length:(NSUInteger)length options:(MTLResourceOptions)options;
+ (instancetype)newBufferOf:(FakeDevice *)device
                wrapping:(void *)pointer
                  length:(NSUInteger)length
                 options:(MTLResourceOptions)options
             deallocator:(void (^)(void *, NSUInteger))deallocator;
- (std::shared_ptr<mrope::metal_host::Memory>)memory;
@end

@interface FakeLibrary : NSObject <MTLLibrary>
/** Compiles; nil and an error where the compiler refuses. */
+ (instancetype)newLibraryOf:(FakeDevice *)device
                   source:(NSString *)source
                  options:(MTLCompileOptions *)options
                    error:(NSError **)error;
@end

@interface MTLFunctionConstantValues () {
 @public
  std::map<NSUInteger, mrope::metal_host::ConstantValue> _byIndex;
  std::map<std::string, mrope::metal_host::ConstantValue> _byName;
}
@end

@interface FakeFunction : NSObject <MTLFunction> {
 @public
  FakeDevice *_device;
  std::shared_ptr<mrope::metal_host::Library> _library;
  std::shared_ptr<mrope::metal_host::Pipeline> _pipeline;  // with its constants set
  std::string _key;                                        // library, name and constants
}
@end

@interface FakePipeline : NSObject <MTLComputePipelineState> {
 @public
  std::shared_ptr<mrope::metal_host::Pipeline> _pipeline;
}
+ (instancetype)newPipelineOf:(FakeDevice *)device
                descriptor:(MTLComputePipelineDescriptor *)descriptor
                   options:(MTLPipelineOption)options
                     error:(NSError **)error;
@end

@interface FakeArchive : NSObject <MTLBinaryArchive>
+ (instancetype)newArchiveOf:(FakeDevice *)device
               descriptor:(MTLBinaryArchiveDescriptor *)descriptor
                    error:(NSError **)error;
- (BOOL)holds:(const std::string &)key;
@end

@interface FakeQueue : NSObject <MTLCommandQueue>
+ (instancetype)newQueueOf:(FakeDevice *)device;
@end

@class FakeCommandBuffer;

/** What encoders have in common: they belong to a command buffer, and end once. */
@interface FakeEncoder : NSObject <MTLCommandEncoder>
+ (instancetype)encoderOf:(FakeCommandBuffer *)commandBuffer;
- (FakeCommandBuffer *)commandBuffer;
/** Notes a broken rule of `method`: the command buffer will end with an error. */
- (void)broke:(const char *)method rule:(const std::string &)rule;
/** Whether commands may still be encoded; notes the broken rule otherwise. */
- (bool)encodes:(const char *)method;
@end

@interface FakeComputeEncoder : FakeEncoder <MTLComputeCommandEncoder>
+ (instancetype)encoderOf:(FakeCommandBuffer *)commandBuffer dispatchType:(MTLDispatchType)type;
@end

@interface FakeBlitEncoder : FakeEncoder <MTLBlitCommandEncoder>
@end

/** One piece of work of a command buffer: the error text, or nothing. */
typedef std::function<std::string()> FakeCommand;

@interface FakeCommandBuffer : NSObject <MTLCommandBuffer>
+ (instancetype)commandBufferOf:(FakeQueue *)queue retaining:(BOOL)retaining;
- (void)add:(FakeCommand)command;
- (void)keep:(id)resource;
- (void)broke:(const std::string &)rule;
- (void)ended:(FakeEncoder *)encoder;
@end
