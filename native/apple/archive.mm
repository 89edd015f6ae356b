#import "archive.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <unistd.h>

#import "../gpu/sources.h"
#import "errors.h"

namespace mrope::apple {
namespace {

std::string folder() {
  if (const char *set = std::getenv("MROPE_CACHE_DIR")) return set;
  const char *home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/Library/Caches/mrope" : "";
}

/** FNV-1a: names a file, protects nothing. */
std::string hashOf(const std::string &text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ uint8_t(c)) * 1099511628211u;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

std::string fileFor(id<MTLDevice> device) {
  const std::string system = textOf(NSProcessInfo.processInfo.operatingSystemVersionString);
  return hashOf(std::string(gpu::metalSourcesHash) + "\n" + textOf(device.name) + "\n" + system) + ".metalarchive";
}

/** Archives of former systems and releases, which nobody has written for a month. */
void removeStale(const std::string &in) {
  std::error_code failure;
  const auto oldest = std::filesystem::file_time_type::clock::now() - std::chrono::hours(24 * 30);
  for (const auto &file : std::filesystem::directory_iterator(in, failure)) {
    if (file.path().extension() != ".metalarchive" || file.last_write_time(failure) > oldest || failure) continue;
    std::filesystem::remove(file.path(), failure);
  }
}

NSURL *urlOf(const std::string &path) { return [NSURL fileURLWithPath:stringOf(path)]; }

id<MTLBinaryArchive> openArchive(id<MTLDevice> device, NSURL *url) {
  MTLBinaryArchiveDescriptor *descriptor = [[MTLBinaryArchiveDescriptor alloc] init];
  descriptor.url = url;
  return [device newBinaryArchiveWithDescriptor:descriptor error:nil];
}

}  // namespace

Archive::Archive(id<MTLDevice> device) {
  const std::string in = folder();
  if (in.empty()) return;
  std::error_code failure;
  std::filesystem::create_directories(in, failure);
  if (failure) return;
  path_ = in + "/" + fileFor(device);
  if (std::filesystem::exists(path_, failure)) {
    archive_ = openArchive(device, urlOf(path_));
    if (!archive_) std::filesystem::remove(path_, failure);
  }
  if (archive_) return;
  removeStale(in);
  archive_ = openArchive(device, nil);
}

NSArray<id<MTLBinaryArchive>> *Archive::list() const {
  if (!archive_) return nil;
  return @[ archive_ ];
}

void Archive::add(MTLComputePipelineDescriptor *descriptor) {
  if (!archive_) return;
  const std::lock_guard lock(mutex_);
  if ([archive_ addComputePipelineFunctionsWithDescriptor:descriptor error:nil]) write();
}

/** Beside the file first, so that another process never reads half of it. */
void Archive::write() {
  static std::atomic<unsigned> count = 0;
  const std::string draft = path_ + "." + std::to_string(getpid()) + "." +
                            std::to_string(count++);
  std::error_code failure;
  if ([archive_ serializeToURL:urlOf(draft) error:nil]) std::filesystem::rename(draft, path_, failure);
  std::filesystem::remove(draft, failure);
}

}  // namespace mrope::apple
