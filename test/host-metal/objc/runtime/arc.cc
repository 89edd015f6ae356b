// What code built with ARC calls: autorelease pools, weak references, properties, @synchronized.
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "abi.h"

namespace objc {

/** The autoreleased objects of a thread; a pool is the place where it began. */
static std::vector<Object *> &pool() {
  static thread_local std::vector<Object *> objects;
  return objects;
}

using Places = std::unordered_set<Object **>;

static std::unordered_map<Object *, Places> &weak() {
  static auto *places = new std::unordered_map<Object *, Places>;
  return *places;
}

void clearWeak(Object *object) {
  const auto found = weak().find(object);
  if (found == weak().end()) return;
  for (Object **place : found->second) *place = nullptr;
  weak().erase(found);
}

static void forget(Object **place) {
  if (*place == nullptr) return;
  const auto found = weak().find(*place);
  if (found == weak().end()) return;
  found->second.erase(place);
  if (found->second.empty()) weak().erase(found);
}

}  // namespace objc

using namespace objc;

extern "C" {

Object *objc_retain(Object *);
void objc_release(Object *);
Object *objc_retainBlock(Object *);

void *objc_autoreleasePoolPush() { return reinterpret_cast<void *>(pool().size()); }

void objc_autoreleasePoolPop(void *begin) {
  while (pool().size() > reinterpret_cast<std::size_t>(begin)) {
    Object *object = pool().back();
    pool().pop_back();
    objc_release(object);
  }
}

Object *objc_autorelease(Object *object) {
  if (object != nullptr && !isImmortal(object)) pool().push_back(object);
  return object;
}

// The handshake by which a caller takes a result over without the pool is left out: the pool gives the same life times.
Object *objc_autoreleaseReturnValue(Object *object) { return objc_autorelease(object); }
Object *objc_retainAutorelease(Object *object) { return objc_autorelease(objc_retain(object)); }
Object *objc_retainAutoreleaseReturnValue(Object *object) { return objc_autorelease(objc_retain(object)); }
Object *objc_retainAutoreleasedReturnValue(Object *object) { return objc_retain(object); }
Object *objc_unsafeClaimAutoreleasedReturnValue(Object *object) { return object; }

Object *objc_storeWeak(Object **place, Object *object) {
  std::lock_guard guard(lock());
  forget(place);
  *place = object;
  if (object != nullptr && !isBlock(object) && !isImmortal(object)) weak()[object].insert(place);
  return object;
}

Object *objc_initWeak(Object **place, Object *object) {
  *place = nullptr;
  return objc_storeWeak(place, object);
}

void objc_destroyWeak(Object **place) { objc_storeWeak(place, nullptr); }

Object *objc_loadWeakRetained(Object **place) {
  std::lock_guard guard(lock());
  return objc_retain(*place);
}

Object *objc_loadWeak(Object **place) { return objc_autorelease(objc_loadWeakRetained(place)); }

void objc_copyWeak(Object **to, Object **from) {
  Object *object = objc_loadWeakRetained(from);
  objc_initWeak(to, object);
  objc_release(object);
}

void objc_moveWeak(Object **to, Object **from) {
  objc_copyWeak(to, from);
  objc_destroyWeak(from);
}

static Object **placeAt(Object *object, std::ptrdiff_t offset) {
  return reinterpret_cast<Object **>(reinterpret_cast<char *>(object) + offset);
}

Object *objc_getProperty(Object *object, Selector *, std::ptrdiff_t offset, bool) {
  std::lock_guard guard(lock());
  return objc_retainAutorelease(*placeAt(object, offset));
}

static Object *copyOf(Object *object) {
  if (object == nullptr || isBlock(object)) return objc_retainBlock(object);
  static Selector copy{unique("copy"), "@16@0:8"};
  return reinterpret_cast<Object *(*)(Object *, Selector *)>(findMethod(classOf(object), copy.name))(object, &copy);
}

static void setProperty(Object *object, std::ptrdiff_t offset, Object *value, bool copied) {
  value = copied ? copyOf(value) : objc_retain(value);
  Object *old;
  {
    std::lock_guard guard(lock());
    Object **place = placeAt(object, offset);
    old = *place;
    *place = value;
  }
  objc_release(old);
}

void objc_setProperty(Object *object, Selector *, std::ptrdiff_t offset, Object *value, bool, bool copied) {
  setProperty(object, offset, value, copied);
}
void objc_setProperty_atomic(Object *object, Selector *, Object *value, std::ptrdiff_t offset) {
  setProperty(object, offset, value, false);
}
void objc_setProperty_nonatomic(Object *object, Selector *, Object *value, std::ptrdiff_t offset) {
  setProperty(object, offset, value, false);
}
void objc_setProperty_atomic_copy(Object *object, Selector *, Object *value, std::ptrdiff_t offset) {
  setProperty(object, offset, value, true);
}
void objc_setProperty_nonatomic_copy(Object *object, Selector *, Object *value, std::ptrdiff_t offset) {
  setProperty(object, offset, value, true);
}

static std::recursive_mutex &monitor() {
  static auto *mutex = new std::recursive_mutex;
  return *mutex;
}

int objc_sync_enter(Object *) { return monitor().lock(), 0; }
int objc_sync_exit(Object *) { return monitor().unlock(), 0; }

}  // extern "C"
