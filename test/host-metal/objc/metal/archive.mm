#import "fake.h"

#include <cstdio>
#include <sstream>

using namespace mrope::fake;

NSErrorDomain const MTLBinaryArchiveDomain = @"MTLBinaryArchiveDomain";

// The file: a line that says what it is, a line with the sum of the rest, then a line for every function.
static const std::string magic = "mrope host archive 1\n";

static std::string sumOf(const std::string &content) {
  uint64_t sum = 14695981039346656037ull;
  for (const unsigned char c : content) sum = (sum ^ c) * 1099511628211ull;
  char text[18];
  snprintf(text, sizeof text, "%016lx\n", sum);
  return text;
}

@implementation MTLBinaryArchiveDescriptor

@synthesize url;

- (id)copyWithZone:(NSZone *)zone {
  MTLBinaryArchiveDescriptor *copy = [MTLBinaryArchiveDescriptor new];
  copy.url = self.url;
  return copy;
}

@end

@implementation FakeArchive {
  FakeDevice *_device;
  std::set<std::string> _functions;
}

@synthesize label;

+ (instancetype)newArchiveOf:(FakeDevice *)device
               descriptor:(MTLBinaryArchiveDescriptor *)descriptor
                    error:(NSError **)error {
  FakeArchive *archive = [FakeArchive new];
  archive->_device = device;
  if (fails("archive"))
    return refuse(error, MTLBinaryArchiveDomain, MTLBinaryArchiveErrorInvalidFile, "a failure that a test asked for");
  if (descriptor.url == nil) return archive;
  NSData *data = [NSData dataWithContentsOfURL:descriptor.url options:NSDataReadingMappedIfSafe error:nullptr];
  const std::string path = text(descriptor.url.path);
  if (data == nil)
    return refuse(error, MTLBinaryArchiveDomain, MTLBinaryArchiveErrorInvalidFile, "no archive at " + path);
  const std::string file((const char *)data.bytes, data.length);
  const size_t head = magic.size() + sumOf("").size();
  if (file.size() < head || !file.starts_with(magic) || file.substr(magic.size(), 17) != sumOf(file.substr(head)))
    return refuse(error, MTLBinaryArchiveDomain, MTLBinaryArchiveErrorInvalidFile, path + " is damaged");
  std::istringstream lines(file.substr(head));
  for (std::string line; std::getline(lines, line);) archive->_functions.insert(line);
  return archive;
}

- (id<MTLDevice>)device {
  return _device;
}

- (BOOL)holds:(const std::string &)key {
  return _functions.contains(key);
}

- (BOOL)addComputePipelineFunctionsWithDescriptor:(MTLComputePipelineDescriptor *)descriptor error:(NSError **)error {
  FakeFunction *function = (FakeFunction *)descriptor.computeFunction;
  if (function == nil) {
    refuse(error, MTLBinaryArchiveDomain, MTLBinaryArchiveErrorUnexpectedElement, "computeFunction is nil");
    return NO;
  }
  _functions.insert(function->_key);
  return YES;
}

- (BOOL)serializeToURL:(NSURL *)url error:(NSError **)error {
  if (_functions.empty() || fails("archive-write")) {
    const std::string why = _functions.empty() ? "the archive is empty" : "a failure that a test asked for";
    refuse(error, MTLBinaryArchiveDomain, MTLBinaryArchiveErrorInternalError, why);
    return NO;
  }
  std::string content;
  for (const std::string &function : _functions) content += function + "\n";
  const std::string file = magic + sumOf(content) + content;
  NSData *data = [NSData dataWithBytes:file.data() length:file.size()];
  return [data writeToURL:url options:0 error:error];
}

@end
