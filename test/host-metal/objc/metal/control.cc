#include "control.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <sstream>
#include <vector>

#include "host-metal.h"
#include "worker.h"

namespace mrope::fake {

constexpr const char *failures[] = {"device", "compile", "function", "pipeline", "queue",
                                    "memory", "no-copy", "submit",   "archive",  "archive-write"};

/** Older entries of a list go when it is full. */
constexpr std::size_t listLimit = 10000;

struct Failure {
  long after = 0, times = 0;
};

struct State {
  std::mutex mutex;
  std::map<std::string, Failure> failures;
  std::map<std::string, long> counts;
  std::vector<std::string> violations, dispatches;
  std::uint64_t allocated = 0, peak = 0, memory = 0;
  metal_host::LaunchOptions launch;
  long delay = 0;

  State() { fromEnvironment(); }
  void fromEnvironment();
};

static State &state() {
  static auto *the = new State;  // never destroyed: worker threads may outlive main
  return *the;
}

std::string setting(const char *name, const std::string &otherwise) {
  const char *value = std::getenv(name);
  return value == nullptr || *value == 0 ? otherwise : value;
}

static bool isFailure(const std::string &name) {
  return std::any_of(std::begin(failures), std::end(failures), [&](const char *known) { return name == known; });
}

static bool setSchedule(metal_host::LaunchOptions &options, const std::string &name, std::uint64_t seed) {
  using metal_host::Schedule;
  const std::map<std::string, Schedule> schedules = {{"in-order", Schedule::InOrder},
                                                     {"reverse", Schedule::Reverse},
                                                     {"random", Schedule::Random},
                                                     {"lockstep", Schedule::Lockstep}};
  const auto found = schedules.find(name);
  if (found == schedules.end()) return false;
  options.schedule = found->second;
  options.seed = seed;
  return true;
}

static std::vector<std::string> split(const std::string &text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

static void refuseSetting(const char *name, const std::string &value) {
  std::fprintf(stderr, "host metal: %s=%s is not understood\n", name, value.c_str());
  std::abort();
}

void State::fromEnvironment() {
  launch = {};
  launch.allowUnusedBindings = true;  // an encoder keeps the bindings of the dispatch before
  for (const std::string &entry : split(setting("MROPE_HOST_FAIL", ""), ',')) {
    const auto parts = split(entry, ':');
    if (parts.empty() || !isFailure(parts[0])) refuseSetting("MROPE_HOST_FAIL", entry);
    failures[parts[0]] = {parts.size() > 1 ? std::atol(parts[1].c_str()) : 0,
                          parts.size() > 2 ? std::atol(parts[2].c_str()) : -1};
  }
  const auto schedule = split(setting("MROPE_HOST_SCHEDULE", "in-order"), ':');
  const std::uint64_t seed = schedule.size() > 1 ? std::strtoul(schedule[1].c_str(), nullptr, 10) : 1;
  if (!setSchedule(launch, schedule[0], seed)) refuseSetting("MROPE_HOST_SCHEDULE", schedule[0]);
  delay = std::atol(setting("MROPE_HOST_DELAY_MS", "0").c_str());
  memory = std::strtoul(setting("MROPE_HOST_MEMORY", "0").c_str(), nullptr, 10);
}

bool fails(const char *what) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  const auto found = s.failures.find(what);
  if (found == s.failures.end()) return false;
  Failure &failure = found->second;
  if (failure.after > 0) return failure.after--, false;
  if (failure.times == 0) return false;
  if (failure.times > 0) failure.times--;
  return true;
}

template <typename T>
static void append(std::vector<T> &list, T entry) {
  if (list.size() == listLimit) list.erase(list.begin(), list.begin() + listLimit / 2);
  list.push_back(std::move(entry));
}

const std::string &violation(const std::string &message) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  append(s.violations, message);
  return message;
}

void count(const char *what, long by) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  s.counts[what] += by;
}

bool reserve(std::uint64_t bytes) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  if (s.memory != 0 && s.allocated + bytes > s.memory) return false;
  s.allocated += bytes;
  s.peak = std::max(s.peak, s.allocated);
  return true;
}

void release(std::uint64_t bytes) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  s.allocated -= bytes;
}

std::uint64_t allocated() {
  State &s = state();
  std::lock_guard guard(s.mutex);
  return s.allocated;
}

std::uint64_t memoryLimit() {
  State &s = state();
  std::lock_guard guard(s.mutex);
  return s.memory;
}

metal_host::LaunchOptions launchOptions() {
  State &s = state();
  std::lock_guard guard(s.mutex);
  return s.launch;
}

long delay() {
  State &s = state();
  std::lock_guard guard(s.mutex);
  return s.delay;
}

std::string quoted(const std::string &text) {
  std::string json = "\"";
  for (const char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') json += '\\';
    if ((unsigned char)c >= 0x20) json += c;
    else json += (std::snprintf(escaped, sizeof escaped, "\\u%04x", c), escaped);
  }
  return json + '"';
}

static std::string sizeJson(const metal_host::Size &size) {
  return "[" + std::to_string(size.x) + "," + std::to_string(size.y) + "," + std::to_string(size.z) + "]";
}

void dispatched(const std::string &kernel, const metal_host::Grid &grid, const metal_host::Stats &stats) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  append(s.dispatches, "{\"kernel\":" + quoted(kernel) + ",\"threadgroups\":" + sizeJson(grid.groups) +
                           ",\"threads\":" + sizeJson(grid.threadsPerGroup) + ",\"stats\":" + stats.json() + "}");
}

static std::string joined(const std::vector<std::string> &parts) {
  std::string text;
  for (const std::string &part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

}  // namespace mrope::fake

using namespace mrope::fake;

int hostMetalFail(const char *what, long after, long times) {
  if (!isFailure(what)) return 0;
  State &s = state();
  std::lock_guard guard(s.mutex);
  s.failures[what] = {after, times};
  return 1;
}

int hostMetalSchedule(const char *name, unsigned long seed) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  return setSchedule(s.launch, name, seed);
}

void hostMetalDelay(long milliseconds) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  s.delay = milliseconds;
}

void hostMetalMemory(unsigned long bytes) {
  State &s = state();
  std::lock_guard guard(s.mutex);
  s.memory = bytes;
}

void hostMetalReset() {
  State &s = state();
  std::lock_guard guard(s.mutex);
  s.failures.clear();
  s.counts.clear();
  s.violations.clear();
  s.dispatches.clear();
  s.peak = s.allocated;
  s.fromEnvironment();
}

void hostMetalDrain() {
  compiler().drain();
  gpu().drain();
}

char *hostMetalReport() {
  State &s = state();
  std::lock_guard guard(s.mutex);
  std::string json = "{";
  for (const char *name : {"libraries", "pipelines", "archiveHits", "buffers", "commandBuffers"})
    json += quoted(name) + ":" + std::to_string(s.counts[name]) + ",";
  json += "\"allocated\":" + std::to_string(s.allocated) + ",\"peakAllocated\":" + std::to_string(s.peak);
  std::vector<std::string> violations;
  for (const std::string &text : s.violations) violations.push_back(quoted(text));
  json += ",\"violations\":[" + joined(violations) + "],\"dispatches\":[" + joined(s.dispatches) + "]}";
  return strdup(json.c_str());
}
