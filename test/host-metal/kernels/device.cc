#include "device.h"

#include <sys/wait.h>

#include <cstdio>

// Set by CMake.
#ifndef MROPE_ROOT
#error "MROPE_ROOT: the folder of the package"
#endif
#ifndef MROPE_KERNELS
#error "MROPE_KERNELS: the folder of compiled kernels"
#endif

namespace mrope::test {
namespace {

namespace host = mrope::metal_host;

class HostBuffer : public gpu::Buffer {
 public:
  HostBuffer(std::shared_ptr<host::Memory> memory, bool shared) : memory_(std::move(memory)), shared_(shared) {}
  size_t bytes() const override { return memory_->bytes(); }
  void *host() const override { return memory_->data(); }
  void modified(size_t offset, size_t bytes) override { memory_->markWritten(offset, bytes); }
  bool shared() const override { return shared_; }
  const std::shared_ptr<host::Memory> &memory() const { return memory_; }

 private:
  std::shared_ptr<host::Memory> memory_;
  bool shared_;
};

class HostPipeline : public gpu::Pipeline {
 public:
  explicit HostPipeline(std::shared_ptr<host::Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}
  uint32_t maxThreads() const override { return pipeline_->maxThreads(); }
  uint32_t threadgroupBytes() const override { return uint32_t(pipeline_->threadgroupBytes()); }
  host::Pipeline &pipeline() const { return *pipeline_; }

 private:
  std::shared_ptr<host::Pipeline> pipeline_;
};

host::ConstantValue valueOf(const gpu::Constant &constant) {
  const int index = int(constant.index);
  switch (constant.type) {
    case gpu::ConstantType::Bool:
      return host::constant(index, constant.bits != 0);
    case gpu::ConstantType::Uint:
      return host::constant(index, constant.bits);
    case gpu::ConstantType::Float: {
      float value;
      std::memcpy(&value, &constant.bits, sizeof value);
      return host::constant(index, value);
    }
    case gpu::ConstantType::Int:
      break;
  }
  return host::constant(index, int(constant.bits));
}

/** Runs a command and gives what it printed on both streams; false where it failed. */
bool capture(const std::string &command, std::string &output) {
  FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return false;
  char part[4096];
  for (size_t n; (n = fread(part, 1, sizeof part, pipe)) > 0;) output.append(part, n);
  const int status = pclose(pipe);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string lastLine(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.find_last_of('\n') + 1);
}

}  // namespace

HostDevice::HostDevice(std::string lane) : lane_(std::move(lane)) {
  limits_.name = "executor";
  limits_.cores = 8;
  limits_.maxBufferBytes = size_t(1) << 32;
  limits_.workingSetBytes = size_t(1) << 32;
}

Status HostDevice::allocate(size_t bytes, gpu::BufferRef &out) {
  auto memory = host::Memory::allocate(bytes, "scratch", host::Contents::Unwritten);
  if (!memory) return Status::range(code::memory, "no memory for " + std::to_string(bytes) + " bytes");
  out = std::make_shared<HostBuffer>(std::move(memory), false);
  return {};
}

Status HostDevice::wrap(void *pointer, size_t bytes, gpu::BufferRef &out) {
  out = std::make_shared<HostBuffer>(host::Memory::wrap(pointer, bytes, "wrapped"), true);
  return {};
}

Status HostDevice::compile(const gpu::PipelineKey &key, std::shared_ptr<host::Library> &out) {
  std::string command = std::string("node '") + MROPE_ROOT "/test/host-metal/compile.mjs' '" MROPE_ROOT "/metal/" +
                        key.library + "' -o '" MROPE_KERNELS "' --lane " + lane_;
  if (key.library != "lane_order.metal") command += " --count cosSinOfPhase";
  for (const auto &[name, value] : key.macros) command += " -D '" + name + "=" + value + "'";
  auto &library = libraries_[command];
  if (!library) {
    std::string output;
    if (!capture(command, output)) return Status::range(code::compile, command + "\n" + output);
    auto loaded = host::Library::load(lastLine(output));
    if (!loaded) return Status::range(code::compile, loaded.error);
    library = loaded.value;
  }
  out = library;
  return {};
}

Status HostDevice::pipeline(const gpu::PipelineKey &key, gpu::PipelineRef &out) {
  std::lock_guard lock(mutex_);
  for (const auto &[known, made] : pipelines_) {
    if (!(known == key)) continue;
    out = made;
    return {};
  }
  std::shared_ptr<host::Library> library;
  if (Status s = compile(key, library); !s.ok()) return s;
  std::vector<host::ConstantValue> constants;
  for (const gpu::Constant &constant : key.constants) constants.push_back(valueOf(constant));
  auto made = library->pipeline(key.kernel, std::move(constants));
  if (!made) return Status::range(code::compile, key.library + ": " + made.error);
  out = std::make_shared<HostPipeline>(made.value);
  pipelines_.emplace_back(key, out);
  return {};
}

Status HostDevice::launch(const gpu::Dispatch &dispatch) {
  host::Bindings bindings;
  for (const gpu::Binding &binding : dispatch.bindings) {
    const int index = int(binding.index);
    if (const auto *at = std::get_if<gpu::BufferAt>(&binding.value)) {
      bindings.buffer(index, static_cast<HostBuffer &>(*at->buffer).memory(), at->offset);
    } else {
      const auto &bytes = std::get<gpu::Bytes>(binding.value);
      bindings.bytes(index, bytes.data(), bytes.size());
    }
  }
  const gpu::Grid &groups = dispatch.threadgroups;
  host::Pipeline &pipeline = static_cast<HostPipeline &>(*dispatch.pipeline).pipeline();
  const auto grid = host::Grid::threadgroups({groups.x, groups.y, groups.z}, {dispatch.threads, 1, 1});
  host::Stats stats = pipeline.launch(bindings, grid, options);
  std::string text;
  for (const std::string &message : stats.messages) text += "\n" + message;
  const bool ok = stats.ok();
  launches_.push_back({pipeline.kernel(), std::move(stats)});
  return ok ? Status() : Status::range(code::device, launches_.back().kernel + ":" + text);
}

Status HostDevice::submit(std::vector<gpu::Dispatch> dispatches, gpu::Completion done) {
  Status result;
  {
    std::lock_guard lock(mutex_);
    for (const gpu::Dispatch &dispatch : dispatches) {
      if (result = launch(dispatch); !result.ok()) break;
    }
  }
  done(std::move(result));
  return {};
}

Status HostDevice::run(std::vector<gpu::Dispatch> dispatches) {
  Status result;
  if (Status s = submit(std::move(dispatches), [&](Status s) { result = std::move(s); }); !s.ok()) return s;
  return result;
}

host::Stats HostDevice::total() const {
  host::Stats sum;
  for (const Launch &launch : launches_) sum += launch.stats;
  return sum;
}

}  // namespace mrope::test
