// Other Metal code in the same process, for tests of handles: it makes buffers and command buffers of its own and gives
// them away as integers. It runs on the fake and on a Mac.
#import <Metal/Metal.h>

#include <napi.h>

#include <cstring>

namespace {

using Info = const Napi::CallbackInfo &;

id<MTLDevice> device() {
  static id<MTLDevice> device = MTLCreateSystemDefaultDevice();
  return device;
}

id<MTLCommandQueue> queue() {
  static id<MTLCommandQueue> queue = [device() newCommandQueue];
  return queue;
}

/** Keeps an object until `release`. */
Napi::Value give(Info info, id object) {
  return Napi::BigInt::New(info.Env(), uint64_t(reinterpret_cast<uintptr_t>((__bridge_retained void *)object)));
}

void *pointer(Info info, size_t argument = 0) {
  bool lossless = false;
  return reinterpret_cast<void *>(info[argument].As<Napi::BigInt>().Uint64Value(&lossless));
}

/** buffer(bytes, isPrivate): a new MTLBuffer */
Napi::Value buffer(Info info) {
  const NSUInteger bytes = NSUInteger(info[0].ToNumber().Int64Value());
  const bool isPrivate = info[1].ToBoolean().Value();
  const MTLResourceOptions options = isPrivate ? MTLResourceStorageModePrivate : MTLResourceStorageModeShared;
  return give(info, [device() newBufferWithLength:bytes options:options]);
}

/** contents(buffer): a copy of its floats */
Napi::Value contents(Info info) {
  id<MTLBuffer> buffer = (__bridge id<MTLBuffer>)pointer(info);
  auto copy = Napi::Float32Array::New(info.Env(), buffer.length / sizeof(float));
  std::memcpy(copy.Data(), buffer.contents, copy.ByteLength());
  return copy;
}

/** fill(buffer, floats) */
Napi::Value fill(Info info) {
  id<MTLBuffer> buffer = (__bridge id<MTLBuffer>)pointer(info);
  const auto values = info[1].As<Napi::Float32Array>();
  std::memcpy(buffer.contents, values.Data(), std::min(size_t(buffer.length), values.ByteLength()));
  return info.Env().Undefined();
}

/** commandBuffer(unretained): a new one, which does not retain what it uses where that is asked for */
Napi::Value commandBuffer(Info info) {
  @autoreleasepool {
    const bool unretained = info[0].ToBoolean().Value();
    return give(info, unretained ? [queue() commandBufferWithUnretainedReferences] : [queue() commandBuffer]);
  }
}

/** copy(from, to, commandBuffer): encodes a copy of all bytes of a buffer */
Napi::Value copy(Info info) {
  @autoreleasepool {
    id<MTLBuffer> from = (__bridge id<MTLBuffer>)pointer(info, 0), to = (__bridge id<MTLBuffer>)pointer(info, 1);
    id<MTLCommandBuffer> buffer = (__bridge id<MTLCommandBuffer>)pointer(info, 2);
    id<MTLBlitCommandEncoder> encoder = [buffer blitCommandEncoder];
    [encoder copyFromBuffer:from sourceOffset:0 toBuffer:to destinationOffset:0 size:from.length];
    [encoder endEncoding];
  }
  return info.Env().Undefined();
}

/** commit(commandBuffer): waits; gives the text of its error or an empty one */
Napi::Value commit(Info info) {
  @autoreleasepool {
    id<MTLCommandBuffer> buffer = (__bridge id<MTLCommandBuffer>)pointer(info);
    [buffer commit];
    [buffer waitUntilCompleted];
    const char *text = buffer.error ? buffer.error.localizedDescription.UTF8String : "";
    return Napi::String::New(info.Env(), text ? text : "");
  }
}

Napi::Value release(Info info) {
  @autoreleasepool {
    (void)(__bridge_transfer id)pointer(info);
  }
  return info.Env().Undefined();
}

Napi::Object start(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char *name, Napi::Value (*function)(Info)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("buffer", buffer);
  add("contents", contents);
  add("fill", fill);
  add("commandBuffer", commandBuffer);
  add("copy", copy);
  add("commit", commit);
  add("release", release);
  return exports;
}

}  // namespace

NODE_API_MODULE(foreign_metal, start)
