#include "request.h"

#include <algorithm>

namespace mrope::metal_host {

namespace {

constexpr std::uint64_t maxGroups = std::uint64_t{1} << 24;  // more would run for days

using Space = ParameterInfo::Space;

class Check {
 public:
  Check(const Pipeline::State &pipeline, const Bindings &bindings, const LaunchOptions &options, Report &report)
      : pipeline_(pipeline), bindings_(bindings), options_(options), report_(report) {}

  void grid(const Grid &grid) {
    const Size g = grid.groups, t = grid.threadsPerGroup;
    const std::uint64_t groups = volume(g), threads = volume(t);
    const std::uint64_t limit = std::min<std::uint32_t>(pipeline_.entry->threadLimit, msl::maxThreads);
    if (groups == 0 || threads == 0) fail("the grid has no threads");
    if (groups > maxGroups) fail("more than " + std::to_string(maxGroups) + " threadgroups");
    if (threads > limit) fail(std::to_string(threads) + " threads per threadgroup, at most " + std::to_string(limit));
    if (options_.schedule == Schedule::Lockstep && !pipeline_.image->strict()) {
      fail("the lockstep schedule needs a library of the strict lane, this one is " + pipeline_.image->lane);
    }
  }

  void parameter(const ParameterInfo &p) {
    if (p.space == Space::Threadgroup) {
      if (bindings_.threadgroupBytes().count(p.index) == 0) fail(label(p) + " has no size");
      return;
    }
    // One without a binding is an error when it is used: function constants decide.
    const auto found = bindings_.buffers().find(p.index);
    if (found != bindings_.buffers().end()) buffer(p, found->second);
  }

  void unused(int index, bool threadgroup) {
    const std::string place = std::string(threadgroup ? "threadgroup(" : "buffer(") + std::to_string(index) + ")";
    if (index < 0 || index >= msl::maxBindings) return fail(place + ": indices are 0 to 30");
    const bool known = std::any_of(pipeline_.parameters.begin(), pipeline_.parameters.end(), [&](const auto &p) {
      return p.index == index && (p.space == Space::Threadgroup) == threadgroup;
    });
    if (!known && !options_.allowUnusedBindings) fail(place + " is bound, the kernel has none there");
  }

 private:
  /** Threads or groups of a size; saturates. */
  static std::uint64_t volume(Size s) {
    const std::uint64_t plane = std::uint64_t{s.x} * s.y;
    return s.z != 0 && plane > UINT64_MAX / s.z ? UINT64_MAX : plane * s.z;
  }

  static std::string label(const ParameterInfo &p) {
    const char *kind = p.space == Space::Threadgroup ? "threadgroup" : "buffer";
    return std::string(kind) + "(" + std::to_string(p.index) + ") '" + p.name + "'";
  }

  void buffer(const ParameterInfo &p, const Bindings::Buffer &b) {
    const std::size_t have = b.memory == nullptr ? b.bytes.size() : b.memory->bytes();
    const bool reference = p.type.find('&') != std::string::npos;
    if (b.offset > have) {
      return fail(label(p) + " starts at byte " + std::to_string(b.offset) + " of " + std::to_string(have));
    }
    if (reference && have - b.offset < p.elementBytes) {
      fail(label(p) + " needs " + std::to_string(p.elementBytes) + " bytes, " + std::to_string(have - b.offset) +
           " bytes are bound");
    }
    if (b.memory == nullptr && p.writable) fail(label(p) + " is written by the kernel, but bound as bytes");
    const auto start = b.memory == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(b.memory->data()) + b.offset;
    if (p.alignment > 1 && start % p.alignment != 0) {
      fail(label(p) + " starts at byte " + std::to_string(b.offset) + ", not at a multiple of " +
           std::to_string(p.alignment));
    }
  }

  void fail(const std::string &message) { report_.add(message, pipeline_.kernel + ": " + message); }

  const Pipeline::State &pipeline_;
  const Bindings &bindings_;
  const LaunchOptions &options_;
  Report &report_;
};

}  // namespace

bool checkRequest(const Pipeline::State &pipeline, const Bindings &bindings, const Grid &grid,
                  const LaunchOptions &options, Report &report) {
  Check check(pipeline, bindings, options, report);
  check.grid(grid);
  for (const auto &parameter : pipeline.parameters) check.parameter(parameter);
  for (const auto &[index, buffer] : bindings.buffers()) check.unused(index, false);
  for (const auto &[index, bytes] : bindings.threadgroupBytes()) check.unused(index, true);
  return report.errors() == 0;
}

}  // namespace mrope::metal_host
