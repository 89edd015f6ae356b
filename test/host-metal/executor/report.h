#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace mrope::metal_host {

/** Errors of a launch. The first of a kind is described, the others are counted. */
class Report {
 public:
  void begin(int maxMessages) {
    *this = Report();
    limit_ = maxMessages;
  }

  /** `kind` tells errors of one cause apart from others. `site` is an address of the kernel's code, or null. */
  void add(const std::string &kind, const std::string &message, const void *site = nullptr);
  /** Whether add() would describe an error of this kind, so that its message is worth making. */
  bool wants(const std::string &kind) const;
  /** Counts one more error of a kind that add() has seen. */
  void again() { errors_++; }

  std::uint64_t errors() const { return errors_; }
  /** The messages, with the place of their site as `locate` gives it. */
  std::vector<std::string> messages(const std::function<std::string(const void *)> &locate) const;

 private:
  struct Entry {
    std::string message;
    const void *site;
  };
  int limit_ = 0;
  std::uint64_t errors_ = 0;
  std::set<std::string> kinds_;
  std::vector<Entry> entries_;
};

/** file:line without directories. */
std::string place(const char *file, int line);

}  // namespace mrope::metal_host
