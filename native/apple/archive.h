#pragma once

#import <Metal/Metal.h>

#include <mutex>
#include <string>

namespace mrope::apple {

/**
 * Pipelines that were built before, in a file for this device, operating system and kernel sources. It only saves time:
 * whatever goes wrong with it is passed over, and a file that does not load is deleted.
 *
 * The folder is MROPE_CACHE_DIR, or ~/Library/Caches/mrope; with MROPE_CACHE_DIR set to nothing there is no file.
 */
class Archive {
 public:
  explicit Archive(id<MTLDevice> device);

  /** For MTLComputePipelineDescriptor.binaryArchives; nil where there is none. */
  NSArray<id<MTLBinaryArchive>> *list() const;

  /** Takes a new pipeline in and writes the file. */
  void add(MTLComputePipelineDescriptor *descriptor);

 private:
  void write();

  std::mutex mutex_;
  std::string path_;
  id<MTLBinaryArchive> archive_ = nil;
};

}  // namespace mrope::apple
