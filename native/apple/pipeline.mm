#import "pipeline.h"

#include <cstring>

#import "errors.h"

namespace mrope::apple {
namespace {

std::string textOf(const gpu::Constant &constant) {
  const std::string at = " c" + std::to_string(constant.index) + "=";
  switch (constant.type) {
    case gpu::ConstantType::Bool: return at + (constant.bits ? "true" : "false");
    case gpu::ConstantType::Int: return at + std::to_string(int32_t(constant.bits));
    case gpu::ConstantType::Uint: return at + std::to_string(constant.bits) + "u";
    case gpu::ConstantType::Float: break;
  }
  float value = 0;
  std::memcpy(&value, &constant.bits, sizeof value);
  return at + std::to_string(value) + "f#" + std::to_string(constant.bits);
}

std::string variantOf(const gpu::PipelineKey &key) {
  std::string text = libraryName("", key.macros);
  for (const gpu::Constant &constant : key.constants) text += textOf(constant);
  return text.empty() ? text : text.substr(1);
}

MTLDataType typeOf(gpu::ConstantType type) {
  switch (type) {
    case gpu::ConstantType::Bool: return MTLDataTypeBool;
    case gpu::ConstantType::Int: return MTLDataTypeInt;
    case gpu::ConstantType::Uint: return MTLDataTypeUInt;
    case gpu::ConstantType::Float: break;
  }
  return MTLDataTypeFloat;
}

MTLFunctionConstantValues *valuesOf(const std::vector<gpu::Constant> &constants) {
  MTLFunctionConstantValues *values = [[MTLFunctionConstantValues alloc] init];
  for (const gpu::Constant &constant : constants) {
    const bool truth = constant.bits != 0;
    const void *value = constant.type == gpu::ConstantType::Bool ? static_cast<const void *>(&truth) : &constant.bits;
    [values setConstantValue:value type:typeOf(constant.type) atIndex:constant.index];
  }
  return values;
}

}  // namespace

Status Pipelines::link(const std::string &name, id<MTLFunction> function,
                       __strong id<MTLComputePipelineState> &state) {
  MTLComputePipelineDescriptor *descriptor = [[MTLComputePipelineDescriptor alloc] init];
  descriptor.computeFunction = function;
  NSArray<id<MTLBinaryArchive>> *archives = archive_.list();
  if (archives) {
    descriptor.binaryArchives = archives;
    state = [device_ newComputePipelineStateWithDescriptor:descriptor
                                                   options:MTLPipelineOptionFailOnBinaryArchiveMiss
                                                reflection:nil
                                                     error:nil];
    if (state) return {};
    descriptor.binaryArchives = nil;
  }
  NSError *error = nil;
  state = [device_ newComputePipelineStateWithDescriptor:descriptor
                                                 options:MTLPipelineOptionNone
                                              reflection:nil
                                                   error:&error];
  if (!state) return Status::range(code::compile, "metal: " + name + " does not link: " + reasonOf(error));
  archive_.add(descriptor);
  return {};
}

Pipelines::Built Pipelines::build(const gpu::PipelineKey &key) {
  const std::string name = key.kernel + " of " + key.library;
  const Compiled compiled = libraries_.get(key.library, key.macros);
  if (!compiled.status.ok()) return {nullptr, compiled.status};
  NSError *error = nil;
  id<MTLFunction> function = [compiled.library newFunctionWithName:stringOf(key.kernel)
                                                    constantValues:valuesOf(key.constants)
                                                             error:&error];
  if (!function) {
    return {nullptr, Status::range(code::compile, "metal: " + name + " cannot be specialised: " + reasonOf(error))};
  }
  id<MTLComputePipelineState> state = nil;
  if (Status status = link(name, function, state); !status.ok()) return {nullptr, status};
  const auto pipeline = std::make_shared<MetalPipeline>(state);
  const size_t most = device_.maxThreadgroupMemoryLength;
  if (pipeline->threadgroupBytes() > most) {
    return {nullptr, Status::range(code::device, "metal: " + name + " needs " +
                                                     std::to_string(pipeline->threadgroupBytes()) +
                                                     " bytes of threadgroup memory, the device has " +
                                                     std::to_string(most))};
  }
  return {pipeline, {}};
}

Status Pipelines::get(const gpu::PipelineKey &key, gpu::PipelineRef &out) {
  const std::string variant = variantOf(key), name = key.library + " " + key.kernel + " " + variant;
  std::promise<Built> promise;
  std::shared_future<Built> future;
  bool mine = false;
  {
    const std::lock_guard lock(mutex_);
    if (const auto place = known_.find(name); place != known_.end()) {
      future = place->second;
    } else {
      mine = true;
      future = promise.get_future().share();
      known_.emplace(name, future);
    }
  }
  if (mine) {
    Built built;
    built.status = guarded("metal", [&] {
      built = build(key);
      return built.status;
    });
    {
      const std::lock_guard lock(mutex_);
      // What failed, for want of memory perhaps, is tried again by the next call.
      if (!built.status.ok()) known_.erase(name);
      else built_.push_back({key.library, key.kernel, variant, built.pipeline->maxThreads(),
                             built.pipeline->threadgroupBytes()});
    }
    promise.set_value(std::move(built));
  }
  const Built &built = future.get();
  out = built.pipeline;
  return built.status;
}

std::vector<BuiltPipeline> Pipelines::built() const {
  const std::lock_guard lock(mutex_);
  return built_;
}

}  // namespace mrope::apple
