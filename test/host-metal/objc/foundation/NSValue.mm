#import "internal.h"

#include <variant>

@implementation NSValue

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain(self);
}

@end

@implementation NSNumber {
 @public
  std::variant<long long, unsigned long long, double> _value;
}

static NSNumber *numberOf(std::variant<long long, unsigned long long, double> value) {
  NSNumber *number = [NSNumber new];
  number->_value = value;
  return autoreleased(number);
}

template <typename T>
static T as(NSNumber *number) {
  return std::visit([](auto value) { return static_cast<T>(value); }, number->_value);
}

// clang-format off
+ (NSNumber *)numberWithBool:(BOOL)value { return numberOf((long long)value); }
+ (NSNumber *)numberWithInt:(int)value { return numberOf((long long)value); }
+ (NSNumber *)numberWithUnsignedInt:(unsigned int)value { return numberOf((long long)value); }
+ (NSNumber *)numberWithLong:(long)value { return numberOf((long long)value); }
+ (NSNumber *)numberWithUnsignedLong:(unsigned long)value { return numberOf((unsigned long long)value); }
+ (NSNumber *)numberWithLongLong:(long long)value { return numberOf(value); }
+ (NSNumber *)numberWithUnsignedLongLong:(unsigned long long)value { return numberOf(value); }
+ (NSNumber *)numberWithFloat:(float)value { return numberOf((double)value); }
+ (NSNumber *)numberWithDouble:(double)value { return numberOf(value); }
+ (NSNumber *)numberWithInteger:(NSInteger)value { return numberOf((long long)value); }
+ (NSNumber *)numberWithUnsignedInteger:(NSUInteger)value { return numberOf((unsigned long long)value); }

- (BOOL)boolValue { return as<double>(self) != 0; }
- (int)intValue { return as<int>(self); }
- (unsigned int)unsignedIntValue { return as<unsigned int>(self); }
- (long long)longLongValue { return as<long long>(self); }
- (unsigned long long)unsignedLongLongValue { return as<unsigned long long>(self); }
- (float)floatValue { return as<float>(self); }
- (double)doubleValue { return as<double>(self); }
- (NSInteger)integerValue { return as<NSInteger>(self); }
- (NSUInteger)unsignedIntegerValue { return as<NSUInteger>(self); }
// clang-format on

- (NSString *)stringValue {
  if (std::holds_alternative<double>(_value)) return [NSString stringWithFormat:@"%.17g", self.doubleValue];
  if (std::holds_alternative<long long>(_value)) return [NSString stringWithFormat:@"%lld", self.longLongValue];
  return [NSString stringWithFormat:@"%llu", self.unsignedLongLongValue];
}

- (NSString *)description {
  return self.stringValue;
}

- (BOOL)isEqualToNumber:(NSNumber *)number {
  return as<double>(self) == as<double>(number) && as<long long>(self) == as<long long>(number);
}

- (BOOL)isEqual:(id)object {
  return [object isKindOfClass:[NSNumber class]] && [self isEqualToNumber:object];
}

- (NSUInteger)hash {
  return std::hash<double>{}(as<double>(self));
}

@end
