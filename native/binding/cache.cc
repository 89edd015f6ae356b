#include "../core/cache.h"

#include <cstring>
#include <utility>

#include "../core/check.h"
#include "attend.h"
#include "operations.h"

namespace mrope::binding {
namespace {

constexpr napi_type_tag cacheTag = {0x6d726f70652d6b76, 0x2d63616368652d31};

using SharedCache = std::shared_ptr<KvCache>;

/** The cache behind a handle; an error where it is none or was disposed. */
SharedCache cacheOf(Call &call) {
  bool is = false;
  void *data = nullptr;
  if (!call.ok()) return nullptr;
  if (!call.isObject(0) || napi_check_object_type_tag(call.env, call.arg(0), &cacheTag, &is) != napi_ok || !is ||
      napi_unwrap(call.env, call.arg(0), &data) != napi_ok) {
    call.fail(Status::type(code::argument, call.text("cache", "must be a handle of cacheCreate")));
    return nullptr;
  }
  SharedCache cache = *static_cast<SharedCache *>(data);
  if (cache->isOpen()) return cache;
  call.fail(Status::range(code::state, call.text("cache", "was disposed")));
  return nullptr;
}

void adjustMemory(napi_env env, int64_t change) {
  int64_t now = 0;
  napi_adjust_external_memory(env, change, &now);
}

Status busy() { return Status::range(code::state, "cache: other work on it is not finished"); }

/** Work on a cache: it claims the cache before it runs. */
class CacheWork : public Job {
 public:
  CacheWork(SharedCache cache, bool writes) : cache(std::move(cache)), writes_(writes) {}

  Status begin() override {
    claimed_ = writes_ ? cache->beginWrite() : cache->beginRead();
    return claimed_ ? Status() : busy();
  }
  void end(bool done) override {
    if (done) finish();
    if (writes_) cache->endWrite();
    else cache->endRead();
  }

  SharedCache cache;

 protected:
  virtual void finish() {}

 private:
  bool writes_, claimed_ = false;
};

class AppendWork : public CacheWork {
 public:
  explicit AppendWork(SharedCache cache) : CacheWork(std::move(cache), true) {}
  Rotate keys, values;

  cpu::Outcome run(const cpu::Run &run) override {
    const cpu::Outcome outcome = cpu::rotate(keys, run);
    return outcome == cpu::Outcome::Done ? cpu::rotate(values, run) : outcome;
  }

 protected:
  // A token counts once it is there in whole.
  void finish() override { cache->setLength(cache->length() + keys.x.tokens); }
};

class RerotateWork : public CacheWork {
 public:
  explicit RerotateWork(SharedCache cache) : CacheWork(std::move(cache), true) {}
  Rotate keys;
  cpu::Outcome run(const cpu::Run &run) override { return cpu::rotate(keys, run); }
};

/** Rotates and appends the next tokens and attends from them, or leaves the cache as it was. */
class StepWork : public AppendWork {
 public:
  using AppendWork::AppendWork;
  AttendJobData data;
  cpu::Outcome run(const cpu::Run &run) override {
    const cpu::Outcome outcome = AppendWork::run(run);
    return outcome == cpu::Outcome::Done ? cpu::attend(data.a, run) : outcome;
  }
};

/** Closes the gap of dropped tokens and turns the keys that moved. */
class DropWork : public CacheWork {
 public:
  explicit DropWork(SharedCache cache) : CacheWork(std::move(cache), true) {}
  int64_t from = 0, count = 0;
  Rotate keys;

  cpu::Outcome run(const cpu::Run &run) override {
    const int64_t moved = keys.x.tokens;
    const Tensor k = cache->keys(from + count, moved), v = cache->values(from + count, moved);
    std::memmove(keys.x.data, k.data, std::size_t(k.elements() * bytesOf(k.type)));
    std::memmove(cache->values(from, moved).data, v.data, std::size_t(v.elements() * bytesOf(v.type)));
    // From here on there is no way back, so it is not stopped.
    return keys.table.pairs == 0 ? cpu::Outcome::Done : cpu::rotate(keys, {run.pool, run.busy, nullptr});
  }

 protected:
  void finish() override { cache->setLength(cache->length() - count); }
};

class CachedAttend : public CacheWork {
 public:
  explicit CachedAttend(SharedCache cache) : CacheWork(std::move(cache), false) {}
  AttendJobData data;
  cpu::Outcome run(const cpu::Run &run) override { return cpu::attend(data.a, run); }
};

/** A rotation without pairs: a copy that converts. */
Table noTurn(int64_t tokens) { return {nullptr, nullptr, 1, tokens, 0, false}; }

/** From here on the cache's fields are looked at, so no other work may be changing it. */
bool idle(Call &call, const SharedCache &cache) {
  if (!cache || !call.ok()) return false;
  if (!cache->beginWrite()) {
    call.fail(busy());
    return false;
  }
  cache->endWrite();
  return true;
}

bool fits(Call &call, const KvCache &cache, int64_t tokens) {
  if (call.ok() && (tokens < 0 || tokens > cache.capacity() - cache.length())) {
    call.fail(Status::range(code::capacity, "cache: it holds " + std::to_string(cache.length()) + " of " +
                                                std::to_string(cache.capacity()) + " tokens, " +
                                                std::to_string(tokens) + " more do not fit"));
  }
  return call.ok();
}

/** The incoming k and v, arguments `at` and `at` + 1, and their places in the cache. */
void readTokens(Call &call, AppendWork &work, std::size_t at, int64_t tokens, DType kType, DType vType) {
  KvCache &cache = *work.cache;
  work.keys.out = cache.keys(cache.length(), tokens);
  work.values.out = cache.values(cache.length(), tokens);
  work.keys.x = call.tensor(at, "k", kType, tokens, work.keys.out.heads, work.keys.out.dim);
  work.values.x = call.tensor(at + 1, "v", vType, tokens, work.values.out.heads, work.values.out.dim);
  work.values.table = work.keys.table = noTurn(tokens);
}

void readAppend(Call &call, AppendWork &work) {
  namespace place = appendAt;
  const double *params = call.params(1, place::count);
  if (!call.ok() || !idle(call, work.cache)) return;
  KvCache &cache = *work.cache;
  const int64_t tokens = call.whole(params, place::tokens), flags = call.whole(params, place::flags);
  if (!fits(call, cache, tokens)) return;
  readTokens(call, work, 2, tokens, call.dtype(params, place::kType), call.dtype(params, place::vType));
  const Tensor &k = work.keys.out;
  if (!call.missing(4)) {
    work.keys.table = readTable(call, 4, call.whole(params, place::tableHeads), tokens,
                                call.whole(params, place::pairs), flags & flag::adjacent);
  }
  work.keys.norm = {call.array<float>(6, "kNorm", napi_float32_array, k.dim, true), params[place::eps],
                    (flags & flag::kNormAfter) != 0};
  if (call.ok()) call.fail(check(work.keys));
  if (call.ok()) call.fail(check(work.values));
}

void readStep(Call &call, StepWork &work) {
  namespace place = attendAt;
  const double *params = call.params(1, place::count);
  if (!call.ok() || !idle(call, work.cache)) return;
  KvCache &cache = *work.cache;
  const int64_t tokens = call.whole(params, place::queries);
  if (!fits(call, cache, tokens)) return;
  readTokens(call, work, 3, tokens, call.dtype(params, place::kType), call.dtype(params, place::vType));
  const int64_t all = cache.length() + tokens;
  readAttend(call, 1, true, cache.keys(0, all), cache.values(0, all), work.data, 2);
  if (!call.ok()) return;
  // Keys are normed and rotated on the way into the cache, by the rows of the queries.
  Attend &a = work.data.a;
  work.keys.norm = std::exchange(a.kNorm, {});
  if (a.rotateQ) work.keys.table = a.table;
  call.fail(check(work.keys));
  if (call.ok()) call.fail(check(work.values));
}

void readDrop(Call &call, DropWork &work) {
  namespace place = dropAt;
  const double *params = call.params(1, place::count);
  if (!call.ok() || !idle(call, work.cache)) return;
  KvCache &cache = *work.cache;
  const int64_t from = call.whole(params, place::from), count = call.whole(params, place::tokens);
  if (call.ok() && (from < 0 || count < 0 || from > cache.length() || count > cache.length() - from)) {
    call.fail(Status::range(code::shape, "cache: tokens " + std::to_string(from) + " … " +
                                             std::to_string(double(from) + double(count)) + " of " +
                                             std::to_string(cache.length()) + " are not there"));
  }
  if (!call.ok()) return;
  work.from = from;
  work.count = count;
  const int64_t moved = cache.length() - from - count;
  work.keys.x = work.keys.out = cache.keys(from, moved);
  work.keys.table = noTurn(moved);
  if (!call.missing(2)) {
    work.keys.table = readTable(call, 2, call.whole(params, place::tableHeads), moved, call.whole(params, place::pairs),
                                call.whole(params, place::flags) & flag::adjacent);
  }
  if (call.ok()) call.fail(check(work.keys));
}

void readRerotate(Call &call, RerotateWork &work) {
  namespace place = rerotateAt;
  const double *params = call.params(1, place::count);
  if (!call.ok() || !idle(call, work.cache)) return;
  KvCache &cache = *work.cache;
  const int64_t from = call.whole(params, place::from), tokens = call.whole(params, place::tokens);
  if (call.ok() && (from < 0 || tokens < 0 || from > cache.length() || tokens > cache.length() - from)) {
    call.fail(Status::range(code::shape, "cache: tokens " + std::to_string(from) + " … " +
                                             std::to_string(double(from) + double(tokens)) + " of " +
                                             std::to_string(cache.length()) + " are not there"));
  }
  if (!call.ok()) return;
  const int64_t flags = call.whole(params, place::flags);
  work.keys.x = work.keys.out = cache.keys(from, tokens);
  work.keys.table = readTable(call, 2, call.whole(params, place::tableHeads), tokens, call.whole(params, place::pairs),
                              flags & flag::adjacent);
  work.keys.inverse = flags & flag::inverse;
  if (call.ok()) call.fail(check(work.keys));
}

void readCachedAttend(Call &call, CachedAttend &work) {
  if (!work.cache || !call.ok()) return;
  KvCache &cache = *work.cache;
  const int64_t tokens = cache.length();
  readAttend(call, 1, true, cache.keys(0, tokens), cache.values(0, tokens), work.data);
}

template <class Work, void (*read)(Call &, Work &)>
napi_value now(Call &call) {
  Work work(cacheOf(call));
  read(call, work);
  return runNow(call, work);
}

template <class Work, void (*read)(Call &, Work &)>
napi_value later(Call &call, std::size_t abortAt) {
  auto work = std::make_unique<Work>(cacheOf(call));
  read(call, *work);
  return runLater(call, std::move(work), abortAt);
}

}  // namespace

napi_value cacheCreate(Call &call) {
  namespace place = cacheAt;
  const double *params = call.params(0, place::count);
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  auto cache = std::make_shared<KvCache>();
  const DType type = call.dtype(params, place::type);
  const int64_t kvHeads = call.whole(params, place::kvHeads), headDim = call.whole(params, place::headDim);
  const int64_t valueDim = call.whole(params, place::valueDim), capacity = call.whole(params, place::capacity);
  if (call.ok()) call.fail(cache->open(type, kvHeads, headDim, valueDim, capacity));
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  napi_value handle = nullptr;
  if (napi_create_object(call.env, &handle) != napi_ok) return nullptr;
  const auto drop = [](napi_env env, void *data, void *) {
    auto *held = static_cast<SharedCache *>(data);
    adjustMemory(env, -(*held)->bytes());
    delete held;
  };
  auto held = std::make_unique<SharedCache>(cache);
  if (napi_wrap(call.env, handle, held.get(), drop, nullptr, nullptr) != napi_ok) return nullptr;
  (void)held.release();
  napi_type_tag_object(call.env, handle, &cacheTag);
  adjustMemory(call.env, cache->bytes());
  return handle;
}

napi_value cacheLength(Call &call) {
  napi_value length = nullptr;
  if (const SharedCache cache = cacheOf(call)) {
    napi_create_double(call.env, double(cache->length()), &length);
  } else {
    throwStatus(call.env, call.status());
  }
  return length;
}

napi_value cacheTruncate(Call &call) {
  const SharedCache cache = cacheOf(call);
  if (idle(call, cache)) {
    double length = -1;
    napi_get_value_double(call.env, call.arg(1), &length);
    if (length >= 0 && length <= double(cache->length()) && length == std::floor(length)) {
      cache->setLength(int64_t(length));
    } else {
      call.fail(Status::range(code::argument, call.text("length", "must be 0 … ") + std::to_string(cache->length())));
    }
  }
  if (!call.ok()) throwStatus(call.env, call.status());
  return nullptr;
}

napi_value cacheDispose(Call &call) {
  const SharedCache cache = cacheOf(call);
  if (idle(call, cache)) {
    adjustMemory(call.env, -cache->bytes());
    cache->close();
  }
  if (!call.ok()) throwStatus(call.env, call.status());
  return nullptr;
}

napi_value cacheRead(Call &call) {
  namespace place = readAt;
  const SharedCache cache = cacheOf(call);
  const double *params = call.params(1, place::count);
  Rotate keys, values;
  if (call.ok() && idle(call, cache)) {
    const int64_t from = call.whole(params, place::from), tokens = call.whole(params, place::tokens);
    if (call.ok() && (from < 0 || tokens < 0 || from > cache->length() || tokens > cache->length() - from)) {
      call.fail(Status::range(code::shape, call.text("params", "names tokens that are not in the cache")));
    }
    if (call.ok()) {
      keys.x = cache->keys(from, tokens);
      values.x = cache->values(from, tokens);
      keys.out = call.tensor(2, "k", call.dtype(params, place::kType), tokens, keys.x.heads, keys.x.dim);
      values.out = call.tensor(3, "v", call.dtype(params, place::vType), tokens, values.x.heads, values.x.dim);
      keys.table = values.table = noTurn(tokens);
    }
    if (call.ok()) call.fail(check(keys));
    if (call.ok()) call.fail(check(values));
  }
  if (!call.ok()) return throwStatus(call.env, call.status()), nullptr;
  const cpu::Run run = {(*call.addon)->pool.get(), ThreadPool::Busy::GoAlone, nullptr};
  (void)cpu::rotate(keys, run);
  (void)cpu::rotate(values, run);
  return nullptr;
}

napi_value cacheAppendSync(Call &call) { return now<AppendWork, readAppend>(call); }
napi_value cacheAppend(Call &call) { return later<AppendWork, readAppend>(call, 7); }
napi_value cacheStepSync(Call &call) { return now<StepWork, readStep>(call); }
napi_value cacheStep(Call &call) { return later<StepWork, readStep>(call, 14); }
napi_value cacheDropSync(Call &call) { return now<DropWork, readDrop>(call); }
napi_value cacheDrop(Call &call) { return later<DropWork, readDrop>(call, 4); }
napi_value cacheRerotateSync(Call &call) { return now<RerotateWork, readRerotate>(call); }
napi_value cacheRerotate(Call &call) { return later<RerotateWork, readRerotate>(call, 4); }
napi_value cacheAttendSync(Call &call) { return now<CachedAttend, readCachedAttend>(call); }
napi_value cacheAttend(Call &call) { return later<CachedAttend, readCachedAttend>(call, 11); }

}  // namespace mrope::binding
