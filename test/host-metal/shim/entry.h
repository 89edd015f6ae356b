#pragma once

// What rewritten sources register: entry points, threadgroup variables, function constants. The executor finds them
// through msl_library().

#include "vector.h"

namespace msl {

inline const EntryPoint *entryPoints = nullptr;
inline const ThreadgroupVariable *threadgroupVariables = nullptr;
inline const FunctionConstant *functionConstants = nullptr;
inline const DerivedConstant *derivedConstants = nullptr;
inline CallCounter *callCounters = nullptr;

template <class Node, class List>
inline bool enlist(Node &node, List &list) {
  node.next = list;
  list = &node;
  return true;
}

/** A string as a template argument. */
template <std::size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&from)[N]) {
    for (std::size_t i = 0; i < N; i++) text[i] = from[i];
  }
};

/** Variable number `Identifier` of the threadgroup address space, declared in the kernel instance `Kernel`. */
template <auto Kernel, class T, int Identifier, Name Text>
struct Shared {
  static inline ThreadgroupVariable node{reinterpret_cast<const void *>(Kernel), Identifier, sizeof(T), alignof(T),
                                         Text.text};
  static inline const bool listed = enlist(node, threadgroupVariables);

  MSL_UNTRACKED static T &get() {
    (void)&listed;
    return *static_cast<T *>(runtime().threadgroup[Identifier]);
  }
};

/** What the rewriter knows of a parameter; the C++ type gives the rest. */
struct Declared {
  Parameter::Kind kind;
  int index;
  const char *name, *type;
  bool constant;
  const std::uint32_t ThreadContext::*scalar = nullptr;
  const std::uint32_t (ThreadContext::*vector)[3] = nullptr;
};

template <class P>
constexpr Parameter describe(const Declared &d) {
  using Element = std::remove_pointer_t<std::remove_reference_t<P>>;
  Parameter p{d.kind, d.index, d.name, d.type, d.constant, !std::is_const_v<Element>, 0, 1, d.scalar, d.vector};
  if constexpr (!std::is_void_v<Element>) {
    p.elementBytes = sizeof(Element);
    p.alignment = alignof(Element);
  }
  return p;
}

/** The argument of a parameter for the running thread. */
template <class P>
MSL_UNTRACKED inline P argument(const Parameter &p, const Arguments &arguments) {
  if constexpr (std::is_reference_v<P>) {
    return *static_cast<std::remove_reference_t<P> *>(arguments.buffers[p.index]);
  } else if constexpr (std::is_pointer_v<P>) {
    const bool shared = p.kind == Parameter::Kind::Threadgroup;
    return static_cast<P>(shared ? arguments.threadgroup[p.index] : arguments.buffers[p.index]);
  } else if constexpr (metal::Vector<P>) {
    P value;
    for (int i = 0; i < P::count; i++) value[i] = static_cast<typename P::element>((thread().*p.vector)[i]);
    return value;
  } else {
    return static_cast<P>(p.vector ? (thread().*p.vector)[0] : thread().*p.scalar);
  }
}

template <auto Kernel, const Declared *Parameters>
struct Entry;
template <class... P, void (*Kernel)(P...), const Declared *Parameters>
struct Entry<Kernel, Parameters> {
  static constexpr int count = sizeof...(P);

  template <std::size_t... I>
  static constexpr auto table(std::index_sequence<I...>) {
    struct {
      Parameter entries[count + 1];
    } t{{describe<P>(Parameters[I])..., Parameter{}}};
    return t;
  }
  static constexpr auto parameters = table(std::index_sequence_for<P...>{});

  template <std::size_t... I>
  MSL_UNTRACKED static void callWith(const Arguments &arguments, std::index_sequence<I...>) {
    Kernel(argument<P>(parameters.entries[I], arguments)...);
  }
  MSL_UNTRACKED static void call(const Arguments &arguments) { callWith(arguments, std::index_sequence_for<P...>{}); }

  EntryPoint node;
  Entry(const char *name, std::uint32_t threadLimit)
      : node{name, reinterpret_cast<const void *>(Kernel), &call, parameters.entries, count, threadLimit} {
    enlist(node, entryPoints);
  }
};

struct Constant {
  FunctionConstant node;
  template <class T>
  Constant(T &value, bool &defined, int index, const char *name, const char *type, bool optional)
      : node{&value, sizeof(T), &defined, index, name, type, optional} {
    enlist(node, functionConstants);
  }
};

struct Derived {
  DerivedConstant node;
  Derived(void (*compute)(), int rank) : node{compute, rank} { enlist(node, derivedConstants); }
};

struct Counted {
  CallCounter node;
  explicit Counted(const char *name) : node{name, 0} { enlist(node, callCounters); }
  MSL_UNTRACKED void call() { ++node.count; }
};

}  // namespace msl

#ifndef MSL_LANE
#define MSL_LANE "plain"
#endif

extern "C" __attribute__((visibility("default"), weak, used)) const msl::LibraryTable *msl_library() {
  static msl::LibraryTable table;
  table = {msl::abiVersion,          MSL_LANE,
           &msl::attached,           msl::entryPoints,
           msl::threadgroupVariables, msl::functionConstants,
           msl::derivedConstants,    msl::callCounters};
  return &table;
}
