#include "report.h"

#include <cstring>

namespace mrope::metal_host {

bool Report::wants(const std::string &kind) const {
  return static_cast<int>(entries_.size()) < limit_ && kinds_.count(kind) == 0;
}

void Report::add(const std::string &kind, const std::string &message, const void *site) {
  errors_++;
  if (!wants(kind)) return;
  kinds_.insert(kind);
  entries_.push_back({message, site});
}

std::vector<std::string> Report::messages(const std::function<std::string(const void *)> &locate) const {
  std::vector<std::string> result;
  for (const auto &[message, site] : entries_) {
    const std::string where = site == nullptr ? "" : locate(site);
    result.push_back(where.empty() ? message : message + " [" + where + "]");
  }
  return result;
}

std::string place(const char *file, int line) {
  if (file == nullptr) return "?";
  const char *slash = std::strrchr(file, '/');
  return std::string(slash == nullptr ? file : slash + 1) + ":" + std::to_string(line);
}

}  // namespace mrope::metal_host
