#import "internal.h"

#include <unistd.h>

#include <cstdlib>
#include <tuple>

/** The version that the fake says it is; MROPE_HOST_MACOS=14.2 says another. */
static NSOperatingSystemVersion version() {
  NSOperatingSystemVersion answer = {15, 0, 0};
  const char *text = getenv("MROPE_HOST_MACOS");
  if (text == nullptr) return answer;
  answer = {0, 0, 0};
  sscanf(text, "%ld.%ld.%ld", &answer.majorVersion, &answer.minorVersion, &answer.patchVersion);
  return answer;
}

@implementation NSProcessInfo

+ (NSProcessInfo *)processInfo {
  return autoreleased([NSProcessInfo new]);
}

- (NSOperatingSystemVersion)operatingSystemVersion {
  return version();
}

- (NSString *)operatingSystemVersionString {
  const NSOperatingSystemVersion v = version();
  return [NSString stringWithFormat:@"Version %ld.%ld.%ld (Build host)", v.majorVersion, v.minorVersion,
                                    v.patchVersion];
}

- (BOOL)isOperatingSystemAtLeastVersion:(NSOperatingSystemVersion)wanted {
  const NSOperatingSystemVersion v = version();
  return std::tuple(v.majorVersion, v.minorVersion, v.patchVersion) >=
         std::tuple(wanted.majorVersion, wanted.minorVersion, wanted.patchVersion);
}

- (unsigned long long)physicalMemory {
  return (unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE);
}

@end
