#pragma once

#import <Foundation/Foundation.h>

#include <exception>
#include <new>
#include <string>

#include "../core/status.h"

namespace mrope::apple {

inline std::string textOf(NSString *text) {
  const char *bytes = text.UTF8String;
  return bytes ? bytes : "";
}

inline NSString *stringOf(const std::string &text) { return [NSString stringWithUTF8String:text.c_str()]; }

/** What an NSError says, for a message. */
inline std::string reasonOf(NSError *error) {
  if (!error) return "no reason was given";
  return textOf(error.localizedDescription) + " (" + textOf(error.domain) + " " + std::to_string(error.code) + ")";
}

/** Runs `work` with a pool of its own. Exceptions, Objective-C's included, become a status. */
template <class Work>
Status guarded(const char *what, const Work &work) {
  @autoreleasepool {
    try {
      return work();
    } catch (const std::bad_alloc &) {
      return Status::range(code::memory, std::string(what) + ": there is no memory");
    } catch (const std::exception &error) {
      return Status::range(code::device, std::string(what) + ": " + error.what());
    } catch (...) {
      return Status::range(code::device, std::string(what) + ": Metal raised an exception");
    }
  }
}

}  // namespace mrope::apple
