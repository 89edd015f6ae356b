// Sending messages. The code is built with -fobjc-legacy-dispatch: it asks for the method and calls it itself, so that
// no assembly is needed here.
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

#include "abi.h"
#include "objc-runtime.h"

namespace objc {

/** What clang reads back: only `method` is used. */
struct Slot {
  Class *owner;
  Class *cachedFor;
  const char *types;
  int version;
  Imp method;
};

using DispatchTable = std::unordered_map<const char *, Slot *>;

static std::uintptr_t answerOfNil() { return 0; }

Imp findMethod(Class *cls, const char *uniqueName) {
  for (; cls != nullptr; cls = cls->superclass)
    for (MethodList *list = cls->methods; list != nullptr; list = list->next)
      for (int i = 0; i < list->count; i++)
        if (list->at(i).selector->name == uniqueName) return list->at(i).imp;
  return nullptr;
}

static Slot *slotOf(Class *cls, const Selector *selector) {
  std::lock_guard guard(lock());
  if (cls->dispatch == nullptr) cls->dispatch = new DispatchTable;
  Slot *&slot = (*static_cast<DispatchTable *>(cls->dispatch))[selector->name];
  if (slot == nullptr) {
    const Imp imp = findMethod(cls, selector->name);
    if (imp == nullptr) {
      const char kind = cls->info & info::metaclass ? '+' : '-';
      std::fprintf(stderr, "objc: %c[%s %s]: unrecognized selector\n", kind, cls->name, selector->name);
      std::abort();
    }
    slot = new Slot{cls, cls, selector->types, 0, imp};
  }
  return slot;
}

Class *classOf(const Object *object) {
  static Class *tinyString = findClass("NSTinyString"), *block = findClass("NSBlock");
  return isTinyString(object) ? tinyString : isBlock(object) ? block : object->isa;
}

}  // namespace objc

using namespace objc;

extern "C" {

Slot *objc_msg_lookup_sender(Object **receiver, Selector *selector, Object *) {
  static Slot nil{nullptr, nullptr, nullptr, 0, reinterpret_cast<Imp>(answerOfNil)};
  if (*receiver == nullptr) return &nil;
  refuseDead(*receiver, selector->name);
  return slotOf(classOf(*receiver), selector);
}

struct Super {
  Object *receiver;
  Class *cls;
};

Slot *objc_slot_lookup_super(Super *super, Selector *selector) { return slotOf(super->cls, selector); }

Imp objc_msg_lookup_super(Super *super, Selector *selector) { return slotOf(super->cls, selector)->method; }

void *objc_lookup_class(const char *name) { return findClass(name); }

MropeClass objcClassOf(MropeObject object) { return classOf(static_cast<Object *>(object)); }
const char *objcClassName(MropeClass cls) { return static_cast<Class *>(cls)->name; }
MropeClass objcSuperclass(MropeClass cls) { return static_cast<Class *>(cls)->superclass; }

int objcResponds(MropeObject object, const char *selectorName) {
  std::lock_guard guard(lock());
  return findMethod(classOf(static_cast<Object *>(object)), unique(selectorName)) != nullptr;
}

// Exceptions of C++ pass through Objective-C++ code as through any other.
int __gxx_personality_v0(int, int, std::uint64_t, void *, void *);
int __gnustep_objcxx_personality_v0(int version, int actions, std::uint64_t cls, void *exception, void *context) {
  return __gxx_personality_v0(version, actions, cls, exception, context);
}

void objc_enumerationMutation(Object *collection) {
  std::fprintf(stderr, "objc: %s was changed while it was enumerated\n", classOf(collection)->name);
  std::abort();
}

}  // extern "C"
