#import "bench.h"

#include <cmath>

#include <sys/mman.h>
#include <unistd.h>

CASE("buffers: memory of the host is taken where it is whole pages") {
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  constexpr size_t page = 16384;
  char *memory = (char *)mmap(nullptr, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *aligned = (char *)(((uintptr_t)memory + page - 1) / page * page);
  const auto take = [&](size_t offset, size_t length) {
    return [device newBufferWithBytesNoCopy:aligned + offset
                                     length:length
                                    options:MTLResourceStorageModeShared
                                deallocator:nil];
  };
  EXPECT(take(0, page).contents == aligned);
  EXPECT(take(16, page) == nil);
  EXPECT(take(4096, page) == nil);
  EXPECT(take(0, page - 4096) == nil);
  EXPECT(take(0, 0) == nil);
  __block int freed = 0;
  {
    id<MTLBuffer> buffer = [device newBufferWithBytesNoCopy:aligned
                                                     length:2 * page
                                                    options:MTLResourceStorageModeShared
                                                deallocator:^(void *pointer, NSUInteger length) {
                                                  EXPECT(pointer == aligned && length == 2 * page);
                                                  freed++;
                                                }];
    EQUAL(buffer.length, 2 * page);
    EQUAL(freed, 0);
  }
  EQUAL(freed, 1);
  hostMetalFail("no-copy", 0, 1);
  EXPECT(take(0, page) == nil);
  EXPECT(take(0, page) != nil);
  munmap(memory, 4 * page);
}

CASE("buffers: contents, storage and limits") {
  id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  id<MTLBuffer> copy = [device newBufferWithBytes:"abc" length:3 options:MTLResourceStorageModeShared];
  EQUAL(memcmp(copy.contents, "abc", 3), 0);
  EQUAL(device.currentAllocatedSize, 3u);
  id<MTLBuffer> hidden = [device newBufferWithLength:10 options:MTLResourceStorageModePrivate];
  EXPECT(hidden.contents == nullptr && hidden.storageMode == MTLStorageModePrivate);
  id<MTLBuffer> fresh = [device newBufferWithLength:16 options:MTLResourceStorageModeShared];
  EXPECT(std::isnan(((float *)fresh.contents)[0]));
  EXPECT([device newBufferWithLength:0 options:MTLResourceStorageModeShared] == nil);
  EXPECT([device newBufferWithLength:device.maxBufferLength + 1 options:MTLResourceStorageModeShared] == nil);
  hostMetalMemory(1000);
  EQUAL(device.recommendedMaxWorkingSetSize, 1000u);
  EXPECT([device newBufferWithLength:1000 options:MTLResourceStorageModeShared] == nil);
  EXPECT([device newBufferWithLength:900 options:MTLResourceStorageModeShared] != nil);
  hostMetalFail("memory", 1, 1);
  EXPECT([device newBufferWithLength:10 options:MTLResourceStorageModeShared] != nil);
  EXPECT([device newBufferWithLength:10 options:MTLResourceStorageModeShared] == nil);
  EXPECT([device newBufferWithLength:10 options:MTLResourceStorageModeShared] != nil);
}

CASE("failures: each part can be made to fail") {
  const Bench bench;
  NSError *error = nil;
  hostMetalFail("compile", 0, 1);
  EXPECT([bench.device newLibraryWithSource:source options:safeMath() error:&error] == nil);
  EQUAL(error.code, MTLLibraryErrorCompileFailure);
  hostMetalFail("function", 0, 1);
  EXPECT([bench.library newFunctionWithName:@"scale"] == nil);
  hostMetalFail("pipeline", 0, 1);
  id<MTLFunction> function = [bench.library newFunctionWithName:@"shared_sum"];
  EXPECT([bench.device newComputePipelineStateWithFunction:function error:&error] == nil);
  EXPECT([bench.device newComputePipelineStateWithFunction:function error:&error] != nil);
  hostMetalFail("queue", 0, 1);
  EXPECT([bench.device newCommandQueue] == nil);
  hostMetalFail("submit", 1, 1);
  EXPECT(bench.run().error == nil);
  EQUAL(bench.run().error.code, MTLCommandBufferErrorDeviceRemoved);
  EXPECT(bench.run().error == nil);
}

CASE("archives: a pipeline is found again, a damaged file is refused") {
  const Bench bench;
  const std::string path = "/tmp/mrope-archive-" + std::to_string(getpid());
  NSError *error = nil;
  MTLBinaryArchiveDescriptor *empty = [MTLBinaryArchiveDescriptor new], *stored = [MTLBinaryArchiveDescriptor new];
  stored.url = [NSURL fileURLWithPath:@(path.c_str())];
  MTLComputePipelineDescriptor *descriptor = [MTLComputePipelineDescriptor new];
  descriptor.computeFunction = [bench.library newFunctionWithName:@"shared_sum"];
  const auto fromArchive = [&](id<MTLBinaryArchive> archive) {
    descriptor.binaryArchives = @[ archive ];
    return [bench.device newComputePipelineStateWithDescriptor:descriptor
                                                       options:MTLPipelineOptionFailOnBinaryArchiveMiss
                                                    reflection:nil
                                                         error:nil];
  };

  EXPECT([bench.device newBinaryArchiveWithDescriptor:stored error:&error] == nil);
  EXPECT([error.domain isEqualToString:MTLBinaryArchiveDomain]);
  id<MTLBinaryArchive> archive = [bench.device newBinaryArchiveWithDescriptor:empty error:&error];
  EXPECT(![archive serializeToURL:stored.url error:&error]);
  EXPECT(fromArchive(archive) == nil);
  EXPECT([archive addComputePipelineFunctionsWithDescriptor:descriptor error:&error]);
  hostMetalFail("archive-write", 0, 1);
  EXPECT(![archive serializeToURL:stored.url error:&error]);
  EXPECT([archive serializeToURL:stored.url error:&error]);
  EXPECT(fromArchive([bench.device newBinaryArchiveWithDescriptor:stored error:&error]) != nil);
  hostMetalFail("archive", 0, 1);
  EXPECT([bench.device newBinaryArchiveWithDescriptor:stored error:&error] == nil);

  for (const char *damage : {"", "x", "mrope host archive 1\n0123456789abcdef\nnothing\n"}) {
    FILE *file = fopen(path.c_str(), "wb");
    fputs(damage, file);
    fclose(file);
    EXPECT([bench.device newBinaryArchiveWithDescriptor:stored error:&error] == nil);
    EQUAL(error.code, MTLBinaryArchiveErrorInvalidFile);
  }
  remove(path.c_str());
}

int main(int count, char **words) { return test::main(count, words); }
