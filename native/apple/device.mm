#import "device.h"

#include <thread>

#import "errors.h"

namespace mrope::apple {
namespace {

/** Largest `setBytes` that Metal takes. */
constexpr size_t mostBytes = 4096;

/** All devices; on macOS the default one is the first. */
NSArray<id<MTLDevice>> *allDevices() {
  NSMutableArray<id<MTLDevice>> *found = [[NSMutableArray alloc] init];
  id<MTLDevice> main = MTLCreateSystemDefaultDevice();
  if (main) [found addObject:main];
  for (id<MTLDevice> device in MTLCopyAllDevices()) {
    if (main && device.registryID == main.registryID) continue;
    [found addObject:device];
  }
  return found;
}

/** Empty where the kernels run on the device. */
std::string lacking(id<MTLDevice> device) {
  if (@available(macOS 14.0, *)) {
    if (!device.hasUnifiedMemory) return "its memory is not the host's (needs Apple silicon)";
    // A paravirtual device says Metal 3 only; what its kernels give is tested when the backend is opened.
    if (![device supportsFamily:MTLGPUFamilyApple7] && ![device supportsFamily:MTLGPUFamilyMetal3]) {
      return "its family is older than Apple7 (M1)";
    }
    return "";
  }
  return "needs macOS 14";
}

gpu::Family familyOf(id<MTLDevice> device) {
  // Apple10 has no name yet in the SDK of macOS 14.
  constexpr MTLGPUFamily apple10 = static_cast<MTLGPUFamily>(MTLGPUFamilyApple9 + 1);
  if ([device supportsFamily:apple10]) return gpu::Family::Apple10;
  if ([device supportsFamily:MTLGPUFamilyApple9]) return gpu::Family::Apple9;
  if ([device supportsFamily:MTLGPUFamilyApple8]) return gpu::Family::Apple8;
  if ([device supportsFamily:MTLGPUFamilyApple7]) return gpu::Family::Apple7;
  return gpu::Family::Unknown;
}

gpu::Limits limitsOf(id<MTLDevice> device) {
  gpu::Limits limits;
  limits.name = textOf(device.name);
  limits.family = familyOf(device);
  limits.threadgroupBytes = device.maxThreadgroupMemoryLength;
  limits.maxBufferBytes = device.maxBufferLength;
  limits.workingSetBytes = device.recommendedMaxWorkingSetSize;
  return limits;
}

NSArray<id<MTLDevice>> *usableDevices(std::string &why) {
  NSMutableArray<id<MTLDevice>> *usable = [[NSMutableArray alloc] init];
  why = "there is no Metal device; a process without a graphics session or in a sandbox may not see it";
  for (id<MTLDevice> device in allDevices()) {
    const std::string missing = lacking(device);
    if (missing.empty()) [usable addObject:device];
    else why = textOf(device.name) + ": " + missing;
  }
  return usable;
}

Status deviceError(const std::string &text) { return Status::range(code::device, "metal: " + text); }

/** Why a command buffer failed; `lost` where the device takes no more work. */
Status failureOf(id<MTLCommandBuffer> buffer, bool &lost) {
  NSError *error = buffer.error;
  const std::string reason = reasonOf(error);
  switch (error.code) {
    case MTLCommandBufferErrorOutOfMemory:
      return Status::range(code::memory, "metal: the work did not fit the memory of the device: " + reason);
    case MTLCommandBufferErrorAccessRevoked:
    case MTLCommandBufferErrorDeviceRemoved:
      lost = true;
      return deviceError("the device was lost: " + reason);
    default: return deviceError("the work failed: " + reason);
  }
}

/** Metal ends the process for most of these. */
Status checkDispatch(const gpu::Dispatch &dispatch) {
  const auto *pipeline = dynamic_cast<const MetalPipeline *>(dispatch.pipeline.get());
  if (!pipeline) return deviceError("a dispatch has no pipeline of this device");
  const gpu::Grid &grid = dispatch.threadgroups;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return deviceError("a dispatch has no threadgroups");
  if (dispatch.threads == 0 || dispatch.threads > pipeline->maxThreads()) {
    return deviceError("a dispatch has " + std::to_string(dispatch.threads) + " threads a threadgroup, its kernel takes " +
                       std::to_string(pipeline->maxThreads()) + " at most");
  }
  for (const gpu::Binding &binding : dispatch.bindings) {
    const std::string at = "buffer " + std::to_string(binding.index) + " of a dispatch ";
    if (const auto *bytes = std::get_if<gpu::Bytes>(&binding.value)) {
      if (bytes->empty() || bytes->size() > mostBytes) return deviceError(at + "has no or too many bytes");
    } else {
      const auto &place = std::get<gpu::BufferAt>(binding.value);
      const auto *buffer = dynamic_cast<const MetalBuffer *>(place.buffer.get());
      if (!buffer) return deviceError(at + "is not of this device");
      if (place.offset > buffer->bytes()) return deviceError(at + "begins behind its end");
    }
  }
  return {};
}

void encodeDispatch(id<MTLComputeCommandEncoder> encoder, const gpu::Dispatch &dispatch) {
  [encoder setComputePipelineState:static_cast<const MetalPipeline &>(*dispatch.pipeline).state()];
  for (const gpu::Binding &binding : dispatch.bindings) {
    if (const auto *bytes = std::get_if<gpu::Bytes>(&binding.value)) {
      [encoder setBytes:bytes->data() length:bytes->size() atIndex:binding.index];
    } else {
      const auto &place = std::get<gpu::BufferAt>(binding.value);
      const auto &buffer = static_cast<const MetalBuffer &>(*place.buffer);
      [encoder setBuffer:buffer.metal() offset:buffer.offset() + place.offset atIndex:binding.index];
    }
  }
  const gpu::Grid &grid = dispatch.threadgroups;
  [encoder dispatchThreadgroups:MTLSizeMake(grid.x, grid.y, grid.z)
          threadsPerThreadgroup:MTLSizeMake(dispatch.threads, 1, 1)];
}

/** A serial encoder: each dispatch sees what the former wrote. */
Status encodeAll(id<MTLCommandBuffer> buffer, const std::vector<gpu::Dispatch> &dispatches) {
  for (const gpu::Dispatch &dispatch : dispatches) {
    if (Status status = checkDispatch(dispatch); !status.ok()) return status;
  }
  id<MTLComputeCommandEncoder> encoder = [buffer computeCommandEncoder];
  if (!encoder) return deviceError("the command buffer takes no compute work; end its open encoder first");
  for (const gpu::Dispatch &dispatch : dispatches) encodeDispatch(encoder, dispatch);
  [encoder endEncoding];
  return {};
}

/** Devices that somebody holds, by registry id. */
std::mutex openMutex;
std::unordered_map<uint64_t, std::weak_ptr<MetalDevice>> openDevices;

}  // namespace

std::vector<std::string> MetalDevice::names(std::string &why) {
  std::vector<std::string> names;
  const Status status = guarded("metal", [&] {
    for (id<MTLDevice> device in usableDevices(why)) names.push_back(textOf(device.name));
    return Status();
  });
  if (!status.ok()) why = status.message();
  return names;
}

Status MetalDevice::open(std::size_t index, std::shared_ptr<MetalDevice> &out) {
  return guarded("metal", [&] {
    std::string why;
    NSArray<id<MTLDevice>> *usable = usableDevices(why);
    if (index >= usable.count) {
      return deviceError(usable.count == 0 ? why : "there is no device " + std::to_string(index));
    }
    id<MTLDevice> device = [usable objectAtIndex:index];
    const std::lock_guard lock(openMutex);
    std::weak_ptr<MetalDevice> &shared = openDevices[device.registryID];
    out = shared.lock();
    if (out && !out->lost()) return Status();
    id<MTLCommandQueue> queue = [device newCommandQueue];
    if (!queue) return deviceError("the device gives no command queue");
    shared = out = std::make_shared<OpenDevice>(device, queue);
    return Status();
  });
}

OpenDevice::OpenDevice(id<MTLDevice> device, id<MTLCommandQueue> queue)
    : device_(device), queue_(queue), limits_(limitsOf(device)), pipelines_(device) {}

OpenDevice::~OpenDevice() {
  std::unique_lock lock(work_->mutex);
  work_->idle.wait(lock, [&] { return work_->running == 0; });
}

Status OpenDevice::allocate(size_t bytes, gpu::BufferRef &out) {
  return guarded("metal", [&] { return allocateBuffer(device_, bytes, out); });
}

Status OpenDevice::wrap(void *pointer, size_t bytes, gpu::BufferRef &out) {
  return guarded("metal", [&] { return wrapMemory(device_, pointer, bytes, out); });
}

Status OpenDevice::adopt(uint64_t handle, gpu::BufferRef &out) {
  return guarded("metal", [&] { return adoptBuffer(device_, handle, out); });
}

uint64_t OpenDevice::handleOf(const gpu::Buffer &buffer) const {
  // The buffer on its way through here may end up in the pool of the thread, which has none of its own.
  @autoreleasepool {
    const auto *metal = dynamic_cast<const MetalBuffer *>(&buffer);
    return metal ? reinterpret_cast<uint64_t>((__bridge void *)metal->metal()) : 0;
  }
}

Status OpenDevice::pipeline(const gpu::PipelineKey &key, gpu::PipelineRef &out) {
  return guarded("metal", [&] { return pipelines_.get(key, out); });
}

Status OpenDevice::submit(std::vector<gpu::Dispatch> dispatches, gpu::Completion done) {
  return guarded("metal", [&] {
    if (work_->lost) return deviceError("the device was lost");
    id<MTLCommandBuffer> buffer = [queue_ commandBuffer];
    if (!buffer) return deviceError("the device gives no command buffer");
    if (Status status = encodeAll(buffer, dispatches); !status.ok()) return status;
    const size_t count = dispatches.size();
    // The command buffer retains the Metal objects; the dispatches also hold the windows of host memory.
    const auto held = std::make_shared<std::vector<gpu::Dispatch>>(std::move(dispatches));
    const auto finish = std::make_shared<gpu::Completion>(std::move(done));
    const std::shared_ptr<Work> work = work_;
    [buffer addCompletedHandler:^(id<MTLCommandBuffer> finished) {
      bool lost = false;
      const bool failed = finished.status == MTLCommandBufferStatusError;
      const Status status = failed ? failureOf(finished, lost) : Status();
      if (lost) work->lost = true;
      held->clear();
      work->end(finished.GPUEndTime - finished.GPUStartTime);
      (*finish)(status);
      *finish = nullptr;
    }];
    work->begin(count);
    [buffer commit];
    return Status();
  });
}

Status OpenDevice::encode(uint64_t commandBuffer, std::vector<gpu::Dispatch> dispatches) {
  return guarded("metal", [&] {
    if (commandBuffer == 0 || commandBuffer % alignof(void *) != 0) {
      return Status::range(code::argument, "metal: " + std::to_string(commandBuffer) +
                                               " is not the handle of an MTLCommandBuffer");
    }
    id<MTLCommandBuffer> buffer = (__bridge id<MTLCommandBuffer>)reinterpret_cast<void *>(commandBuffer);
    if (buffer.status != MTLCommandBufferStatusNotEnqueued && buffer.status != MTLCommandBufferStatusEnqueued) {
      return Status::range(code::state, "metal: the command buffer was committed");
    }
    if (Status status = encodeAll(buffer, dispatches); !status.ok()) return status;
    // It may be one that retains nothing, as runtimes like them.
    const auto held = std::make_shared<std::vector<gpu::Dispatch>>(std::move(dispatches));
    [buffer addCompletedHandler:^(id<MTLCommandBuffer>) {
      held->clear();
    }];
    return Status();
  });
}

}  // namespace mrope::apple
