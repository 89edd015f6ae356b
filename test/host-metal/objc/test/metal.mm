#import "bench.h"

#include <thread>

CASE("device: properties") {
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  EXPECT([device.name containsString:@"host executor"]);
  EXPECT(device.hasUnifiedMemory && device.registryID != 0);
  EQUAL(device.maxThreadgroupMemoryLength, 32768u);
  EQUAL(device.maxThreadsPerThreadgroup.width, 1024u);
  EXPECT([device supportsFamily:MTLGPUFamilyApple8] && ![device supportsFamily:MTLGPUFamilyApple9]);
  EXPECT([device supportsFamily:MTLGPUFamilyMetal3]);
  EXPECT(MTLCopyAllDevices().firstObject == device);
}

CASE("device: the environment plays another family, or none at all") {
  setenv("MROPE_HOST_FAMILY", "9", 1);
  EXPECT([MTLCreateSystemDefaultDevice() supportsFamily:MTLGPUFamilyApple9]);
  hostMetalFail("device", 0, -1);
  EXPECT(MTLCreateSystemDefaultDevice() == nil);
  EQUAL(MTLCopyAllDevices().count, 0u);
  EQUAL(hostMetalFail("no such thing", 0, 1), 0);
}

CASE("run: a kernel, its buffers, its constants and its macros") {
  MTLCompileOptions *options = safeMath();
  options.preprocessorMacros = @{@"FACTOR" : @"3"};
  for (bool addOne : {true, false}) {
    const Bench bench(options, addOne);
    id<MTLCommandBuffer> buffer = bench.run();
    EXPECT(buffer.error == nil);
    EQUAL(buffer.status, MTLCommandBufferStatusCompleted);
    EXPECT(buffer.GPUEndTime >= buffer.GPUStartTime && buffer.GPUStartTime > 0);
    for (NSUInteger i = 0; i < Bench::count; i++) EQUAL(bench.at(i), 6.0f * i + (addOne ? 1 : 0));
  }
  EXPECT(broke("\"dispatches\":[{\"kernel\":\"scale\",\"threadgroups\":[4,1,1],\"threads\":[32,1,1]"));
  EXPECT(broke("\"violations\":[]"));
}

CASE("run: offsets, threadgroup memory, a grid of threads, other schedules") {
  const Bench bench(safeMath(), true, @"shared_sum");
  for (const char *schedule : {"in-order", "reverse", "random"}) {
    EQUAL(hostMetalSchedule(schedule, 7), 1);
    for (int i = 0; i < 8; i++) ((float *)bench.out.contents)[4 + i] = i;
    id<MTLCommandBuffer> buffer = [bench.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    [encoder setComputePipelineState:bench.pipeline];
    [encoder setBuffer:bench.out offset:0 atIndex:0];
    [encoder setBufferOffset:16 atIndex:0];
    [encoder setThreadgroupMemoryLength:32 atIndex:0];
    [encoder dispatchThreads:MTLSizeMake(8, 1, 1) threadsPerThreadgroup:MTLSizeMake(8, 1, 1)];
    [encoder endEncoding];
    [buffer commit];
    [buffer waitUntilCompleted];
    EXPECT(buffer.error == nil);
    for (int i = 0; i < 8; i++) EQUAL(bench.at(4 + i), 28.0f);
  }
  EQUAL(hostMetalSchedule("sideways", 0), 0);
}

CASE("run: handlers come on another thread, in order, before waitUntilCompleted returns") {
  const Bench bench;
  id<MTLCommandBuffer> buffer = [bench.queue commandBuffer];
  id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
  bench.bind(encoder);
  bench.dispatch(encoder);
  [encoder endEncoding];
  __block std::string order;
  const std::thread::id here = std::this_thread::get_id();
  [buffer addScheduledHandler:^(id<MTLCommandBuffer> b) {
    EQUAL(b.status, MTLCommandBufferStatusScheduled);
    order += "s";
  }];
  for (const char *name : {"1", "2"})
    [buffer addCompletedHandler:^(id<MTLCommandBuffer> b) {
      EXPECT(std::this_thread::get_id() != here);
      EQUAL(b.status, MTLCommandBufferStatusCompleted);
      order += name;
    }];
  EQUAL(buffer.status, MTLCommandBufferStatusNotEnqueued);
  [buffer enqueue];
  EQUAL(buffer.status, MTLCommandBufferStatusEnqueued);
  hostMetalDelay(20);
  [buffer commit];
  EXPECT(buffer.status >= MTLCommandBufferStatusCommitted && buffer.status <= MTLCommandBufferStatusScheduled);
  [buffer waitUntilScheduled];
  [buffer waitUntilCompleted];
  EQUAL(order, std::string("s12"));
}

CASE("run: a command buffer holds its buffers until it is done") {
  id<MTLCommandBuffer> buffer;
  @autoreleasepool {
    Bench bench;
    buffer = [bench.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    bench.bind(encoder);
    bench.dispatch(encoder);
    [encoder endEncoding];
  }
  EQUAL(objcLiveObjectsOf("FakeBuffer"), 2);
  [buffer commit];
  [buffer waitUntilCompleted];
  EXPECT(buffer.error == nil);
  EQUAL(objcLiveObjectsOf("FakeBuffer"), 0);
}

CASE("run: without references, a buffer that goes too early is noticed") {
  id<MTLCommandBuffer> buffer;
  @autoreleasepool {
    Bench bench;
    buffer = [bench.queue commandBufferWithUnretainedReferences];
    EXPECT(!buffer.retainedReferences);
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    bench.bind(encoder);
    bench.dispatch(encoder);
    [encoder endEncoding];
  }
  [buffer commit];
  [buffer waitUntilCompleted];
  refused(buffer, "a buffer was released before the command buffer");
}

CASE("run: blits") {
  const Bench bench;
  id<MTLCommandBuffer> buffer = [bench.queue commandBuffer];
  id<MTLBlitCommandEncoder> encoder = [buffer blitCommandEncoder];
  [encoder fillBuffer:bench.out range:NSMakeRange(0, 400) value:0];
  [encoder copyFromBuffer:bench.in sourceOffset:40 toBuffer:bench.out destinationOffset:4 size:8];
  [encoder endEncoding];
  [buffer commit];
  [buffer waitUntilCompleted];
  EXPECT(buffer.error == nil);
  EQUAL(bench.at(0), 0.0f);
  EQUAL(bench.at(1), 10.0f);
  EQUAL(bench.at(2), 11.0f);
  EQUAL(bench.at(3), 0.0f);
}

CASE("compile: in the background") {
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  __block int done = 0;
  for (NSString *text in @[ source, @"kernel void broken(" ])
    [device newLibraryWithSource:text
                         options:safeMath()
               completionHandler:^(id<MTLLibrary> library, NSError *error) {
                 EXPECT((library == nil) != (error == nil));
                 if (library != nil) EXPECT([library.functionNames containsObject:@"scale"]);
                 done++;
               }];
  hostMetalDrain();
  EQUAL(done, 2);
}

CASE("compile: errors are the compiler's") {
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  NSError *error = nil;
  NSString *wrong = @"#include <metal_stdlib>\nusing namespace metal;\nkernel void k(device float *a [[buffer(0)]]) "
                    @"{ a[0] = no_such_function(1); }\n";
  EXPECT([device newLibraryWithSource:wrong options:safeMath() error:&error] == nil);
  EXPECT([error.domain isEqualToString:MTLLibraryErrorDomain]);
  EQUAL(error.code, MTLLibraryErrorCompileFailure);
  EXPECT([error.localizedDescription containsString:@"no_such_function"]);
}

CASE("compile: the language version is honoured") {
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  MTLCompileOptions *options = safeMath();
  options.languageVersion = MTLLanguageVersion3_0;
  NSString *text = @"#include <metal_stdlib>\nusing namespace metal;\nkernel void k(device bfloat *a [[buffer(0)]]) "
                   @"{ a[0] = bfloat(1.0f); }\n";
  NSError *error = nil;
  EXPECT([device newLibraryWithSource:text options:options error:&error] == nil);
  EXPECT([error.localizedDescription containsString:@"bfloat"]);
  options.languageVersion = MTLLanguageVersion3_1;
  EXPECT([device newLibraryWithSource:text options:options error:&error] != nil);
}

CASE("compile: the math mode is honoured") {
  MTLCompileOptions *fast = [MTLCompileOptions new];
  EQUAL(fast.mathMode, MTLMathModeFast);
  const Bench bench(fast);
  EXPECT(bench.run().error == nil);
  EQUAL(bench.at(3), 7.0f);
  fast.fastMathEnabled = NO;
  EQUAL(fast.mathMode, MTLMathModeSafe);
}

CASE("functions: unknown names, unknown constants and wrong types are errors") {
  const Bench bench;
  NSError *error = nil;
  MTLFunctionConstantValues *constants = [MTLFunctionConstantValues new];
  const bool yes = true;
  const float value = 1;
  [constants setConstantValue:&yes type:MTLDataTypeBool withName:@"add_one"];
  EXPECT([bench.library newFunctionWithName:@"scale" constantValues:constants error:&error] != nil);
  EXPECT([bench.library newFunctionWithName:@"scales" constantValues:constants error:&error] == nil);
  EXPECT([error.domain isEqualToString:MTLLibraryErrorDomain]);
  [constants setConstantValue:&yes type:MTLDataTypeBool withName:@"no_such"];
  EXPECT([bench.library newFunctionWithName:@"scale" constantValues:constants error:&error] == nil);
  [constants reset];
  [constants setConstantValue:&value type:MTLDataTypeFloat atIndex:0];
  EXPECT([bench.library newFunctionWithName:@"scale" constantValues:constants error:&error] == nil);
  id<MTLFunction> function = [bench.library newFunctionWithName:@"shared_sum"];
  EQUAL(function.name, "shared_sum");
  EQUAL(function.functionConstantsDictionary[@"add_one"].type, MTLDataTypeBool);
}

CASE("pipelines: limits") {
  const Bench bench;
  EQUAL(bench.pipeline.threadExecutionWidth, 32u);
  EQUAL(bench.pipeline.maxTotalThreadsPerThreadgroup, 1024u);
  EQUAL(bench.pipeline.staticThreadgroupMemoryLength, 0u);
  MTLComputePipelineDescriptor *descriptor = [MTLComputePipelineDescriptor new];
  descriptor.computeFunction = [bench.library newFunctionWithName:@"shared_sum"];
  descriptor.maxTotalThreadsPerThreadgroup = 64;
  id<MTLComputePipelineState> small = [bench.device newComputePipelineStateWithDescriptor:descriptor
                                                                                  options:MTLPipelineOptionNone
                                                                               reflection:nil
                                                                                    error:nil];
  EQUAL(small.maxTotalThreadsPerThreadgroup, 64u);
  setenv("MROPE_HOST_MAX_THREADS", "96", 1);
  EQUAL(Bench().pipeline.maxTotalThreadsPerThreadgroup, 96u);
}

int main(int count, char **words) { return test::main(count, words); }
