#import "bench.h"

CASE("rule: a buffer of the kernel is not bound") {
  const Bench bench;
  refused(bench.run([](id<MTLComputeCommandEncoder> e) { [e setBuffer:nil offset:0 atIndex:1]; }),
          "missing buffer binding at index 1 for out");
}

CASE("rule: an index beyond the argument table") {
  const Bench bench;
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) { [e setBuffer:bench.in offset:0 atIndex:31]; }),
          "index 31 must be < 31");
}

CASE("rule: an offset beyond the buffer, and one that is not aligned") {
  const Bench bench;
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) { [e setBuffer:bench.in offset:400 atIndex:0]; }),
          "offset 400 must be < the length 400");
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) { [e setBuffer:bench.in offset:2 atIndex:0]; }),
          "offset 2 is not aligned to 4");
}

CASE("rule: bytes that are too many, too few for the kernel, or to be written") {
  const Bench bench;
  const std::string many(4097, 0);
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) { [e setBytes:many.data() length:4097 atIndex:2]; }),
          "length 4097 must be <= 4096");
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) { [e setBytes:many.data() length:4 atIndex:2]; }),
          "has 4 bytes where the kernel reads 8");
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) { [e setBytes:many.data() length:400 atIndex:1]; }),
          "is written but bound by setBytes");
}

CASE("rule: threadgroups that are too large, or empty; no pipeline") {
  const Bench bench;
  const MTLSize one = MTLSizeMake(1, 1, 1);
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) {
    [e dispatchThreadgroups:one threadsPerThreadgroup:MTLSizeMake(32, 33, 1)];
  }),
          "(1056) must be <= 1024");
  refused(bench.run([&](id<MTLComputeCommandEncoder> e) {
    [e dispatchThreadgroups:MTLSizeMake(1, 0, 1) threadsPerThreadgroup:one];
  }),
          "the grid or the threadgroup is empty");
  id<MTLCommandBuffer> buffer = [bench.queue commandBuffer];
  id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
  [encoder dispatchThreadgroups:one threadsPerThreadgroup:one];
  [encoder endEncoding];
  [buffer commit];
  [buffer waitUntilCompleted];
  refused(buffer, "no compute pipeline state is set");
}

CASE("rule: threadgroup memory that is missing, odd or too much") {
  const Bench bench(safeMath(), true, @"shared_sum");
  refused(bench.run(), "missing threadgroup memory at index 0");
  refused(bench.run([](id<MTLComputeCommandEncoder> e) { [e setThreadgroupMemoryLength:20 atIndex:0]; }),
          "length 20 must be a multiple of 16");
  refused(bench.run([](id<MTLComputeCommandEncoder> e) { [e setThreadgroupMemoryLength:32784 atIndex:0]; }),
          "32784 bytes exceeds the limit");
}

CASE("rule: an encoder is used after it ended, left open, or doubled") {
  const Bench bench;
  id<MTLCommandBuffer> buffer = [bench.queue commandBuffer];
  id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
  EXPECT([buffer blitCommandEncoder] == nil);
  EXPECT(broke("already encoding"));
  [encoder endEncoding];
  [encoder endEncoding];
  EXPECT(broke("endEncoding: the encoder has ended"));
  [encoder setBuffer:bench.in offset:0 atIndex:0];
  EXPECT(broke("setBuffer: the encoder has ended"));

  id<MTLCommandBuffer> open = [bench.queue commandBuffer];
  id<MTLComputeCommandEncoder> never = [open computeCommandEncoder];
  [open commit];
  [open waitUntilCompleted];
  EQUAL(open.status, MTLCommandBufferStatusError);
  EXPECT(broke("commit: an encoder of the command buffer is not ended"));
  EQUAL(never.dispatchType, MTLDispatchTypeSerial);
}

CASE("rule: an encoder is let go without endEncoding") {
  const Bench bench;
  id<MTLCommandBuffer> buffer = [bench.queue commandBuffer];
  @autoreleasepool {
    bench.bind([buffer computeCommandEncoder]);
  }
  [buffer commit];
  [buffer waitUntilCompleted];
  refused(buffer, "released without endEncoding");
}

CASE("rule: a command buffer is committed twice, or changed after") {
  const Bench bench;
  id<MTLCommandBuffer> buffer = bench.run();
  EXPECT(buffer.error == nil);
  [buffer commit];
  EXPECT(broke("commit: the command buffer is committed already"));
  [buffer addCompletedHandler:^(id<MTLCommandBuffer>) {
    EXPECT(false);
  }];
  EXPECT(broke("addCompletedHandler: the command buffer is committed already"));
  EXPECT([buffer computeCommandEncoder] == nil);
  id<MTLCommandBuffer> idle = [bench.queue commandBuffer];
  [idle waitUntilCompleted];
  EXPECT(broke("waitUntilCompleted: the command buffer is not committed"));
}

CASE("rule: concurrent dispatches need a barrier where one uses what the other writes") {
  const Bench bench;
  for (bool barrier : {true, false}) {
    hostMetalReset();
    id<MTLCommandBuffer> buffer = [bench.queue commandBuffer];
    id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoderWithDispatchType:MTLDispatchTypeConcurrent];
    bench.bind(encoder);
    bench.dispatch(encoder);
    if (barrier) [encoder memoryBarrierWithScope:MTLBarrierScopeBuffers];
    bench.dispatch(encoder);
    [encoder endEncoding];
    [buffer commit];
    [buffer waitUntilCompleted];
    EXPECT((buffer.error == nil) == barrier);
    EXPECT(broke("without a memory barrier") == !barrier);
  }
}

CASE("rule: a kernel that reads beyond its buffer fails the command buffer") {
  Bench bench;
  bench.params.count = 128;
  id<MTLCommandBuffer> buffer = bench.run();
  EQUAL(buffer.status, MTLCommandBufferStatusError);
  EQUAL(buffer.error.code, MTLCommandBufferErrorPageFault);
}

int main(int count, char **words) { return test::main(count, words); }
