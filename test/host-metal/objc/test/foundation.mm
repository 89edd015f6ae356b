#import "support.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace fs = std::filesystem;

/** A folder of this process, and what is in it, that goes with the object. */
struct Folder {
  fs::path path = fs::temp_directory_path() / ("mrope-objc-" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  NSURL *url(const char *name) const { return [NSURL fileURLWithPath:@((path / name).c_str())]; }
};

CASE("strings: short, long and non-ASCII literals") {
  EQUAL(@"", "");
  EQUAL(@"x", "x");
  EQUAL(@"eight ch", "eight ch");
  EQUAL(@"nine char", "nine char");
  EQUAL(@"Größe ∑ 😀", "Größe ∑ 😀");
  EQUAL(@"Größe ∑ 😀".length, 10u);
  EXPECT([@"short" isEqual:[NSString stringWithUTF8String:"short"]]);
  EQUAL(@"short".hash, [NSString stringWithUTF8String:"short"].hash);
}

CASE("strings: only UTF-8 is taken") {
  const char bad[] = "\xc3(";
  EXPECT([NSString stringWithUTF8String:bad] == nil);
  EXPECT([[NSString alloc] initWithBytes:"\xff" length:1 encoding:NSUTF8StringEncoding] == nil);
  EXPECT([[NSString alloc] initWithBytes:"\xc3\xa4" length:2 encoding:NSASCIIStringEncoding] == nil);
  NSString *part = [[NSString alloc] initWithBytes:"abcdef" length:3 encoding:NSUTF8StringEncoding];
  EQUAL(part, "abc");
}

CASE("strings: formats") {
  NSString *text = [NSString stringWithFormat:@"%@|%5d|%-4s|%lu|%lld|%.3f|%c|%x|%%|%@", @"object", 42, "ab", 7ul, -8ll,
                                              1.5, 'z', 255u, (id)nil];
  EQUAL(text, "object|   42|ab  |7|-8|1.500|z|ff|%|(null)");
}

CASE("strings: parts and paths") {
  NSString *path = [@"/tmp/folder" stringByAppendingPathComponent:@"file.metal"];
  EQUAL(path, "/tmp/folder/file.metal");
  EQUAL(path.lastPathComponent, "file.metal");
  EXPECT([path hasPrefix:@"/tmp"] && [path hasSuffix:@".metal"] && [path containsString:@"older"]);
  EQUAL(@"17 apples".integerValue, 17);
  EQUAL([@"ä" lengthOfBytesUsingEncoding:NSUTF8StringEncoding], 2u);
}

CASE("numbers: boxed values come back, and compare by value") {
  EQUAL(@(-3).intValue, -3);
  EQUAL(@(1ull << 63).unsignedLongLongValue, 1ull << 63);
  EQUAL(@(2.5).doubleValue, 2.5);
  EQUAL(@(2.5f).floatValue, 2.5f);
  EXPECT(@YES.boolValue && !@NO.boolValue);
  EXPECT([@1 isEqual:@1.0] && ![@1 isEqual:@2] && ![@1 isEqual:@"1"]);
  EQUAL(@(12).stringValue, "12");
  EQUAL(@(std::string("boxed").c_str()), "boxed");
}

CASE("arrays: literals, enumeration, copies") {
  NSArray *array = @[ @"a", @2, @[ @3 ] ];
  EQUAL(array.count, 3u);
  EQUAL([array[1] intValue], 2);
  std::string seen;
  for (id entry in array) seen += [entry description].UTF8String;
  EQUAL(seen, std::string("a2(3)"));
  NSMutableArray *more = [array mutableCopy];
  [more addObject:@"more"];
  EQUAL(array.count, 3u);
  EQUAL(more.count, 4u);
  EXPECT([[more copy] isEqual:more] && ![array isEqual:more]);
  EXPECT([array containsObject:@2] && ![array containsObject:@4]);
  EXPECT(@[].firstObject == nil);
}

CASE("aborts: an index beyond an array") {
  NSArray *array = @[ @1 ];
  (void)array[1];
}

CASE("dictionaries: literals, changes, many keys") {
  NSMutableDictionary *dictionary = [@{@"one" : @1, @"two" : @2} mutableCopy];
  dictionary[@"two"] = @22;
  dictionary[@"one"] = nil;
  EXPECT([dictionary isEqual:@{@"two" : @22}]);
  for (int i = 0; i < 100; i++) dictionary[@(i)] = [NSString stringWithFormat:@"%d", i];
  EQUAL(dictionary.count, 101u);
  long sum = 0;
  for (id key in dictionary) sum += [key isKindOfClass:[NSNumber class]] ? [key intValue] : 0;
  EQUAL(sum, 4950);
  EQUAL([dictionary[@77] UTF8String], "77");
  EQUAL(dictionary.allKeys.count, 101u);
}

CASE("errors: an error comes out by reference, or is not asked for") {
  NSError *error = nil;
  NSURL *nowhere = [NSURL fileURLWithPath:@"/nowhere/at all"];
  EXPECT([NSData dataWithContentsOfURL:nowhere options:0 error:&error] == nil);
  EXPECT([NSData dataWithContentsOfURL:nowhere options:0 error:nil] == nil);
  EXPECT([error.domain isEqualToString:NSCocoaErrorDomain]);
  EQUAL(error.code, 260);
  EXPECT([error.localizedDescription containsString:@"No such file"]);
  NSError *own = [NSError errorWithDomain:@"mine" code:-7 userInfo:@{NSLocalizedDescriptionKey : @"it broke"}];
  EQUAL(own.localizedDescription, "it broke");
  EXPECT([[NSError errorWithDomain:@"mine" code:3 userInfo:nil].localizedDescription containsString:@"mine error 3"]);
}

CASE("files: data and folders") {
  const Folder folder;
  NSError *error = nil;
  NSURL *file = folder.url("data.bin");
  NSData *data = [NSData dataWithBytes:"a\0b" length:3];
  EXPECT([data writeToURL:file options:NSDataWritingAtomic error:&error]);
  EXPECT([[NSData dataWithContentsOfURL:file options:NSDataReadingMappedIfSafe error:&error] isEqualToData:data]);
  NSFileManager *files = NSFileManager.defaultManager;
  EXPECT([files createDirectoryAtURL:folder.url("a/b") withIntermediateDirectories:YES attributes:nil error:&error]);
  EXPECT(error == nil);
  EXPECT(![files createDirectoryAtURL:folder.url("c/d") withIntermediateDirectories:NO attributes:nil error:&error]);
  EXPECT(error != nil);
  EXPECT(![files moveItemAtURL:file toURL:folder.url("a") error:&error]);
  EQUAL(error.code, 516);
  EXPECT([files moveItemAtURL:file toURL:folder.url("a/moved") error:&error]);
  EXPECT([files fileExistsAtPath:folder.url("a/moved").path]);
  EXPECT([files removeItemAtURL:folder.url("a") error:&error]);
  EXPECT(![files removeItemAtURL:folder.url("a") error:&error]);
  EXPECT(![data writeToURL:folder.url("no/folder") options:0 error:&error]);
}

CASE("the version of macOS is what the environment says") {
  setenv("MROPE_HOST_MACOS", "14.6.1", 1);
  NSProcessInfo *info = NSProcessInfo.processInfo;
  EQUAL(info.operatingSystemVersion.majorVersion, 14);
  EQUAL(info.operatingSystemVersion.minorVersion, 6);
  EQUAL(info.operatingSystemVersion.patchVersion, 1);
  EQUAL(info.operatingSystemVersionString, "Version 14.6.1 (Build host)");
  const NSOperatingSystemVersion older = {14, 6, 0}, newer = {14, 7, 0};
  EXPECT([info isOperatingSystemAtLeastVersion:older]);
  EXPECT(![info isOperatingSystemAtLeastVersion:newer]);
}

int main(int count, char **words) { return test::main(count, words); }
