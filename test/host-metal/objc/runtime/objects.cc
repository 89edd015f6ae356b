// Life of objects: allocation, retain counts, and how many of which class there are.
#include <Block.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>

#include "abi.h"
#include "objc-runtime.h"

// Classes of blocks, in libBlocksRuntime.
extern "C" void *_NSConcreteGlobalBlock[], *_NSConcreteStackBlock[], *_NSConcreteMallocBlock[];

namespace objc {

/** In front of every object. */
struct alignas(16) Header {
  long retainCount;
  std::uint64_t state;
};

constexpr std::uint64_t alive = 0x616c697665206f62;
constexpr std::uint64_t dead = 0x6465616420206f62;

/** So many freed objects are kept aside, so that a use after the last release is met as one. */
constexpr std::size_t quarantined = 1 << 14;

static Header &headerOf(const Object *object) {
  return *(reinterpret_cast<Header *>(const_cast<Object *>(object)) - 1);
}

static std::map<std::string, long> &live() {
  static auto *counts = new std::map<std::string, long>;
  return *counts;
}

bool isBlock(const Object *object) {
  if (isTinyString(object)) return false;
  const void *isa = object->isa;
  return isa == _NSConcreteGlobalBlock || isa == _NSConcreteStackBlock || isa == _NSConcreteMallocBlock;
}

bool isImmortal(const Object *object) {
  if (isTinyString(object) || (object->isa->info & info::metaclass) != 0) return true;
  static Class *constantString = findClass("NSConstantString");
  return object->isa == constantString;
}

static bool isCounted(const Object *object) { return !isBlock(object) && !isImmortal(object); }

void refuseDead(const Object *object, const char *what) {
  if (!isCounted(object) || headerOf(object).state != dead) return;
  const void *address = object;
  std::fprintf(stderr, "objc: %s to %s %p, which is gone\n", what, object->isa->name, address);
  std::abort();
}

/** Calls a method that clang adds for C++ members; the root's first when they are made, last when they go. */
static void construct(Class *cls, Object *object) {
  if (cls == nullptr) return;
  construct(cls->superclass, object);
  static const char *name = unique(".cxx_construct");
  for (MethodList *list = cls->methods; list != nullptr; list = list->next)
    for (int i = 0; i < list->count; i++)
      if (list->at(i).selector->name == name)
        reinterpret_cast<Object *(*)(Object *, Selector *)>(list->at(i).imp)(object, list->at(i).selector);
}

static void destruct(Class *cls, Object *object) {
  static const char *name = unique(".cxx_destruct");
  for (; cls != nullptr; cls = cls->superclass)
    for (MethodList *list = cls->methods; list != nullptr; list = list->next)
      for (int i = 0; i < list->count; i++)
        if (list->at(i).selector->name == name)
          reinterpret_cast<void (*)(Object *, Selector *)>(list->at(i).imp)(object, list->at(i).selector);
}

}  // namespace objc

using namespace objc;

extern "C" {

MropeObject objcAllocate(MropeClass of) {
  auto *cls = static_cast<Class *>(of);
  auto *header = static_cast<Header *>(std::aligned_alloc(16, sizeof(Header) + (cls->instanceSize + 15) / 16 * 16));
  if (header == nullptr) return nullptr;
  std::memset(static_cast<void *>(header), 0, sizeof(Header) + cls->instanceSize);
  header->retainCount = 1;
  header->state = alive;
  auto *object = reinterpret_cast<Object *>(header + 1);
  object->isa = cls;
  {
    std::lock_guard guard(lock());
    live()[cls->name]++;
  }
  construct(cls, object);
  return object;
}

void objcDispose(MropeObject of) {
  static auto *quarantine = new std::deque<Header *>;
  auto *object = static_cast<Object *>(of);
  destruct(object->isa, object);
  std::lock_guard guard(lock());
  const auto count = live().find(object->isa->name);
  if (--count->second == 0) live().erase(count);
  headerOf(object).state = dead;
  quarantine->push_back(&headerOf(object));
  if (quarantine->size() > quarantined) {
    std::free(quarantine->front());
    quarantine->pop_front();
  }
}

Object *objc_retain(Object *object) {
  if (object == nullptr) return nullptr;
  if (isBlock(object)) return static_cast<Object *>(_Block_copy(object));
  if (isImmortal(object)) return object;
  std::lock_guard guard(lock());
  refuseDead(object, "retain");
  headerOf(object).retainCount++;
  return object;
}

void objc_release(Object *object) {
  if (object == nullptr) return;
  if (isBlock(object)) return _Block_release(object);
  if (isImmortal(object)) return;
  {
    std::lock_guard guard(lock());
    refuseDead(object, "release");
    if (--headerOf(object).retainCount > 0) return;
    clearWeak(object);
  }
  static Selector dealloc{unique("dealloc"), "v16@0:8"};
  reinterpret_cast<void (*)(Object *, Selector *)>(findMethod(object->isa, dealloc.name))(object, &dealloc);
}

Object *objc_retainBlock(Object *block) {
  return block == nullptr ? nullptr : static_cast<Object *>(_Block_copy(block));
}

void objc_storeStrong(Object **place, Object *value) {
  objc_retain(value);
  Object *old = *place;
  *place = value;
  objc_release(old);
}

long objcRetainCount(MropeObject object) {
  std::lock_guard guard(lock());
  return headerOf(static_cast<Object *>(object)).retainCount;
}

long objcLiveObjects() {
  std::lock_guard guard(lock());
  long total = 0;
  for (const auto &[name, count] : live()) total += count;
  return total;
}

long objcLiveObjectsOf(const char *className) {
  std::lock_guard guard(lock());
  const auto found = live().find(className);
  return found == live().end() ? 0 : found->second;
}

void objcVisitLive(void (*visit)(const char *className, long count, void *context), void *context) {
  std::lock_guard guard(lock());
  for (const auto &[name, count] : live()) visit(name.c_str(), count, context);
}

}  // extern "C"

