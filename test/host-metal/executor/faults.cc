#include "faults.h"

#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace mrope::metal_host {

namespace {

constexpr std::size_t stackBytes = 64 * 1024;
FaultGuard *current = nullptr;

int threadId() { return static_cast<int>(syscall(SYS_gettid)); }
int timerSignal() { return SIGRTMIN + 3; }

std::uintptr_t programCounter(void *context) {
  const auto *machine = &static_cast<ucontext_t *>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine->gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<std::uintptr_t>(machine->pc);
#else
#error "say where the program counter is"
#endif
}

}  // namespace

FaultGuard::FaultGuard(std::vector<Range> code, double cpuSeconds)
    : code_(std::move(code)), thread_(threadId()), stack_(std::malloc(stackBytes)) {
  current = this;
  stack_t mine{};
  mine.ss_sp = stack_;
  mine.ss_size = stackBytes;
  sigaltstack(&mine, &previousStack_);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, timerSignal()}) {
    struct sigaction action {};
    struct sigaction before {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, &before) == 0) previous_.push_back({signal, before});
  }
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = timerSignal();
#ifdef sigev_notify_thread_id
  event.sigev_notify_thread_id = thread_;
#else
  event._sigev_un._tid = thread_;
#endif
  timed_ = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) == 0;
  setTimer(cpuSeconds);
}

FaultGuard::~FaultGuard() {
  if (timed_) timer_delete(timer_);
  for (const auto &[signal, before] : previous_) sigaction(signal, &before, nullptr);
  sigaltstack(&previousStack_, nullptr);
  std::free(stack_);
  current = nullptr;
}

void FaultGuard::setTimer(double seconds) {
  if (!timed_ || seconds <= 0) return;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(seconds);
  when.it_value.tv_nsec = static_cast<long>((seconds - static_cast<double>(when.it_value.tv_sec)) * 1e9) + 1;
  timer_settime(timer_, 0, &when, nullptr);
}

bool FaultGuard::inKernel(std::uintptr_t site) const {
  for (const auto &[begin, end] : code_)
    if (site >= begin && site < end) return true;
  return false;
}

void FaultGuard::handle(int signal, siginfo_t *info, void *context) {
  FaultGuard *guard = current;
  if (guard == nullptr) return;
  const bool mine = guard->thread_ == threadId();
  if (signal == timerSignal()) {
    if (!mine) return;
    guard->site = programCounter(context);
    // Not in the middle of the executor or of malloc: come again.
    if (!guard->inKernel(guard->site)) return guard->setTimer(0.001);
    guard->signal = SIGXCPU;
    siglongjmp(guard->jump, 1);
  }
  if (!mine) {
    for (const auto &[number, before] : guard->previous_) {
      if (number != signal) continue;
      if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context);
      if (before.sa_handler == SIG_IGN) return;
      if (before.sa_handler != SIG_DFL) return before.sa_handler(signal);
      sigaction(signal, &before, nullptr);  // and the instruction faults again
      return;
    }
  }
  guard->signal = signal;
  guard->address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  guard->site = programCounter(context);
  siglongjmp(guard->jump, 1);
}

}  // namespace mrope::metal_host
