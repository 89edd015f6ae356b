// Cases of these tests: `objc-runtime "name of a case"` runs one, and says on standard error why it fails.
// test/host-objc.test.ts reads the names from the sources and runs each in a process of its own.
#pragma once

#import <Foundation/Foundation.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "../metal/host-metal.h"
#include "../runtime/objc-runtime.h"

namespace test {

struct Case {
  const char *name;
  void (*run)();
};

inline std::vector<Case> &cases() {
  static std::vector<Case> all;
  return all;
}

inline int failed = 0;

struct Register {
  Register(const char *name, void (*run)()) { cases().push_back({name, run}); }
};

inline void report(bool good, const char *file, int line, const std::string &what) {
  if (good) return;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  failed++;
}

inline std::string show(const std::string &text) { return '"' + text + '"'; }
inline std::string show(const char *text) { return text == nullptr ? "null" : show(std::string(text)); }
inline std::string show(NSString *text) { return show(text.UTF8String); }
template <typename T>
std::string show(T value) {
  return std::to_string(value);
}

inline bool same(const char *a, const char *b) { return a == nullptr || b == nullptr ? a == b : !strcmp(a, b); }
inline bool same(NSString *a, const char *b) { return same(a.UTF8String, b); }
template <typename A, typename B>
bool same(const A &a, const B &b) {
  if constexpr (std::is_integral_v<A>) return a == static_cast<A>(b);  // an enumeration, or another width
  else return a == b;
}

/** Every case leaves nothing behind. */
inline int main(int count, char **words) {
  for (const Case &one : cases()) {
    if (count != 2 || strcmp(one.name, words[1]) != 0) continue;
    @autoreleasepool {
      one.run();
    }
    hostMetalDrain();
    objcVisitLive(
        [](const char *name, long live, void *) {
          report(false, "after the case", 0, std::to_string(live) + " of " + name + " are left");
        },
        nullptr);
    return failed == 0 ? 0 : 1;
  }
  std::fprintf(stderr, "there is no such case\n");
  return 2;
}

}  // namespace test

#define TEST_JOIN(a, b) a##b
#define TEST_NAME(line) TEST_JOIN(case, line)
#define TEST_REGISTER(line) TEST_JOIN(register, line)
#define CASE(name)                                                        \
  static void TEST_NAME(__LINE__)();                                      \
  static test::Register TEST_REGISTER(__LINE__)(name, TEST_NAME(__LINE__)); \
  static void TEST_NAME(__LINE__)()

#define EXPECT(condition) test::report((condition), __FILE__, __LINE__, #condition)
#define EQUAL(actual, wanted)                                                                   \
  test::report(test::same(actual, wanted), __FILE__, __LINE__,                                  \
               #actual " is " + test::show(actual) + ", not " + test::show(wanted))
