// Taking over the classes, categories and selectors of a shared library when it is loaded.
#include <cstdio>
#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "abi.h"

namespace objc {

std::recursive_mutex &lock() {
  static auto *mutex = new std::recursive_mutex;  // never destroyed: threads may outlive main
  return *mutex;
}

const char *unique(const char *selectorName) {
  static auto *names = new std::unordered_set<std::string>;
  return names->insert(selectorName).first->c_str();
}

static std::unordered_map<std::string, Class *> &classes() {
  static auto *all = new std::unordered_map<std::string, Class *>;
  return *all;
}

Class *findClass(const std::string &name) {
  std::lock_guard guard(lock());
  const auto found = classes().find(name);
  return found == classes().end() ? nullptr : found->second;
}

static void adopt(MethodList *list) {
  for (; list != nullptr; list = list->next)
    for (int i = 0; i < list->count; i++) list->at(i).selector->name = unique(list->at(i).selector->name);
}

/** Places the instance variables behind those of the superclass. */
static void layOut(Class *cls) {
  long size = cls->superclass != nullptr ? cls->superclass->instanceSize : 0;
  for (int i = 0; cls->ivars != nullptr && i < cls->ivars->count; i++) {
    Ivar &ivar = cls->ivars->at(i);
    const long alignment = 1l << ((ivar.flags >> 3) & 63);
    size = (size + alignment - 1) / alignment * alignment;
    *ivar.offset = static_cast<int>(size);
    size += ivar.size;
  }
  cls->instanceSize = size;
}

static void link(Class *cls) {
  if (cls->info & info::linked) return;
  cls->info |= info::linked;
  if (cls->superclass != nullptr) link(cls->superclass);
  classes()[cls->name] = cls;
  layOut(cls);

  // Metaclasses inherit from one another as their classes do; the root's from the root class itself.
  const Class *root = cls;
  while (root->superclass != nullptr) root = root->superclass;
  cls->isa->isa = root->isa;
  cls->isa->superclass = cls->superclass != nullptr ? cls->superclass->isa : const_cast<Class *>(root);
  cls->isa->instanceSize = sizeof(Class);
}

static void extend(Class *cls, MethodList *methods) {
  if (methods == nullptr) return;
  adopt(methods);
  MethodList *last = methods;
  while (last->next != nullptr) last = last->next;
  last->next = cls->methods;
  cls->methods = methods;
}

}  // namespace objc

using namespace objc;

extern "C" void __objc_load(Image *image) {
  constexpr std::uint64_t loaded = ~0ull;
  std::lock_guard guard(lock());
  if (image->version == loaded) return;
  for (Selector *s = image->selectors; s < image->selectorsEnd; s++)
    if (s->name != nullptr) s->name = unique(s->name);
  for (Class **cls = image->classes; cls < image->classesEnd; cls++) {
    if (*cls == nullptr) continue;
    adopt((*cls)->methods);
    adopt((*cls)->isa->methods);
    link(*cls);
  }
  for (Category *category = image->categories; category < image->categoriesEnd; category++) {
    if (category->className == nullptr) continue;
    Class *cls = findClass(category->className);
    if (cls == nullptr) {
      std::fprintf(stderr, "objc: category %s of an unknown class %s\n", category->name, category->className);
      std::abort();
    }
    extend(cls, category->instanceMethods);
    extend(cls->isa, category->classMethods);
  }
  image->version = loaded;
}
