#pragma once

#import <Foundation/NSString.h>

NS_ASSUME_NONNULL_BEGIN

@interface NSURL : NSObject <NSCopying>
+ (NSURL *)fileURLWithPath:(NSString *)path;
+ (NSURL *)fileURLWithPath:(NSString *)path isDirectory:(BOOL)isDir;
@property(nullable, readonly, copy) NSString *absoluteString;
@property(nullable, readonly, copy) NSString *path;
@property(readonly, getter=isFileURL) BOOL fileURL;
@property(readonly) const char *fileSystemRepresentation NS_RETURNS_INNER_POINTER;
@end

@interface NSURL (NSURLPathUtilities)
@property(nullable, readonly, copy) NSString *lastPathComponent;
- (nullable NSURL *)URLByAppendingPathComponent:(NSString *)pathComponent;
@end

NS_ASSUME_NONNULL_END
