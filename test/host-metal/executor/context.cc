#include "context.h"

namespace mrope::metal_host {

#if defined(__x86_64__) && !defined(MROPE_PORTABLE_CONTEXT)

extern "C" void mropeSwitchStack(void **from, void *to);
asm(R"(
  .text
  .hidden mropeSwitchStack
  .type mropeSwitchStack, @function
mropeSwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size mropeSwitchStack, .-mropeSwitchStack
)");

void prepareContext(Context &context, void *stack, std::size_t bytes, void (*entry)()) {
  void **top = reinterpret_cast<void **>(static_cast<char *>(stack) + bytes - 64);
  *--top = nullptr;  // where entry would return to; it keeps the stack aligned as after a call
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  context.stackPointer = top;
}

void switchContext(Context &from, Context &to) { mropeSwitchStack(&from.stackPointer, to.stackPointer); }

#else  // any other processor: slower by two system calls a switch

void prepareContext(Context &context, void *stack, std::size_t bytes, void (*entry)()) {
  getcontext(&context.saved);
  context.saved.uc_stack.ss_sp = stack;
  context.saved.uc_stack.ss_size = bytes;
  context.saved.uc_link = nullptr;
  makecontext(&context.saved, entry, 0);
}

void switchContext(Context &from, Context &to) { swapcontext(&from.saved, &to.saved); }

#endif

}  // namespace mrope::metal_host
