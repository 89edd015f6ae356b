#pragma once

#include <map>
#include <string>

namespace mrope::fake {

struct Compilation {
  std::string library;  // path of the compiled library, or empty
  std::string error;    // what the compiler said
};

/** Compiles a Metal source by compile.mjs into its cache. `lane` is plain, strict or fast-math. */
Compilation compile(const std::string &source, const std::map<std::string, std::string> &macros,
                    const std::string &lane);

}  // namespace mrope::fake
