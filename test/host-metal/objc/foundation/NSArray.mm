#import "internal.h"

@interface NSArray () {
 @public
  std::vector<id> _objects;  // each retained
}
@end

@implementation NSArray

+ (instancetype)array {
  return [self arrayWithObjects:nullptr count:0];
}

+ (instancetype)arrayWithObject:(id)object {
  return [self arrayWithObjects:&object count:1];
}

+ (instancetype)arrayWithObjects:(const id *)objects count:(NSUInteger)count {
  NSArray *array = [self new];
  for (NSUInteger i = 0; i < count; i++) array->_objects.push_back(objc_retain(objects[i]));
  return autoreleased(array);
}

- (void)dealloc {
  for (id object : _objects) objc_release(object);
  [super dealloc];
}

- (NSUInteger)count {
  return _objects.size();
}

- (id)objectAtIndex:(NSUInteger)index {
  if (index >= _objects.size()) {
    fprintf(stderr, "-[NSArray objectAtIndex:]: index %lu beyond bounds %zu\n", index, _objects.size());
    abort();
  }
  return _objects[index];
}

- (id)objectAtIndexedSubscript:(NSUInteger)index {
  return [self objectAtIndex:index];
}

- (id)firstObject {
  return _objects.empty() ? nil : _objects.front();
}

- (BOOL)containsObject:(id)wanted {
  for (id object : _objects)
    if ([object isEqual:wanted]) return YES;
  return NO;
}

- (BOOL)isEqual:(id)other {
  if (![other isKindOfClass:[NSArray class]]) return NO;
  const auto &objects = ((NSArray *)other)->_objects;
  if (objects.size() != _objects.size()) return NO;
  for (size_t i = 0; i < objects.size(); i++)
    if (![_objects[i] isEqual:objects[i]]) return NO;
  return YES;
}

- (NSUInteger)hash {
  return _objects.size();
}

- (NSString *)description {
  std::string text = "(";
  for (id object : _objects) text += (text.size() > 1 ? ", " : "") + textOf([object description]);
  return stringOf(text + ")");
}

- (NSUInteger)countByEnumeratingWithState:(NSFastEnumerationState *)state objects:(id *)buffer count:(NSUInteger)len {
  if (state->state != 0) return 0;
  state->state = 1;
  state->itemsPtr = _objects.data();
  state->extra[0] = 0;
  state->mutationsPtr = state->extra;
  return _objects.size();
}

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain(self);
}

- (id)mutableCopyWithZone:(NSZone *)zone {
  return objc_retain([NSMutableArray arrayWithObjects:_objects.data() count:_objects.size()]);
}

@end

@implementation NSMutableArray

- (void)addObject:(id)object {
  _objects.push_back(objc_retain(object));
}

- (void)removeAllObjects {
  std::vector<id> old;
  old.swap(_objects);
  for (id object : old) objc_release(object);
}

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain([NSArray arrayWithObjects:_objects.data() count:_objects.size()]);
}

@end
