#import "internal.h"

#include <cerrno>
#include <cstdio>
#include <unistd.h>

/** Codes of NSCocoaErrorDomain. */
enum { fileNoSuch = 260, fileRead = 256, fileWrite = 512 };

@implementation NSData {
  std::string _bytes;
}

+ (instancetype)data {
  return [self dataWithBytes:nullptr length:0];
}

+ (instancetype)dataWithBytes:(const void *)bytes length:(NSUInteger)length {
  NSData *data = [self new];
  if (length > 0) data->_bytes.assign((const char *)bytes, length);
  return autoreleased(data);
}

+ (instancetype)dataWithContentsOfURL:(NSURL *)url options:(NSDataReadingOptions)options error:(NSError **)error {
  const char *path = url.fileSystemRepresentation;
  FILE *file = fopen(path, "rb");
  if (file == nullptr) {
    fileError(error, errno == ENOENT ? fileNoSuch : fileRead, "cannot open", path, errno);
    return nil;
  }
  NSData *data = [self new];
  char piece[1 << 14];
  size_t got;
  while ((got = fread(piece, 1, sizeof piece, file)) > 0) data->_bytes.append(piece, got);
  const int number = ferror(file) ? errno : 0;
  fclose(file);
  autoreleased(data);
  if (number == 0) return data;
  fileError(error, fileRead, "cannot read", path, number);
  return nil;
}

- (NSUInteger)length {
  return _bytes.size();
}

- (const void *)bytes {
  return _bytes.data();
}

- (BOOL)isEqualToData:(NSData *)other {
  return other != nil && other->_bytes == _bytes;
}

- (BOOL)isEqual:(id)other {
  return [other isKindOfClass:[NSData class]] && [self isEqualToData:other];
}

- (NSUInteger)hash {
  return std::hash<std::string>{}(_bytes);
}

- (BOOL)writeToURL:(NSURL *)url options:(NSDataWritingOptions)options error:(NSError **)error {
  const std::string path = url.fileSystemRepresentation;
  const bool atomic = options & NSDataWritingAtomic;
  const std::string place = atomic ? path + ".writing-" + std::to_string(getpid()) : path;
  FILE *file = fopen(place.c_str(), "wb");
  if (file == nullptr) return fileError(error, fileWrite, "cannot open", path, errno);
  const bool written = fwrite(_bytes.data(), 1, _bytes.size(), file) == _bytes.size();
  if (fclose(file) != 0 || !written) return fileError(error, fileWrite, "cannot write", path, errno);
  if (atomic && rename(place.c_str(), path.c_str()) != 0)
    return fileError(error, fileWrite, "cannot replace", path, errno);
  return YES;
}

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain(self);
}

@end
