// One kernel with everything it needs, for the tests of the fake Metal.
#pragma once

#import <Metal/Metal.h>

#import "support.h"

// A kernel with an argument of every kind: out[i] = factor · in[i] (+ 1 where the constant says so).
static NSString *const source = @R"(
#include <metal_stdlib>
using namespace metal;

#ifndef FACTOR
#define FACTOR 1
#endif

constant bool add_one [[function_constant(0)]];

struct Params { uint count; float scale; };

kernel void scale(device const float *in [[buffer(0)]],
                  device float *out [[buffer(1)]],
                  constant Params &params [[buffer(2)]],
                  uint i [[thread_position_in_grid]]) {
  if (i < params.count) out[i] = FACTOR * params.scale * in[i] + (add_one ? 1.0f : 0.0f);
}

kernel void shared_sum(device float *data [[buffer(0)]],
                       threadgroup float *partial [[threadgroup(0)]],
                       uint i [[thread_index_in_threadgroup]],
                       uint n [[threads_per_threadgroup]]) {
  partial[i] = data[i];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float sum = 0;
  for (uint k = 0; k < n; k++) sum += partial[k];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  data[i] = sum;
}
)";

struct Params {
  uint32_t count;
  float scale;
};

static inline std::string report() {
  char *json = hostMetalReport();
  std::string text = json;
  free(json);
  return text;
}

/** Whether a rule of that text was broken. */
static inline bool broke(const char *rule) { return report().find(rule) != std::string::npos; }

static inline MTLCompileOptions *safeMath() {
  MTLCompileOptions *options = [MTLCompileOptions new];
  options.mathMode = MTLMathModeSafe;
  return options;
}

/** Device, queue, pipeline and buffers of one kernel. */
struct Bench {
  static constexpr NSUInteger count = 100;
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  id<MTLCommandQueue> queue = [device newCommandQueue];
  id<MTLLibrary> library;
  id<MTLComputePipelineState> pipeline;
  id<MTLBuffer> in, out;
  Params params = {count, 2};

  explicit Bench(MTLCompileOptions *options = safeMath(), bool addOne = true, NSString *name = @"scale") {
    NSError *error = nil;
    library = [device newLibraryWithSource:source options:options error:&error];
    if (library == nil) fprintf(stderr, "%s\n", error.localizedDescription.UTF8String);
    MTLFunctionConstantValues *constants = [MTLFunctionConstantValues new];
    [constants setConstantValue:&addOne type:MTLDataTypeBool atIndex:0];
    id<MTLFunction> function = [library newFunctionWithName:name constantValues:constants error:&error];
    if (function == nil) fprintf(stderr, "%s\n", error.localizedDescription.UTF8String);
    pipeline = function == nil ? nil : [device newComputePipelineStateWithFunction:function error:&error];
    EXPECT(pipeline != nil);
    in = [device newBufferWithLength:count * 4 options:MTLResourceStorageModeShared];
    out = [device newBufferWithLength:count * 4 options:MTLResourceStorageModeShared];
    for (NSUInteger i = 0; i < count; i++) ((float *)in.contents)[i] = i;
  }

  void bind(id<MTLComputeCommandEncoder> encoder) const {
    [encoder setComputePipelineState:pipeline];
    [encoder setBuffer:in offset:0 atIndex:0];
    [encoder setBuffer:out offset:0 atIndex:1];
    [encoder setBytes:&params length:sizeof params atIndex:2];
  }

  void dispatch(id<MTLComputeCommandEncoder> encoder) const {
    [encoder dispatchThreadgroups:MTLSizeMake(4, 1, 1) threadsPerThreadgroup:MTLSizeMake(32, 1, 1)];
  }

  /** A command buffer whose encoder does what it should, after `change` has had its way. */
  template <typename Change>
  id<MTLCommandBuffer> run(Change change) const {
    id<MTLCommandBuffer> buffer = [queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
    bind(encoder);
    change(encoder);
    dispatch(encoder);
    [encoder endEncoding];
    [buffer commit];
    [buffer waitUntilCompleted];
    return buffer;
  }

  id<MTLCommandBuffer> run() const {
    return run([](id<MTLComputeCommandEncoder>) {});
  }

  float at(NSUInteger i) const { return ((const float *)out.contents)[i]; }
};

/** The command buffer must end with an error that names the rule, and nothing may have run. */
static inline void refused(id<MTLCommandBuffer> buffer, const char *rule) {
  EQUAL(buffer.status, MTLCommandBufferStatusError);
  EXPECT([buffer.error.domain isEqualToString:MTLCommandBufferErrorDomain]);
  const std::string text = buffer.error.localizedDescription.UTF8String;
  const bool says = text.find(rule) != std::string::npos;
  test::report(says, __FILE__, __LINE__, "“" + text + "” does not say “" + rule + "”");
  EXPECT(broke(rule));
  EXPECT(broke("\"dispatches\":[]"));
}
