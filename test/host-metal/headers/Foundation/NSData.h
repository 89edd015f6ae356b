#pragma once

#import <Foundation/NSError.h>
#import <Foundation/NSURL.h>

NS_ASSUME_NONNULL_BEGIN

typedef NS_OPTIONS(NSUInteger, NSDataReadingOptions) { NSDataReadingMappedIfSafe = 1UL << 0 };
typedef NS_OPTIONS(NSUInteger, NSDataWritingOptions) { NSDataWritingAtomic = 1UL << 0 };

@interface NSData : NSObject <NSCopying>
@property(readonly) NSUInteger length;
@property(readonly) const void *bytes NS_RETURNS_INNER_POINTER;
@end

@interface NSData (NSExtendedData)
- (BOOL)isEqualToData:(NSData *)other;
- (BOOL)writeToURL:(NSURL *)url
           options:(NSDataWritingOptions)writeOptionsMask
             error:(NSError *_Nullable *_Nullable)errorPtr;
@end

@interface NSData (NSDataCreation)
+ (instancetype)data;
+ (instancetype)dataWithBytes:(nullable const void *)bytes length:(NSUInteger)length;
+ (nullable instancetype)dataWithContentsOfURL:(NSURL *)url
                                       options:(NSDataReadingOptions)readOptionsMask
                                         error:(NSError *_Nullable *_Nullable)errorPtr;
@end

NS_ASSUME_NONNULL_END
