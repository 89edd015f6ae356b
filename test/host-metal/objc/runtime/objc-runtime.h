// What the fakes and the tests ask of the runtime beyond the language itself.
#pragma once

#ifdef __OBJC__
typedef id MropeObject;
typedef Class MropeClass;
#else
typedef void *MropeObject;
typedef void *MropeClass;
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A zeroed instance with a retain count of 1, its C++ members constructed. */
MropeObject objcAllocate(MropeClass cls);

/** Destroys the C++ and ARC members of an instance and frees it: the last step of -[NSObject dealloc]. */
void objcDispose(MropeObject object);

/** Class of any object, literals included. */
MropeClass objcClassOf(MropeObject object);
const char *objcClassName(MropeClass cls);
MropeClass objcSuperclass(MropeClass cls);
int objcResponds(MropeObject object, const char *selectorName);

/** Objects that exist now; those of one class; and a visit of every class that has any. */
long objcLiveObjects(void);
long objcLiveObjectsOf(const char *className);
void objcVisitLive(void (*visit)(const char *className, long count, void *context), void *context);

/** Retain count, for tests. */
long objcRetainCount(MropeObject object);

#ifdef __cplusplus
}
#endif
