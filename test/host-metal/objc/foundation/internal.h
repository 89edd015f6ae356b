// What the classes of the fake Foundation share. They are written without ARC.
#pragma once

#import <Foundation/Foundation.h>

#include <string>
#include <vector>

#include "../runtime/objc-runtime.h"

extern "C" id objc_retain(id object);
extern "C" void objc_release(id object);
extern "C" id objc_autorelease(id object);

/** The text of any string, and a new autoreleased string. */
std::string textOf(NSString *string);
NSString *stringOf(const std::string &text);

template <typename T>
T *autoreleased(T *object) {
  return (T *)objc_autorelease(object);
}

/** A Cocoa error of a file operation; `error` may be null, and the answer is always NO. */
BOOL fileError(NSError **error, NSInteger code, const std::string &what, const std::string &path, int number);
