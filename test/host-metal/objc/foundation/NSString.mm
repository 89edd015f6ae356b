#import "internal.h"

#include <cstdarg>
#include <cstring>
#include <map>
#include <mutex>

/** A literal of more than eight characters: clang lays these out itself. */
struct ConstantString {
  Class isa;
  uint32_t encoding, units, bytes, hash;
  const char *data;

  static constexpr uint32_t utf16 = 2;
};

@interface NSConstantString : NSString
@end

/** A literal of at most eight ASCII characters: the pointer holds them, 7 bits each, and their number. */
@interface NSTinyString : NSString
@end

static void appendUtf8(std::string &text, uint32_t point) {
  if (point < 0x80) {
    text += char(point);
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  const uint32_t lead[] = {0, 0xc0, 0xe0, 0xf0};
  text += char(lead[more] | point >> 6 * more);
  for (int i = more - 1; i >= 0; i--) text += char(0x80 | (point >> 6 * i & 0x3f));
}

static std::string fromUtf16(const uint16_t *units, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; i++) {
    uint32_t point = units[i];
    const bool pair = point >= 0xd800 && point < 0xdc00 && i + 1 < count;
    if (pair) point = 0x10000 + ((point - 0xd800) << 10) + (units[++i] - 0xdc00u);
    appendUtf8(text, point);
  }
  return text;
}

/** Number of UTF-16 units of a text, or -1 where it is not UTF-8. */
static long utf16Length(const std::string &text) {
  long units = 0;
  for (size_t i = 0; i < text.size();) {
    const auto byte = (unsigned char)text[i];
    const int more = byte < 0x80 ? 0 : byte >= 0xc2 && byte < 0xe0 ? 1 : (byte & 0xf0) == 0xe0 ? 2
                     : byte >= 0xf0 && byte < 0xf5                  ? 3
                                                                    : -1;
    if (more < 0 || i + more >= text.size()) return -1;
    for (int k = 1; k <= more; k++)
      if (((unsigned char)text[i + k] & 0xc0) != 0x80) return -1;
    units += more == 3 ? 2 : 1;
    i += 1 + more;
  }
  return units;
}

/** Literals are converted once and kept: UTF8String must stay valid. */
static const std::string &literal(const void *key, std::string (*convert)(const void *)) {
  static auto *texts = new std::map<const void *, std::string>;
  static auto *mutex = new std::mutex;
  std::lock_guard guard(*mutex);
  const auto found = texts->find(key);
  return found != texts->end() ? found->second : (*texts)[key] = convert(key);
}

static std::string constantText(const void *key) {
  const auto *string = (const ConstantString *)key;
  if (string->encoding == ConstantString::utf16) return fromUtf16((const uint16_t *)string->data, string->units);
  return std::string(string->data, string->units);
}

static std::string tinyText(const void *key) {
  const auto bits = (uintptr_t)key;
  std::string text(bits >> 3 & 0xf, 0);
  for (size_t i = 0; i < text.size(); i++) text[i] = char(bits >> (57 - 7 * i) & 0x7f);
  return text;
}

std::string textOf(NSString *string) { return string == nil ? "" : string.UTF8String; }

NSString *stringOf(const std::string &text) {
  return autoreleased([[NSString alloc] initWithBytes:text.data()
                                               length:text.size()
                                             encoding:NSUTF8StringEncoding]);
}

@implementation NSString {
  std::string _text;
}

+ (instancetype)string {
  return [self stringWithUTF8String:""];
}

+ (instancetype)stringWithString:(NSString *)string {
  return [self stringWithUTF8String:string.UTF8String];
}

+ (instancetype)stringWithUTF8String:(const char *)text {
  return autoreleased([[self alloc] initWithUTF8String:text]);
}

- (instancetype)initWithUTF8String:(const char *)text {
  return [self initWithBytes:text length:strlen(text) encoding:NSUTF8StringEncoding];
}

- (instancetype)initWithBytes:(const void *)bytes length:(NSUInteger)length encoding:(NSStringEncoding)encoding {
  _text.assign((const char *)bytes, length);
  bool ascii = true;
  for (const char c : _text) ascii = ascii && (unsigned char)c < 0x80;
  if (ascii || (encoding == NSUTF8StringEncoding && utf16Length(_text) >= 0)) return self;
  objc_release(self);
  return nil;
}

- (const char *)UTF8String {
  return _text.c_str();
}

- (NSUInteger)length {
  return utf16Length(textOf(self));
}

- (NSUInteger)lengthOfBytesUsingEncoding:(NSStringEncoding)encoding {
  const std::string text = textOf(self);
  return encoding == NSUTF8StringEncoding || utf16Length(text) == (long)text.size() ? text.size() : 0;
}

- (NSInteger)integerValue {
  return strtol(self.UTF8String, nullptr, 10);
}

- (double)doubleValue {
  return strtod(self.UTF8String, nullptr);
}

- (BOOL)isEqualToString:(NSString *)other {
  return other != nil && textOf(self) == textOf(other);
}

- (BOOL)isEqual:(id)other {
  return [other isKindOfClass:[NSString class]] && [self isEqualToString:other];
}

- (NSUInteger)hash {
  return std::hash<std::string>{}(textOf(self));
}

- (BOOL)hasPrefix:(NSString *)prefix {
  return textOf(self).starts_with(textOf(prefix));
}

- (BOOL)hasSuffix:(NSString *)suffix {
  return textOf(self).ends_with(textOf(suffix));
}

- (BOOL)containsString:(NSString *)part {
  return textOf(self).find(textOf(part)) != std::string::npos;
}

- (NSString *)stringByAppendingString:(NSString *)other {
  return stringOf(textOf(self) + textOf(other));
}

- (NSString *)stringByAppendingPathComponent:(NSString *)component {
  const std::string text = textOf(self);
  return stringOf(text.empty() || text.ends_with('/') ? text + textOf(component) : text + '/' + textOf(component));
}

- (NSString *)lastPathComponent {
  const std::string text = textOf(self);
  return stringOf(text.substr(text.rfind('/') + 1));
}

- (const char *)fileSystemRepresentation {
  return self.UTF8String;
}

- (NSString *)description {
  return self;
}

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain(self);
}

/** printf's conversions, and %@. */
+ (instancetype)stringWithFormat:(NSString *)format, ... {
  std::string text;
  va_list arguments;
  va_start(arguments, format);
  for (const char *at = format.UTF8String; *at;) {
    const size_t plain = strcspn(at, "%");
    text.append(at, plain);
    at += plain;
    if (*at == 0) break;
    const size_t length = strspn(at + 1, "0123456789.+- #lhzqtj") + 2;
    const std::string spec(at, length);
    at += length;
    if (spec == "%@") {
      const id object = va_arg(arguments, id);
      text += object == nil ? "(null)" : textOf([object description]);
      continue;
    }
    va_list here;
    va_copy(here, arguments);
    char *piece = nullptr;
    if (vasprintf(&piece, spec.c_str(), here) >= 0) text += piece;
    free(piece);
    va_end(here);
    // Step over what the conversion took.
    const char kind = spec.back();
    const bool wide = spec.find_first_of("lzqtj") != std::string::npos;
    if (strchr("aAeEfFgG", kind)) (void)va_arg(arguments, double);
    else if (strchr("sp", kind)) (void)va_arg(arguments, void *);
    else if (wide) (void)va_arg(arguments, long);
    else if (kind != '%') (void)va_arg(arguments, int);
  }
  va_end(arguments);
  return autoreleased([[self alloc] initWithBytes:text.data() length:text.size() encoding:NSUTF8StringEncoding]);
}

@end

@implementation NSConstantString

- (const char *)UTF8String {
  return literal(self, constantText).c_str();
}

@end

@implementation NSTinyString

- (const char *)UTF8String {
  return literal(self, tinyText).c_str();
}

@end
