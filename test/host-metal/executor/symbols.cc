#include "symbols.h"

#include <cstdio>

#include "report.h"

namespace mrope::metal_host {

std::string symbolize(const Library::Image &image, const void *site) {
  const auto address = reinterpret_cast<std::uintptr_t>(site);
  if (address <= image.base || image.path.find('\'') != std::string::npos) return "";
  char offset[24];
  // Of the call, not of what comes after it.
  std::snprintf(offset, sizeof offset, "%#lx", static_cast<unsigned long>(address - image.base - 1));
  std::FILE *pipe = popen(("addr2line -i -e '" + image.path + "' " + offset + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return "";
  std::string where;
  char line[1024];
  // Inlined frames, innermost first: the first one that is not of the shim.
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    const std::string text(line);
    const std::size_t colon = text.rfind(':');
    const bool known = colon != std::string::npos && text.rfind("??", 0) != 0 && std::atoi(&line[colon + 1]) > 0;
    if (!known || !where.empty() || text.find("/shim/") != std::string::npos) continue;
    where = place(text.substr(0, colon).c_str(), std::atoi(&line[colon + 1]));
  }
  pclose(pipe);
  return where;
}

}  // namespace mrope::metal_host
