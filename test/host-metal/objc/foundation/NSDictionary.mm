#import "internal.h"

struct Entry {
  id key, value;  // both retained
};

@interface NSDictionary () {
 @public
  std::vector<Entry> _entries;  // in order of insertion; dictionaries of tests are small
}
@end

static Entry *find(NSDictionary *dictionary, id key) {
  for (Entry &entry : dictionary->_entries)
    if ([entry.key isEqual:key]) return &entry;
  return nullptr;
}

static void set(NSDictionary *dictionary, id key, id value) {
  objc_retain(value);
  if (Entry *entry = find(dictionary, key)) {
    objc_release(entry->value);
    entry->value = value;
  } else {
    dictionary->_entries.push_back({[key copy], value});
  }
}

@implementation NSDictionary

+ (instancetype)dictionary {
  return autoreleased([self new]);
}

+ (instancetype)dictionaryWithObjects:(const id *)objects forKeys:(const id<NSCopying> *)keys count:(NSUInteger)count {
  NSDictionary *dictionary = [self new];
  for (NSUInteger i = 0; i < count; i++) set(dictionary, (id)keys[i], objects[i]);
  return autoreleased(dictionary);
}

- (void)dealloc {
  for (const Entry &entry : _entries) {
    objc_release(entry.key);
    objc_release(entry.value);
  }
  [super dealloc];
}

- (NSUInteger)count {
  return _entries.size();
}

- (id)objectForKey:(id)key {
  const Entry *entry = find(self, key);
  return entry == nullptr ? nil : entry->value;
}

- (id)objectForKeyedSubscript:(id)key {
  return [self objectForKey:key];
}

- (NSArray *)allKeys {
  NSMutableArray *keys = [NSMutableArray array];
  for (const Entry &entry : _entries) [keys addObject:entry.key];
  return keys;
}

- (BOOL)isEqual:(id)other {
  if (![other isKindOfClass:[NSDictionary class]] || [other count] != self.count) return NO;
  for (const Entry &entry : _entries)
    if (![entry.value isEqual:[other objectForKey:entry.key]]) return NO;
  return YES;
}

- (NSUInteger)hash {
  return _entries.size();
}

- (NSString *)description {
  std::string text = "{";
  for (const Entry &entry : _entries)
    text += textOf([entry.key description]) + " = " + textOf([entry.value description]) + "; ";
  return stringOf(text + "}");
}

- (NSUInteger)countByEnumeratingWithState:(NSFastEnumerationState *)state objects:(id *)buffer count:(NSUInteger)len {
  NSUInteger given = 0;
  while (given < len && state->state < _entries.size()) buffer[given++] = _entries[state->state++].key;
  state->itemsPtr = buffer;
  state->extra[0] = _entries.size();
  state->mutationsPtr = state->extra;
  return given;
}

static id copied(NSDictionary *dictionary, Class as) {
  NSDictionary *copy = [as new];
  for (const Entry &entry : dictionary->_entries) set(copy, entry.key, entry.value);
  return copy;
}

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain(self);
}

- (id)mutableCopyWithZone:(NSZone *)zone {
  return copied(self, [NSMutableDictionary class]);
}

@end

@implementation NSMutableDictionary

- (void)setObject:(id)object forKey:(id)key {
  set(self, key, object);
}

- (void)setObject:(id)object forKeyedSubscript:(id)key {
  if (object == nil) [self removeObjectForKey:key];
  else set(self, key, object);
}

- (void)removeObjectForKey:(id)key {
  for (size_t i = 0; i < _entries.size(); i++) {
    if (![_entries[i].key isEqual:key]) continue;
    const Entry gone = _entries[i];
    _entries.erase(_entries.begin() + i);
    objc_release(gone.key);
    objc_release(gone.value);
    return;
  }
}

- (void)removeAllObjects {
  while (!_entries.empty()) [self removeObjectForKey:_entries.back().key];
}

- (id)copyWithZone:(NSZone *)zone {
  return copied(self, [NSDictionary class]);
}

@end
