#import "internal.h"

@implementation NSURL {
  std::string _path;
}

+ (NSURL *)fileURLWithPath:(NSString *)path {
  NSURL *url = [NSURL new];
  url->_path = textOf(path);
  while (url->_path.size() > 1 && url->_path.ends_with('/')) url->_path.pop_back();
  return autoreleased(url);
}

+ (NSURL *)fileURLWithPath:(NSString *)path isDirectory:(BOOL)isDirectory {
  return [self fileURLWithPath:path];
}

- (NSString *)path {
  return stringOf(_path);
}

- (NSString *)absoluteString {
  return stringOf("file://" + _path);
}

- (NSString *)lastPathComponent {
  return self.path.lastPathComponent;
}

- (BOOL)isFileURL {
  return YES;
}

- (const char *)fileSystemRepresentation {
  return _path.c_str();
}

- (NSURL *)URLByAppendingPathComponent:(NSString *)component {
  return [NSURL fileURLWithPath:[self.path stringByAppendingPathComponent:component]];
}

- (BOOL)isEqual:(id)other {
  return [other isKindOfClass:[NSURL class]] && ((NSURL *)other)->_path == _path;
}

- (NSUInteger)hash {
  return std::hash<std::string>{}(_path);
}

- (NSString *)description {
  return self.absoluteString;
}

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain(self);
}

@end
