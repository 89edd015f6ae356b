#pragma once

// What a compiled kernel library and the executor know of each other. A library has no undefined symbols of the
// executor: it exports msl_library(), and calls back through the Runtime that the executor puts into it. So any number of
// libraries and any way of loading the executor (a Node addon is loaded with RTLD_LOCAL) work.

#include <cstddef>
#include <cstdint>

namespace msl {

inline constexpr int abiVersion = 1;
inline constexpr int simdWidth = 32;
inline constexpr int maxThreads = 1024;
inline constexpr int maxBindings = 31;
inline constexpr std::size_t maxExchange = 64;  // bytes a lane may hand to the others in one simdgroup operation

/** Built-in values of a running thread, named as MSL's attributes. */
struct ThreadContext {
  std::uint32_t thread_position_in_grid[3];
  std::uint32_t thread_position_in_threadgroup[3];
  std::uint32_t threadgroup_position_in_grid[3];
  std::uint32_t threads_per_threadgroup[3];
  std::uint32_t dispatch_threads_per_threadgroup[3];
  std::uint32_t threadgroups_per_grid[3];
  std::uint32_t threads_per_grid[3];
  std::uint32_t thread_index_in_threadgroup;
  std::uint32_t thread_index_in_simdgroup;
  std::uint32_t simdgroup_index_in_threadgroup;
  std::uint32_t simdgroups_per_threadgroup;
  std::uint32_t dispatch_simdgroups_per_threadgroup;
  std::uint32_t threads_per_simdgroup;
};

enum class SimdOp : int { Barrier, Exchange, Vote, Multiply };

/** Kernel to executor. */
struct Runtime {
  ThreadContext *thread;            // the running one
  void *const *threadgroup;         // memory of the threadgroup variables, by identifier
  struct {
    std::uint64_t sin, cos, exp, log, pow, sqrt;
  } calls;

  void (*barrier)(int flags, const char *file, int line);
  void (*simdBarrier)(int flags, const char *file, int line);
  // Gives `size` bytes to the other lanes and waits for theirs: 32 slots of maxExchange bytes, valid until the lane's
  // next but one operation. `active` gets a bit for every lane that took part.
  const char *(*exchange)(const void *in, unsigned size, SimdOp kind, const char *file, int line,
                          std::uint32_t *active);

  // Strict lane: every access of memory that another thread could see, before it happens.
  void (*read)(std::uintptr_t address, std::size_t bytes, const void *site);
  void (*write)(std::uintptr_t address, std::size_t bytes, const void *site);
  void (*atomic)(std::uintptr_t address, std::size_t bytes, const void *site);
};

/** Kernel arguments of one launch. */
struct Arguments {
  void *buffers[maxBindings];
  void *threadgroup[maxBindings];
};

struct Parameter {
  enum class Kind : int { Buffer, Threadgroup, Builtin };
  Kind kind;
  int index;                        // of Buffer and Threadgroup
  const char *name;
  const char *type;
  bool constant;                    // address space `constant`
  bool writable;
  std::size_t elementBytes, alignment;
  const std::uint32_t ThreadContext::*scalar;      // Builtin: one of the two
  const std::uint32_t (ThreadContext::*vector)[3];
};

// What a library registers while it is loaded: linked lists, newest first.

struct EntryPoint {
  const char *name;
  const void *function;             // identifies the instance; ThreadgroupVariable::kernel is the same
  void (*call)(const Arguments &);
  const Parameter *parameters;
  int count;
  std::uint32_t threadLimit;
  const EntryPoint *next;
};

struct ThreadgroupVariable {
  const void *kernel;
  int identifier;                   // of the declaration, index into Runtime::threadgroup
  std::size_t bytes, alignment;
  const char *name;
  const ThreadgroupVariable *next;
};

struct FunctionConstant {
  void *value;
  std::size_t bytes;
  bool *defined;
  int index;
  const char *name, *type;
  bool optional;                    // the source asks is_function_constant_defined()
  const FunctionConstant *next;
};

/** A program-scope constant computed from function constants; evaluated in order of `rank` before a launch. */
struct DerivedConstant {
  void (*compute)();
  int rank;
  const DerivedConstant *next;
};

struct CallCounter {
  const char *name;
  std::uint64_t count;
  CallCounter *next;
};

struct LibraryTable {
  int version;
  const char *lane;
  const Runtime **runtime;          // where the executor puts its Runtime
  const EntryPoint *entryPoints;
  const ThreadgroupVariable *threadgroupVariables;
  const FunctionConstant *functionConstants;
  const DerivedConstant *derivedConstants;
  CallCounter *callCounters;
};

}  // namespace msl
