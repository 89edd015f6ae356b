#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels.h"

namespace mrope::cpu {

extern const Kernels baseKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;
#endif

namespace {

const Kernels *const built[] = {
#if defined(__x86_64__)
    &avx512Kernels,
    &avx2Kernels,
#endif
    &baseKernels,
};

const Kernels *choose() {
  if (const char *name = std::getenv("MROPE_ISA")) {
    if (const Kernels *named = kernelsNamed(name)) return named;
  }
  for (const Kernels *kernels : built) {
    if (kernels->supported()) return kernels;
  }
  return &baseKernels;
}

std::atomic<const Kernels *> &chosen() {
  static std::atomic<const Kernels *> kernels{choose()};
  return kernels;
}

}  // namespace

const Kernels *kernelsNamed(const char *name) {
  for (const Kernels *kernels : built) {
    if (std::strcmp(kernels->name, name) == 0 && kernels->supported()) return kernels;
  }
  return nullptr;
}

const Kernels &kernels() { return *chosen().load(std::memory_order_relaxed); }

bool useKernels(const char *name) {
  const Kernels *named = kernelsNamed(name);
  if (named) chosen().store(named, std::memory_order_relaxed);
  return named != nullptr;
}

const char *kernelNames() {
  static const std::string names = [] {
    std::string list;
    for (const Kernels *kernels : built) {
      if (kernels->supported()) list += (list.empty() ? "" : ",") + std::string(kernels->name);
    }
    return list;
  }();
  return names.c_str();
}

}  // namespace mrope::cpu
