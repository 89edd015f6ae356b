// The structures that clang emits for -fobjc-runtime=gnustep-2.0 (ELF, 64 bit), and the parts of the runtime that
// share them. Only this folder knows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

namespace objc {

struct Class;

struct Object {
  Class *isa;
};

/** A selector: `name` is unique in the process once loaded, so that selectors compare by pointer. */
struct Selector {
  const char *name;
  const char *types;
};

using Imp = void (*)();

struct Method {
  Imp imp;
  Selector *selector;
  const char *types;
};

struct MethodList {
  MethodList *next;
  int count;
  std::size_t entrySize;
  Method first[1];

  Method &at(int i) { return *reinterpret_cast<Method *>(reinterpret_cast<char *>(first) + i * entrySize); }
};

struct Ivar {
  const char *name;
  const char *type;
  int *offset;
  std::uint32_t size;
  std::uint32_t flags;  // bits 3…8: log2 of the alignment
};

struct IvarList {
  int count;
  std::size_t entrySize;
  Ivar first[1];

  Ivar &at(int i) { return *reinterpret_cast<Ivar *>(reinterpret_cast<char *>(first) + i * entrySize); }
};

struct Class {
  Class *isa;
  Class *superclass;
  const char *name;
  long version;
  unsigned long info;
  long instanceSize;
  IvarList *ivars;
  MethodList *methods;
  void *dispatch;  // a DispatchTable, made at the first message
  Class *subclasses;
  Imp construct;
  Imp destruct;
  Class *siblings;
  void *protocols;
  void *extra;
  long abiVersion;
  void *properties;
};

namespace info {
inline constexpr unsigned long metaclass = 1ul << 0;
inline constexpr unsigned long linked = 1ul << 9;
}  // namespace info

struct Category {
  const char *name;
  const char *className;
  MethodList *instanceMethods;
  MethodList *classMethods;
  void *protocols;
  void *properties;
  void *classProperties;
};

/** What one shared library hands over when it is loaded: the bounds of its sections. */
struct Image {
  std::uint64_t version;
  Selector *selectors, *selectorsEnd;
  Class **classes, **classesEnd;
  Class **classReferences, **classReferencesEnd;
  Category *categories, *categoriesEnd;
  void *protocols, *protocolsEnd, *protocolReferences, *protocolReferencesEnd, *aliases, *aliasesEnd;
  void *strings, *stringsEnd;
};

/** A literal of at most eight ASCII characters is no object but the pointer itself, marked by its low bits. */
inline bool isTinyString(const Object *object) { return (reinterpret_cast<std::uintptr_t>(object) & 7) == 4; }

/** One lock for everything: this runtime is for tests, and simple is what counts. */
std::recursive_mutex &lock();

const char *unique(const char *selectorName);
Class *findClass(const std::string &name);
Class *classOf(const Object *object);

/** The method of a class for a selector, or null. */
Imp findMethod(Class *cls, const char *uniqueName);

bool isBlock(const Object *object);

/** Literals and classes: never counted, never freed. */
bool isImmortal(const Object *object);

/** Aborts with a message: a message to, or a retain or release of, an object that is gone. */
void refuseDead(const Object *object, const char *what);

/** Takes away what points weakly at an object that is about to go. The lock is held. */
void clearWeak(Object *object);

}  // namespace objc
