#include "work.h"

#include <exception>
#include <new>
#include <utility>

namespace mrope::binding {
namespace {

constexpr napi_type_tag abortTag = {0x6d726f70652d6162, 0x6f72742d666c6167};

/** Work under way. Made and deleted on the thread of its environment. */
struct Task {
  std::shared_ptr<Addon> addon;
  std::unique_ptr<Job> job;
  std::shared_ptr<AbortFlag> abort;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  /** An array of the arguments. */
  napi_ref kept = nullptr;
  /** Where the memory of the arguments was. */
  std::vector<std::pair<uint32_t, void *>> memory;
  cpu::Outcome outcome = cpu::Outcome::Aborted;
  bool failed = false;
};

std::shared_ptr<AbortFlag> *abortOf(const Call &call, std::size_t at) {
  bool is = false;
  void *data = nullptr;
  if (!call.isObject(at)) return nullptr;
  const napi_env env = call.env;
  const napi_value handle = call.arg(at);
  if (napi_check_object_type_tag(env, handle, &abortTag, &is) != napi_ok || !is) return nullptr;
  if (napi_unwrap(env, handle, &data) != napi_ok) return nullptr;
  return static_cast<std::shared_ptr<AbortFlag> *>(data);
}

/** Memory that can shrink under the work must not be read by another thread. */
bool isResizable(Call &call, napi_value buffer) {
  bool isBuffer = false;
  if (!(*call.addon)->resizable || napi_is_arraybuffer(call.env, buffer, &isBuffer) != napi_ok || !isBuffer) {
    return false;
  }
  napi_value getter = nullptr, result = nullptr;
  bool resizable = false;
  napi_get_reference_value(call.env, (*call.addon)->resizable, &getter);
  if (napi_call_function(call.env, buffer, getter, 0, nullptr, &result) != napi_ok) return true;
  napi_get_value_bool(call.env, result, &resizable);
  return resizable;
}

void execute(napi_env, void *data) {
  Task &task = *static_cast<Task *>(data);
  try {
    task.outcome = task.job->run({task.addon->pool.get(), ThreadPool::Busy::Wait, task.abort.get()});
  } catch (...) {
    task.failed = true;
  }
}

/** Whether the memory of every argument is where it was. */
bool memoryStayed(napi_env env, const Task &task) {
  napi_value kept = nullptr;
  if (napi_get_reference_value(env, task.kept, &kept) != napi_ok) return true;
  for (const auto &[place, was] : task.memory) {
    napi_value value = nullptr;
    void *data = nullptr;
    if (napi_get_element(env, kept, place, &value) != napi_ok) return true;
    if (napi_get_typedarray_info(env, value, nullptr, nullptr, &data, nullptr, nullptr) != napi_ok) return true;
    if (data != was) return false;
  }
  return true;
}

void complete(napi_env env, napi_status status, void *data) {
  const std::unique_ptr<Task> task(static_cast<Task *>(data));
  task->addon->running.erase(task->abort);
  const bool done = status == napi_ok && !task->failed && task->outcome == cpu::Outcome::Done;
  const Status failure = task->job->failure();
  task->job->end(done);
  // The environment may be ending: then these calls fail, and nobody waits for the promise.
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) == napi_ok) {
    Status error;
    if (task->failed) error = Status::range(code::state, "the work failed");
    if (task->outcome == cpu::Outcome::NoMemory) error = outOfMemory("the work", 0);
    if (!failure.ok()) error = failure;
    if (!memoryStayed(env, *task)) {
      error = Status::range(code::state, "the memory of an argument went away while the work was running");
    }
    napi_value value = nullptr;
    if (error.ok()) {
      if (napi_get_boolean(env, done, &value) == napi_ok) napi_resolve_deferred(env, task->deferred, value);
    } else if ((value = errorOf(env, error))) {
      napi_reject_deferred(env, task->deferred, value);
    }
    napi_close_handle_scope(env, scope);
  }
  napi_delete_reference(env, task->kept);
  napi_delete_async_work(env, task->work);
}

}  // namespace

napi_value runNow(Call &call, Job &job) {
  Status status = call.status();
  if (status.ok()) status = job.begin();
  if (status.ok()) {
    cpu::Outcome outcome = cpu::Outcome::NoMemory;
    try {
      outcome = job.run({(*call.addon)->pool.get(), ThreadPool::Busy::GoAlone, nullptr});
    } catch (const std::exception &error) {
      status = Status::range(code::state, std::string(call.name()) + ": " + error.what());
    }
    job.end(status.ok() && outcome == cpu::Outcome::Done);
    if (status.ok() && outcome == cpu::Outcome::NoMemory) status = outOfMemory(call.name(), 0);
    if (status.ok()) status = job.failure();
  }
  if (!status.ok()) throwStatus(call.env, status);
  return nullptr;
}

napi_value runLater(Call &call, std::unique_ptr<Job> job, std::size_t abortAt) {
  const napi_env env = call.env;
  auto task = std::make_unique<Task>();
  if (!call.missing(abortAt)) {
    if (auto *flag = abortOf(call, abortAt)) {
      task->abort = *flag;
    } else {
      call.fail(Status::type(code::argument, call.text("abort", "must be a handle of createAbort")));
    }
  }
  if (!task->abort) task->abort = std::make_shared<AbortFlag>(false);
  napi_value kept = nullptr, promise = nullptr, name = nullptr;
  napi_create_array_with_length(env, call.given(), &kept);
  for (uint32_t i = 0; i < call.given() && call.ok(); i++) {
    bool is = false;
    napi_is_typedarray(env, call.arg(i), &is);
    napi_set_element(env, kept, i, call.arg(i));
    if (!is) continue;
    const View view = call.view(i, "an argument");
    if (isResizable(call, view.buffer)) {
      call.fail(Status::type(code::argument, call.text("an argument", "is on a resizable ArrayBuffer, which work on "
                                                                      "another thread cannot read")));
    }
    task->memory.emplace_back(i, view.data);
  }
  Status status = call.status();
  if (status.ok()) status = job->begin();
  if (!status.ok()) {
    throwStatus(env, status);
    return nullptr;
  }
  task->addon = *call.addon;
  task->job = std::move(job);
  napi_create_string_utf8(env, call.name(), NAPI_AUTO_LENGTH, &name);
  const bool queued = napi_create_promise(env, &task->deferred, &promise) == napi_ok &&
                      napi_create_reference(env, kept, 1, &task->kept) == napi_ok &&
                      napi_create_async_work(env, nullptr, name, execute, complete, task.get(), &task->work) == napi_ok;
  if (!queued || napi_queue_async_work(env, task->work) != napi_ok) {
    task->job->end(false);
    throwStatus(env, Status::range(code::state, call.text("the environment", "takes no more work")));
    return nullptr;
  }
  task->addon->running.insert(task->abort);
  (void)task.release();
  return promise;
}

napi_value createAbort(napi_env env, napi_callback_info) {
  napi_value handle = nullptr;
  auto flag = std::make_unique<std::shared_ptr<AbortFlag>>(std::make_shared<AbortFlag>(false));
  if (napi_create_object(env, &handle) != napi_ok) return nullptr;
  const auto drop = [](napi_env, void *data, void *) { delete static_cast<std::shared_ptr<AbortFlag> *>(data); };
  if (napi_wrap(env, handle, flag.get(), drop, nullptr, nullptr) != napi_ok) return nullptr;
  (void)flag.release();
  napi_type_tag_object(env, handle, &abortTag);
  return handle;
}

napi_value raiseAbort(napi_env env, napi_callback_info info) {
  Call call(env, info, "abort");
  if (auto *flag = abortOf(call, 0)) {
    (*flag)->store(true, std::memory_order_relaxed);
  } else {
    throwStatus(env, Status::type(code::argument, "abort: the handle must be of createAbort"));
  }
  return nullptr;
}

}  // namespace mrope::binding
