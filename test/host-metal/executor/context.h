#pragma once

// A point of execution on a stack of its own, and the way from one to another.

#include <cstddef>

#if !defined(__x86_64__) || defined(MROPE_PORTABLE_CONTEXT)
#include <ucontext.h>
#endif

namespace mrope::metal_host {

#if defined(__x86_64__) && !defined(MROPE_PORTABLE_CONTEXT)

struct Context {
  void *stackPointer = nullptr;  // the callee-saved registers lie there
};

#else

struct Context {
  ucontext_t saved;
};

#endif

/** Makes `context` start with `entry` at the top of the stack. `entry` never returns. */
void prepareContext(Context &context, void *stack, std::size_t bytes, void (*entry)());

/** Saves this point into `from` and goes on at `to`. */
void switchContext(Context &from, Context &to);

}  // namespace mrope::metal_host
