#pragma once

#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <utility>
#include <vector>

namespace mrope::metal_host {

/**
 * Turns signals that a kernel causes on this thread, and the end of its processor time, into a jump:
 *
 *   FaultGuard guard(code, seconds);
 *   if (sigsetjmp(guard.jump, 1) == 0) run(); else blame(guard.signal, guard.address);
 *
 * The handlers are those of the process while a guard lives (a launch holds the lock of the executor); signals that are
 * not the kernel's go to the handlers that were there before.
 */
class FaultGuard {
 public:
  using Range = std::pair<std::uintptr_t, std::uintptr_t>;

  /** `code`: addresses of the kernel's machine code, where its time may run out. */
  FaultGuard(std::vector<Range> code, double cpuSeconds);
  ~FaultGuard();
  FaultGuard(const FaultGuard &) = delete;
  FaultGuard &operator=(const FaultGuard &) = delete;

  sigjmp_buf jump;
  volatile int signal = 0;                  // SIGXCPU: out of time
  volatile std::uintptr_t address = 0;      // that was touched
  volatile std::uintptr_t site = 0;         // of the instruction

 private:
  static void handle(int signal, siginfo_t *info, void *context);
  bool inKernel(std::uintptr_t site) const;
  void setTimer(double seconds);

  std::vector<Range> code_;
  int thread_;
  timer_t timer_{};
  bool timed_ = false;
  stack_t previousStack_{};
  void *stack_;
  std::vector<std::pair<int, struct sigaction>> previous_;
};

}  // namespace mrope::metal_host
