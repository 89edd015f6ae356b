#include <algorithm>
#include <cstdio>

#include "executor.h"

namespace mrope::metal_host {

Traffic &Traffic::operator+=(const Traffic &other) {
  loaded += other.loaded;
  stored += other.stored;
  uniqueLoaded += other.uniqueLoaded;
  uniqueStored += other.uniqueStored;
  uniquePerGroupLoaded += other.uniquePerGroupLoaded;
  uniquePerGroupStored += other.uniquePerGroupStored;
  return *this;
}

MathCalls &MathCalls::operator+=(const MathCalls &other) {
  sin += other.sin;
  cos += other.cos;
  exp += other.exp;
  log += other.log;
  pow += other.pow;
  sqrt += other.sqrt;
  return *this;
}

Stats &Stats::operator+=(const Stats &other) {
  threads += other.threads;
  threadgroups += other.threadgroups;
  barriers += other.barriers;
  simdBarriers += other.simdBarriers;
  simdOps += other.simdOps;
  mmas += other.mmas;
  threadgroupBytes = std::max(threadgroupBytes, other.threadgroupBytes);
  threadgroupLoaded += other.threadgroupLoaded;
  threadgroupStored += other.threadgroupStored;
  device += other.device;
  for (const auto &[index, traffic] : other.buffers) buffers[index] += traffic;
  constantLoaded += other.constantLoaded;
  math += other.math;
  for (const auto &[name, count] : other.calls) calls[name] += count;
  errors += other.errors;
  messages.insert(messages.end(), other.messages.begin(), other.messages.end());
  return *this;
}

namespace {

/** Writes one JSON object, a member at a time. */
class Json {
 public:
  void open(const std::string &name, char bracket) {
    label(name);
    text += bracket;
    fresh = true;
  }
  void close(char bracket) {
    text += bracket;
    fresh = false;
  }
  void number(const std::string &name, std::uint64_t value) {
    label(name);
    text += std::to_string(value);
  }
  void string(const std::string &value) {
    label("");
    quote(value);
  }

  std::string text;

 private:
  void label(const std::string &name) {
    if (!fresh) text += ", ";
    fresh = false;
    if (name.empty()) return;
    quote(name);
    text += ": ";
  }
  void quote(const std::string &value) {
    text += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      if (static_cast<unsigned char>(c) >= 0x20) {
        text += c;
      } else {
        char code[8];
        std::snprintf(code, sizeof code, "\\u%04x", c);
        text += code;
      }
    }
    text += '"';
  }

  bool fresh = true;
};

void write(Json &json, const std::string &name, const Traffic &t) {
  json.open(name, '{');
  json.number("loaded", t.loaded);
  json.number("stored", t.stored);
  json.number("uniqueLoaded", t.uniqueLoaded);
  json.number("uniqueStored", t.uniqueStored);
  json.number("uniquePerGroupLoaded", t.uniquePerGroupLoaded);
  json.number("uniquePerGroupStored", t.uniquePerGroupStored);
  json.close('}');
}

}  // namespace

std::string Stats::json() const {
  Json json;
  json.open("", '{');
  json.number("threads", threads);
  json.number("threadgroups", threadgroups);
  json.number("barriers", barriers);
  json.number("simdBarriers", simdBarriers);
  json.number("simdOps", simdOps);
  json.number("mmas", mmas);
  json.number("threadgroupBytes", threadgroupBytes);
  json.number("threadgroupLoaded", threadgroupLoaded);
  json.number("threadgroupStored", threadgroupStored);
  write(json, "device", device);
  json.open("buffers", '{');
  for (const auto &[index, traffic] : buffers) write(json, std::to_string(index), traffic);
  json.close('}');
  json.number("constantLoaded", constantLoaded);
  json.open("math", '{');
  json.number("sin", math.sin);
  json.number("cos", math.cos);
  json.number("exp", math.exp);
  json.number("log", math.log);
  json.number("pow", math.pow);
  json.number("sqrt", math.sqrt);
  json.close('}');
  json.open("calls", '{');
  for (const auto &[name, count] : calls) json.number(name, count);
  json.close('}');
  json.number("errors", errors);
  json.open("messages", '[');
  for (const auto &message : messages) json.string(message);
  json.close(']');
  json.close('}');
  return json.text;
}

}  // namespace mrope::metal_host
