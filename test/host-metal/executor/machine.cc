#include "machine.h"

#include <algorithm>

#include "faults.h"
#include "request.h"
#include "symbols.h"

namespace mrope::metal_host {

namespace {

constexpr std::size_t unboundBytes = std::size_t{1} << 28;  // address space per parameter without a binding

}  // namespace

Machine &Machine::instance() {
  static Machine &machine = *new Machine;  // never destroyed: another thread may be in a launch when the process ends
  return machine;
}

Machine::Machine() : threads_(report_, runtime_), shadow_(report_, threads_) {
  runtime_.barrier = [](int flags, const char *file, int line) { instance().threads_.barrier(flags, {file, line}); };
  runtime_.simdBarrier = [](int flags, const char *file, int line) {
    instance().threads_.simdBarrier(flags, {file, line});
  };
  runtime_.exchange = [](const void *in, unsigned size, msl::SimdOp kind, const char *file, int line,
                         std::uint32_t *active) {
    return instance().threads_.exchange(in, size, kind, {file, line}, active);
  };
  runtime_.read = [](std::uintptr_t address, std::size_t bytes, const void *site) {
    Machine &machine = instance();
    if (!machine.undefined_.empty()) machine.checkConstantRead(address);
    machine.shadow_.load(address, bytes, site);
  };
  runtime_.write = [](std::uintptr_t address, std::size_t bytes, const void *site) {
    instance().shadow_.store(address, bytes, site);
  };
  runtime_.atomic = [](std::uintptr_t address, std::size_t bytes, const void *site) {
    instance().shadow_.atomic(address, bytes, site);
  };
}

Memory *Machine::own(std::size_t bytes, const std::string &name) {
  auto memory = Memory::allocate(bytes, name);
  if (memory == nullptr) {
    report_.add("memory", pipeline_->kernel + ": no memory for " + std::to_string(bytes) + " bytes");
    return nullptr;
  }
  owned_.push_back(memory);
  return memory.get();
}

/** Memories that overlap (windows of one array) become one region, so that a byte has one history. */
void Machine::addRegion(Memory &memory, Region::Kind kind, const std::string &name, int index) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  Region region{begin, begin + memory.bytes(), kind, name, index, {&memory}};
  for (auto other = regions_.begin(); other != regions_.end();) {
    const bool same = other->begin == region.begin && other->end == region.end;
    if (other->kind != kind || !(same || (other->begin < region.end && region.begin < other->end))) {
      ++other;
      continue;
    }
    region.begin = std::min(region.begin, other->begin);
    region.end = std::max(region.end, other->end);
    region.index = std::min(region.index, other->index);
    if (region.index == other->index) region.name = other->name;
    for (Memory *m : other->memories)
      if (m != &memory) region.memories.push_back(m);
    other = regions_.erase(other);
  }
  regions_.push_back(std::move(region));
}

void Machine::bindThreadgroup(const ParameterInfo &parameter, std::size_t bytes) {
  Memory *memory = own(bytes, parameter.name);
  if (memory == nullptr) return;
  arguments_.threadgroup[parameter.index] = memory->data();
  threadgroup_.push_back(memory);
  threadgroupBytes_ += (bytes + 15) / 16 * 16;
  addRegion(*memory, Region::Kind::Threadgroup, parameter.name, parameter.index);
}

void Machine::bindNothing(const ParameterInfo &parameter) {
  if (unbound_.data == nullptr) unbound_ = mapForbidden(unboundBytes * msl::maxBindings);
  char *place = static_cast<char *>(unbound_.data) + unboundBytes * static_cast<std::size_t>(parameter.index);
  const auto begin = reinterpret_cast<std::uintptr_t>(place);
  arguments_.buffers[parameter.index] = place;
  regions_.push_back({begin, begin + unboundBytes, Region::Kind::Unbound, parameter.name, parameter.index, {}});
}

void Machine::bind(const Bindings &bindings) {
  for (const auto &p : pipeline_->parameters) {
    if (p.space == ParameterInfo::Space::Threadgroup) {
      bindThreadgroup(p, bindings.threadgroupBytes().at(p.index));
      continue;
    }
    const auto found = bindings.buffers().find(p.index);
    if (found == bindings.buffers().end()) {
      bindNothing(p);
    } else if (const auto &b = found->second; b.memory != nullptr) {
      arguments_.buffers[p.index] = b.memory->as<char>() + b.offset;
      addRegion(*b.memory, Region::Kind::Device, b.memory->name(), p.index);
    } else if (Memory *memory = own(b.bytes.size(), p.name)) {
      std::copy(b.bytes.begin(), b.bytes.end(), memory->as<std::byte>());
      arguments_.buffers[p.index] = memory->data();
      addRegion(*memory, Region::Kind::Constant, p.name, p.index);
    }
  }
  for (const auto *v : pipeline_->variables) {
    Memory *memory = own(v->bytes, v->name);
    if (memory == nullptr) return;
    if (variables_.size() <= static_cast<std::size_t>(v->identifier)) variables_.resize(v->identifier + 1);
    variables_[v->identifier] = memory->data();
    threadgroup_.push_back(memory);
    addRegion(*memory, Region::Kind::Threadgroup, v->name, 0);
  }
  threadgroupBytes_ += pipeline_->threadgroupBytes();
}

void Machine::setConstants() {
  const msl::LibraryTable &table = *pipeline_->image->table;
  for (const auto *c = table.functionConstants; c != nullptr; c = c->next) {
    const auto given = std::find_if(pipeline_->constants.begin(), pipeline_->constants.end(),
                                    [&](const auto &value) { return value.index == c->index; });
    *c->defined = given != pipeline_->constants.end();
    if (*c->defined) {
      std::copy(given->bytes.begin(), given->bytes.end(), static_cast<std::byte *>(c->value));
    } else {
      std::memset(c->value, 0, c->bytes);
      if (!c->optional) undefined_.push_back(c);
    }
  }
  std::vector<const msl::DerivedConstant *> derived;
  for (const auto *d = table.derivedConstants; d != nullptr; d = d->next) derived.push_back(d);
  std::sort(derived.begin(), derived.end(), [](const auto *a, const auto *b) { return a->rank < b->rank; });
  for (const auto *d : derived) d->compute();
}

void Machine::checkConstantRead(std::uintptr_t address) {
  for (const auto *c : undefined_) {
    if (address - reinterpret_cast<std::uintptr_t>(c->value) >= c->bytes || !threads_.running()) continue;
    report_.add(std::string("constant ") + c->name, pipeline_->kernel + ": function constant " +
                                                        std::to_string(c->index) + " (" + c->name +
                                                        ") is used, but has no value");
  }
}

void Machine::run(const Grid &grid, const LaunchOptions &options) {
  const Size groups = grid.groups;
  const std::uint64_t count = std::uint64_t{groups.x} * groups.y * groups.z;
  order_.resize(count);
  for (std::uint64_t i = 0; i < count; i++) {
    order_[i] = static_cast<std::uint32_t>(options.schedule == Schedule::Reverse ? count - 1 - i : i);
  }
  if (options.schedule == Schedule::Random) {
    std::uint64_t state = options.seed;
    for (std::uint64_t i = count; i > 1; i--) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(order_[i - 1], order_[(state >> 33) % i]);
    }
  }
  for (const std::uint32_t i : order_) {
    for (const Memory *memory : threadgroup_) std::memset(memory->data(), poison, memory->bytes());
    const Size group = {i % groups.x, i / groups.x % groups.y, i / groups.x / groups.y};
    if (!threads_.run(grid, group)) return;
  }
}

void Machine::blame(int signal, std::uintptr_t address, std::uintptr_t site) {
  const std::string &kernel = pipeline_->kernel;
  const std::string who = " (" + threads_.describe() + ")";
  const auto *at = reinterpret_cast<const void *>(site + 1);  // sites are return addresses otherwise
  if (signal == SIGXCPU) {
    report_.add("time", kernel + ": gave up, the processor time of the launch is used up" + who, at);
  } else if (signal == SIGFPE) {
    report_.add("division", kernel + ": integer division by zero" + who, at);
  } else if (signal != SIGSEGV && signal != SIGBUS) {
    report_.add("trap", kernel + ": undefined behaviour, signal " + std::to_string(signal) + who, at);
  } else if (threads_.running() && threads_.nearStackEnd(address)) {
    report_.add("stack", kernel + ": the stack of a thread is full" + who, at);
  } else {
    report_.add("bounds", shadow_.outside(address, "access"), at);
  }
}

void Machine::markStored(const Bindings &bindings) {
  for (const auto &p : pipeline_->parameters) {
    const auto found = bindings.buffers().find(p.index);
    if (p.space != ParameterInfo::Space::Device || !p.writable || found == bindings.buffers().end()) continue;
    if (found->second.memory != nullptr) found->second.memory->markWritten();
  }
}

Stats Machine::collect() {
  Stats stats = threads_.stats();
  shadow_.finish(stats);
  const auto &calls = runtime_.calls;
  stats.math = {calls.sin, calls.cos, calls.exp, calls.log, calls.pow, calls.sqrt};
  for (const auto *c = pipeline_->image->table->callCounters; c != nullptr; c = c->next) {
    stats.calls[c->name] += c->count;
  }
  return stats;
}

void Machine::clear() {
  shadow_.begin("", false, {});
  pipeline_ = nullptr;
  arguments_ = {};
  regions_.clear();
  owned_.clear();
  threadgroup_.clear();
  variables_.clear();
  undefined_.clear();
  threadgroupBytes_ = 0;
}

Stats Machine::launch(const Pipeline::State &pipeline, const Bindings &bindings, const Grid &grid,
                      const LaunchOptions &options) {
  const std::lock_guard<std::mutex> lock(busy_);
  const Library::Image &image = *pipeline.image;
  report_.begin(options.maxMessages);
  pipeline_ = &pipeline;
  if (checkRequest(pipeline, bindings, grid, options, report_)) bind(bindings);
  if (threadgroupBytes_ > options.threadgroupLimit) {
    report_.add("threadgroup", pipeline.kernel + ": " + std::to_string(threadgroupBytes_) +
                                   " bytes of threadgroup memory, at most " + std::to_string(options.threadgroupLimit));
  }
  Stats stats;
  if (report_.errors() == 0) {
    setConstants();
    shadow_.setImages(image.segments);
    shadow_.begin(pipeline.kernel, image.strict(), regions_);
    runtime_.threadgroup = variables_.data();
    runtime_.calls = {};
    for (auto *c = image.table->callCounters; c != nullptr; c = c->next) c->count = 0;
    *image.table->runtime = &runtime_;
    threads_.begin(options, pipeline.entry->call, &arguments_);
    {
      FaultGuard guard(image.segments, options.cpuSeconds);
      if (sigsetjmp(guard.jump, 1) == 0) run(grid, options);
      else blame(guard.signal, guard.address, guard.site);
    }
    stats = collect();
    if (!image.strict()) markStored(bindings);
  }
  stats.threadgroupBytes = threadgroupBytes_;
  stats.errors = report_.errors();
  stats.messages = report_.messages([&](const void *site) { return symbolize(image, site); });
  clear();
  return stats;
}

Stats Pipeline::launch(const Bindings &bindings, const Grid &grid, const LaunchOptions &options) {
  return Machine::instance().launch(*state_, bindings, grid, options);
}

}  // namespace mrope::metal_host
