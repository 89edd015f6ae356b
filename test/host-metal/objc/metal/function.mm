#import "fake.h"

#include <cstring>

using namespace mrope::fake;
using namespace mrope::metal_host;

namespace {

struct TypeRow {
  MTLDataType type;
  const char *name;
  size_t bytes;
};

constexpr TypeRow types[] = {{MTLDataTypeFloat, "float", 4}, {MTLDataTypeHalf, "half", 2},
                             {MTLDataTypeInt, "int", 4},     {MTLDataTypeUInt, "uint", 4},
                             {MTLDataTypeShort, "short", 2}, {MTLDataTypeUShort, "ushort", 2},
                             {MTLDataTypeChar, "char", 1},   {MTLDataTypeUChar, "uchar", 1},
                             {MTLDataTypeBool, "bool", 1}};

const TypeRow *rowOf(MTLDataType type) {
  for (const TypeRow &row : types)
    if (row.type == type) return &row;
  violation("MTLFunctionConstantValues: data type " + std::to_string(type) + " is no type of a function constant");
  return nullptr;
}

MTLDataType typeOf(const std::string &name) {
  for (const TypeRow &row : types)
    if (name == row.name) return row.type;
  return MTLDataTypeNone;
}

ConstantValue valueOf(const TypeRow &row, NSUInteger index, const void *bytes) {
  ConstantValue value{(int)index, row.name, std::vector<std::byte>(row.bytes)};
  memcpy(value.bytes.data(), bytes, row.bytes);
  return value;
}

}  // namespace

@implementation MTLFunctionConstantValues

- (void)setConstantValue:(const void *)value type:(MTLDataType)type atIndex:(NSUInteger)index {
  if (const TypeRow *row = rowOf(type)) _byIndex[index] = valueOf(*row, index, value);
}

- (void)setConstantValues:(const void *)values type:(MTLDataType)type withRange:(NSRange)range {
  const TypeRow *row = rowOf(type);
  for (NSUInteger i = 0; row != nullptr && i < range.length; i++)
    [self setConstantValue:(const char *)values + i * row->bytes type:type atIndex:range.location + i];
}

- (void)setConstantValue:(const void *)value type:(MTLDataType)type withName:(NSString *)name {
  if (const TypeRow *row = rowOf(type)) _byName[text(name)] = valueOf(*row, 0, value);
}

- (void)reset {
  _byIndex.clear();
  _byName.clear();
}

- (id)copyWithZone:(NSZone *)zone {
  MTLFunctionConstantValues *copy = [MTLFunctionConstantValues new];
  copy->_byIndex = _byIndex;
  copy->_byName = _byName;
  return copy;
}

@end

@implementation MTLFunctionConstant {
 @public
  FunctionConstantInfo _info;
}

- (NSString *)name {
  return string(_info.name);
}

- (MTLDataType)type {
  return typeOf(_info.type);
}

- (NSUInteger)index {
  return _info.index;
}

- (BOOL)required {
  return YES;
}

@end

@implementation FakeFunction

@synthesize label;

- (id<MTLDevice>)device {
  return _device;
}

- (MTLFunctionType)functionType {
  return MTLFunctionTypeKernel;
}

- (NSString *)name {
  return string(_pipeline->kernel());
}

- (NSDictionary<NSString *, MTLFunctionConstant *> *)functionConstantsDictionary {
  NSMutableDictionary *constants = [NSMutableDictionary new];
  for (const FunctionConstantInfo &info : _library->functionConstants()) {
    MTLFunctionConstant *constant = [MTLFunctionConstant new];
    constant->_info = info;
    constants[string(info.name)] = constant;
  }
  return constants;
}

@end
