#pragma once

#include <memory>
#include <mutex>
#include <set>

#include "../core/pool.h"
#include "../core/status.h"
#include "napi.h"

namespace mrope::binding {

/** What one environment (the main thread or a worker, one copy of the addon) holds. */
struct Addon {
  std::shared_ptr<ThreadPool> pool = ThreadPool::acquire();
  /** Abort flags of the work under way, raised when the environment ends. */
  std::set<std::shared_ptr<AbortFlag>> running;
  /** The getter of ArrayBuffer.prototype.resizable, taken before anyone could replace it; null on engines without. */
  napi_ref resizable = nullptr;
};

/** Adds every function of the binding to the exports. */
void registerAll(napi_env env, napi_value exports, const std::shared_ptr<Addon> &addon);

/** Throws a status as TypeError or RangeError with its code; what was thrown before stays. */
void throwStatus(napi_env env, const Status &status);
napi_value errorOf(napi_env env, const Status &status);

}  // namespace mrope::binding
