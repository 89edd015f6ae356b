#pragma once

#include <mutex>

#include "library.h"
#include "pages.h"
#include "report.h"
#include "shadow.h"
#include "threads.h"

namespace mrope::metal_host {

/** The one GPU of the process: runs a launch at a time. */
class Machine {
 public:
  static Machine &instance();

  Stats launch(const Pipeline::State &pipeline, const Bindings &bindings, const Grid &grid,
               const LaunchOptions &options);

 private:
  Machine();

  void bind(const Bindings &bindings);
  void bindThreadgroup(const ParameterInfo &parameter, std::size_t bytes);
  void bindNothing(const ParameterInfo &parameter);
  /** Memory of this launch alone; null, and reported, when there is none. */
  Memory *own(std::size_t bytes, const std::string &name);
  void addRegion(Memory &memory, Region::Kind kind, const std::string &name, int index);
  void setConstants();
  void checkConstantRead(std::uintptr_t address);
  void run(const Grid &grid, const LaunchOptions &options);
  void blame(int signal, std::uintptr_t address, std::uintptr_t site);
  /** Lanes other than strict see no stores: whatever the kernel may have written counts as written. */
  void markStored(const Bindings &bindings);
  Stats collect();
  void clear();

  std::mutex busy_;
  msl::Runtime runtime_{};
  Report report_;
  Threads threads_;
  Shadow shadow_;
  GuardedPages unbound_;                              // where a parameter without a binding points to

  // Of the running launch:
  const Pipeline::State *pipeline_ = nullptr;
  msl::Arguments arguments_{};
  std::vector<Region> regions_;
  std::vector<std::shared_ptr<Memory>> owned_;
  std::vector<Memory *> threadgroup_;                 // poisoned before every threadgroup
  std::vector<void *> variables_;                     // by identifier
  std::vector<const msl::FunctionConstant *> undefined_;
  std::vector<std::uint32_t> order_;                  // of the threadgroups
  std::size_t threadgroupBytes_ = 0;
};

}  // namespace mrope::metal_host
