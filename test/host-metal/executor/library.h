#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "abi.h"
#include "executor.h"

namespace mrope::metal_host {

struct Library::Image {
  void *handle = nullptr;
  std::string path, lane;
  const msl::LibraryTable *table = nullptr;
  std::vector<FunctionConstantInfo> constants;
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> segments;  // addresses of its code and data
  std::uintptr_t base = 0;

  ~Image();
  /** What is wrong with the value of a function constant; empty when nothing is. */
  std::string mismatch(const ConstantValue &value) const;
  bool strict() const { return lane == "strict"; }
};

struct Pipeline::State {
  std::shared_ptr<Library> library;
  Library::Image *image = nullptr;
  const msl::EntryPoint *entry = nullptr;
  std::string kernel;
  std::vector<ConstantValue> constants;
  std::vector<ParameterInfo> parameters;
  std::vector<const msl::ThreadgroupVariable *> variables;

  std::size_t threadgroupBytes() const;
};

}  // namespace mrope::metal_host
