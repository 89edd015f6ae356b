#import "internal.h"

#include <cerrno>
#include <filesystem>

namespace fs = std::filesystem;

/** Codes of NSCocoaErrorDomain. */
enum { fileNoSuch = 4, fileWrite = 512, fileExists = 516 };

@implementation NSFileManager

+ (NSFileManager *)defaultManager {
  return autoreleased([NSFileManager new]);
}

- (BOOL)fileExistsAtPath:(NSString *)path {
  std::error_code ignored;
  return fs::exists(textOf(path), ignored);
}

- (BOOL)createDirectoryAtPath:(NSString *)path
    withIntermediateDirectories:(BOOL)intermediate
                     attributes:(NSDictionary *)attributes
                          error:(NSError **)error {
  std::error_code failure;
  const std::string text = textOf(path);
  if (intermediate) fs::create_directories(text, failure);
  else if (!fs::create_directory(text, failure) && !failure) failure = {EEXIST, std::generic_category()};
  if (!failure) return YES;
  return fileError(error, fileWrite, "cannot make the folder", text, failure.value());
}

- (BOOL)createDirectoryAtURL:(NSURL *)url
    withIntermediateDirectories:(BOOL)intermediate
                     attributes:(NSDictionary *)attributes
                          error:(NSError **)error {
  return [self createDirectoryAtPath:url.path
         withIntermediateDirectories:intermediate
                          attributes:attributes
                               error:error];
}

- (BOOL)moveItemAtURL:(NSURL *)from toURL:(NSURL *)to error:(NSError **)error {
  const std::string source = from.fileSystemRepresentation, destination = to.fileSystemRepresentation;
  std::error_code failure;
  if (fs::exists(destination, failure)) return fileError(error, fileExists, "cannot move to", destination, EEXIST);
  fs::rename(source, destination, failure);
  return failure ? fileError(error, fileWrite, "cannot move", source, failure.value()) : YES;
}

- (BOOL)removeItemAtPath:(NSString *)path error:(NSError **)error {
  std::error_code failure;
  const std::string text = textOf(path);
  if (fs::remove_all(text, failure) > 0 && !failure) return YES;
  if (!failure) return fileError(error, fileNoSuch, "cannot remove", text, ENOENT);
  return fileError(error, fileWrite, "cannot remove", text, failure.value());
}

- (BOOL)removeItemAtURL:(NSURL *)url error:(NSError **)error {
  return [self removeItemAtPath:url.path error:error];
}

@end
