#pragma once

#include <memory>
#include <vector>

#include "../cpu/cpu.h"
#include "call.h"

namespace mrope::binding {

/** One checked operation. It may run on any thread; begin and end run on the thread of its environment. */
class Job {
 public:
  virtual ~Job() = default;
  /** Last check and claim before the work; the work does not run where it fails. */
  virtual Status begin() { return {}; }
  virtual cpu::Outcome run(const cpu::Run &) = 0;
  /** Why `run` did not get done, where there is more to say than its outcome. */
  virtual Status failure() const { return {}; }
  /** Called once after a begin that succeeded. */
  virtual void end(bool done) { (void)done; }
};

/** Runs a job on the calling thread and the pool. Gives undefined, or throws. */
napi_value runNow(Call &call, Job &job);

/**
 * Runs a job on a thread of libuv and the pool. Gives a promise of true, or of false where the work was aborted.
 * All arguments are kept alive until then. `abortAt` is the argument with the abort handle.
 */
napi_value runLater(Call &call, std::unique_ptr<Job> job, std::size_t abortAt);

/** createAbort(): a handle for the `abort` argument; abort(handle) raises it. */
napi_value createAbort(napi_env env, napi_callback_info info);
napi_value raiseAbort(napi_env env, napi_callback_info info);

}  // namespace mrope::binding
