#import "fake.h"

#include "compile.h"

using namespace mrope::fake;
using namespace mrope::metal_host;

NSErrorDomain const MTLLibraryErrorDomain = @"MTLLibraryErrorDomain";

@implementation MTLCompileOptions

// The names of the properties that are newer than the oldest macOS are given, or clang would refuse to use them here.
@synthesize preprocessorMacros = _preprocessorMacros, fastMathEnabled = _fastMathEnabled, mathMode = _mathMode,
            mathFloatingPointFunctions = _mathFloatingPointFunctions, languageVersion = _languageVersion,
            preserveInvariance = _preserveInvariance, optimizationLevel = _optimizationLevel,
            maxTotalThreadsPerThreadgroup = _maxTotalThreadsPerThreadgroup;

- (instancetype)init {
  _fastMathEnabled = YES;
  _mathMode = MTLMathModeFast;
  _languageVersion = MTLLanguageVersion3_2;
  return self;
}

- (void)setFastMathEnabled:(BOOL)fast {
  _fastMathEnabled = fast;
  _mathMode = fast ? MTLMathModeFast : MTLMathModeSafe;
}

- (id)copyWithZone:(NSZone *)zone {
  MTLCompileOptions *copy = [MTLCompileOptions new];
  copy->_preprocessorMacros = [_preprocessorMacros copy];
  copy->_fastMathEnabled = _fastMathEnabled;
  copy->_mathMode = _mathMode;
  copy->_mathFloatingPointFunctions = _mathFloatingPointFunctions;
  copy->_languageVersion = _languageVersion;
  copy->_preserveInvariance = _preserveInvariance;
  copy->_optimizationLevel = _optimizationLevel;
  copy->_maxTotalThreadsPerThreadgroup = _maxTotalThreadsPerThreadgroup;
  return copy;
}

@end

/** Words of the language that came with a version. */
static const std::map<std::string, MTLLanguageVersion> introduced = {{"bfloat", MTLLanguageVersion3_1},
                                                                     {"metal_tensor", MTLLanguageVersion4_0}};

/** A word that the language version does not have yet, or nothing. */
static std::string tooNew(const std::string &source, MTLLanguageVersion version) {
  const auto isWord = [](char c) { return isalnum((unsigned char)c) || c == '_'; };
  for (const auto &[word, since] : introduced)
    for (size_t at = source.find(word); version < since && at != std::string::npos; at = source.find(word, at + 1))
      if ((at == 0 || !isWord(source[at - 1])) && !isWord(source[at + word.size()])) return word;
  return "";
}

/** Safe and relaxed math run as written; MROPE_HOST_LANE=strict instruments them. Fast math has a lane of its own. */
static std::string laneOf(MTLCompileOptions *options) {
  if (options.mathMode == MTLMathModeFast) return "fast-math";
  return setting("MROPE_HOST_LANE", "plain");
}

static std::map<std::string, std::string> macrosOf(MTLCompileOptions *options) {
  std::map<std::string, std::string> macros;
  for (NSString *name in options.preprocessorMacros) {
    NSObject *value = options.preprocessorMacros[name];
    if ([value isKindOfClass:[NSString class]]) macros[text(name)] = text((NSString *)value);
    else if ([value isKindOfClass:[NSNumber class]]) macros[text(name)] = text(((NSNumber *)value).stringValue);
    else violation("MTLCompileOptions: macro " + text(name) + " is neither a string nor a number");
  }
  return macros;
}

@implementation FakeLibrary {
  FakeDevice *_device;
  std::shared_ptr<Library> _library;
  std::string _path;
}

@synthesize label;

+ (instancetype)newLibraryOf:(FakeDevice *)device
                   source:(NSString *)source
                  options:(MTLCompileOptions *)given
                    error:(NSError **)error {
  MTLCompileOptions *options = given != nil ? given : [MTLCompileOptions new];
  const std::string metal = text(source), word = tooNew(metal, options.languageVersion);
  if (!word.empty())
    return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorCompileFailure,
                  "program_source: error: unknown type name '" + word + "' in this language version");
  if (fails("compile"))
    return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorCompileFailure,
                  "program_source:1:1: error: a failure that a test asked for");
  const Compilation compiled = compile(metal, macrosOf(options), laneOf(options));
  if (compiled.library.empty())
    return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorCompileFailure, compiled.error);
  const auto loaded = Library::load(compiled.library);
  if (!loaded) return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorInternal, loaded.error);
  FakeLibrary *library = [FakeLibrary new];
  library->_device = device;
  library->_library = loaded.value;
  library->_path = compiled.library;
  count("libraries");
  return library;
}

- (id<MTLDevice>)device {
  return _device;
}

- (NSArray<NSString *> *)functionNames {
  NSMutableArray *names = [NSMutableArray array];
  for (const std::string &name : _library->kernels()) [names addObject:string(name)];
  return names;
}

- (id<MTLFunction>)newFunctionWithName:(NSString *)name {
  return [self newFunctionWithName:name constantValues:[MTLFunctionConstantValues new] error:nullptr];
}

- (id<MTLFunction>)newFunctionWithName:(NSString *)name
                        constantValues:(MTLFunctionConstantValues *)values
                                 error:(NSError **)error {
  if (fails("function"))
    return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorFunctionNotFound, "a failure that a test asked for");
  std::vector<ConstantValue> constants;
  std::string key = _path + "/" + text(name);
  const auto take = [&](const ConstantValue &value) {
    constants.push_back(value);
    key += "/" + std::to_string(value.index) + value.type + "=";
    for (const std::byte byte : value.bytes) key += std::to_string((int)byte) + ".";
  };
  for (const auto &[index, value] : values->_byIndex) take(value);
  for (auto [constant, value] : values->_byName) {
    value.index = -1;
    for (const FunctionConstantInfo &info : _library->functionConstants())
      if (info.name == constant) value.index = info.index;
    if (value.index < 0)
      return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorCompileFailure, "no function constant " + constant);
    take(value);
  }
  const auto pipeline = _library->pipeline(text(name), constants);
  if (!pipeline) return refuse(error, MTLLibraryErrorDomain, MTLLibraryErrorFunctionNotFound, pipeline.error);
  FakeFunction *function = [FakeFunction new];
  function->_device = _device;
  function->_library = _library;
  function->_pipeline = pipeline.value;
  function->_key = key;
  return function;
}

@end
