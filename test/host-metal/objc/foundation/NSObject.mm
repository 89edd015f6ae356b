#import "internal.h"

/** Every block is of this class; objc_retain copies it to the heap. */
@interface NSBlock : NSObject
@end

@implementation NSObject

+ (instancetype)alloc {
  return objcAllocate((Class)self);
}

+ (instancetype)new {
  return [[self alloc] init];
}

+ (Class)class {
  return (Class)self;
}

- (instancetype)init {
  return self;
}

- (void)dealloc {
  objcDispose(self);
}

- (id)copy {
  return [(id<NSCopying>)self copyWithZone:nullptr];
}

- (id)mutableCopy {
  return [(id<NSMutableCopying>)self mutableCopyWithZone:nullptr];
}

- (instancetype)self {
  return self;
}

- (Class)class {
  return objcClassOf(self);
}

- (Class)superclass {
  return objcSuperclass(objcClassOf(self));
}

- (BOOL)isEqual:(id)object {
  return self == object;
}

- (NSUInteger)hash {
  return (NSUInteger)self >> 4;
}

- (BOOL)isMemberOfClass:(Class)aClass {
  return objcClassOf(self) == aClass;
}

- (BOOL)isKindOfClass:(Class)aClass {
  for (Class cls = objcClassOf(self); cls; cls = objcSuperclass(cls))
    if (cls == aClass) return YES;
  return NO;
}

- (BOOL)respondsToSelector:(SEL)aSelector {
  return objcResponds(self, *(const char **)(void *)aSelector);
}

- (NSString *)description {
  return [NSString stringWithFormat:@"<%s: %p>", objcClassName(objcClassOf(self)), (void *)self];
}

@end

@implementation NSBlock

- (id)copy {
  return objc_retain(self);
}

@end
