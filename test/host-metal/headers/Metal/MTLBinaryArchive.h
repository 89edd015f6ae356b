#pragma once

#import <Metal/MTLTypes.h>

NS_ASSUME_NONNULL_BEGIN

@protocol MTLDevice;
@class MTLComputePipelineDescriptor;

FOUNDATION_EXPORT NSErrorDomain const MTLBinaryArchiveDomain API_AVAILABLE(macos(11.0));

typedef NS_ENUM(NSUInteger, MTLBinaryArchiveError) {
  MTLBinaryArchiveErrorNone = 0,
  MTLBinaryArchiveErrorInvalidFile = 1,
  MTLBinaryArchiveErrorUnexpectedElement = 2,
  MTLBinaryArchiveErrorCompilationFailure = 3,
  MTLBinaryArchiveErrorInternalError = 4,
} API_AVAILABLE(macos(11.0));

API_AVAILABLE(macos(11.0))
@interface MTLBinaryArchiveDescriptor : NSObject <NSCopying>
@property(readwrite, nullable, nonatomic, copy) NSURL *url;
@end

API_AVAILABLE(macos(11.0))
@protocol MTLBinaryArchive <NSObject>
@property(nullable, copy, atomic) NSString *label;
@property(readonly) id<MTLDevice> device;
- (BOOL)addComputePipelineFunctionsWithDescriptor:(MTLComputePipelineDescriptor *)descriptor
                                            error:(NSError *_Nullable *_Nullable)error;
- (BOOL)serializeToURL:(NSURL *)url error:(NSError *_Nullable *_Nullable)error;
@end

NS_ASSUME_NONNULL_END
