#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_ASSUME_NONNULL_BEGIN _Pragma("clang assume_nonnull begin")
#define NS_ASSUME_NONNULL_END _Pragma("clang assume_nonnull end")
#define NS_ENUM(type, name) enum name : type name; enum name : type
// In C++ an option set is its integer type, so that 0 and the union of options need no cast.
#define NS_OPTIONS(type, name) type name; enum : type
#define NS_FORMAT_FUNCTION(at, first) __attribute__((format(__NSString__, at, first)))
#define NS_RETURNS_INNER_POINTER __attribute__((objc_returns_inner_pointer))
#define NS_RETURNS_RETAINED __attribute__((ns_returns_retained))
#define NS_UNAVAILABLE __attribute__((unavailable))

// API_AVAILABLE(macos(14.0), ios(17.0)): of the platforms, macOS is the one that counts here.
#define API_AVAILABLE(macos_version, ...) __attribute__((availability(macos_version)))
#define API_DEPRECATED(why, macos_versions, ...) \
  __attribute__((availability(DEPRECATED_##macos_versions, message=why)))
#define macos(version) macos, introduced=version
#define DEPRECATED_macos(since, until) macos, introduced=since, deprecated=until

#if defined(__cplusplus)
#define FOUNDATION_EXPORT extern "C"
#else
#define FOUNDATION_EXPORT extern
#endif

// The SDK: what the code may use behind @available.
#ifndef __MAC_OS_X_VERSION_MAX_ALLOWED
#define __MAC_OS_X_VERSION_MAX_ALLOWED 150000
#endif

// arm64 has a real bool here, and so has the Linux build.
typedef bool BOOL;
#define YES __objc_yes
#define NO __objc_no
#ifndef nil
#define nil nullptr
#endif

typedef long NSInteger;
typedef unsigned long NSUInteger;
typedef double NSTimeInterval;
typedef double CFTimeInterval;

typedef struct _NSRange {
  NSUInteger location;
  NSUInteger length;
} NSRange;

static inline NSRange NSMakeRange(NSUInteger location, NSUInteger length) {
  NSRange range = {location, length};
  return range;
}

enum : NSInteger { NSNotFound = INT64_MAX };
