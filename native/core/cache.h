#pragma once

#include "arena.h"
#include "params.h"
#include "status.h"

namespace mrope {

/**
 * Keys and values of one layer, in the order of the tokens: (capacity, kvHeads, headDim) and (capacity, kvHeads,
 * valueDim). Keys are stored rotated. Users are counted by the caller's thread: any number read, or one writes.
 */
class KvCache {
 public:
  /** Allocates; nothing is written before it is appended. */
  Status open(DType type, int64_t kvHeads, int64_t headDim, int64_t valueDim, int64_t capacity);
  void close();

  bool isOpen() const { return capacity_ > 0; }
  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  int64_t bytes() const { return int64_t(k_.size() + v_.size()); }

  /** Views of tokens from … from + tokens. */
  Tensor keys(int64_t from, int64_t tokens);
  Tensor values(int64_t from, int64_t tokens);

  /** Readers and writers; false where they exclude each other. */
  bool beginRead();
  bool beginWrite();
  void endRead() { readers_--; }
  void endWrite() { writing_ = false; }

  void setLength(int64_t length) { length_ = length; }

 private:
  Arena k_, v_;
  DType type_ = DType::Float32;
  int64_t kvHeads_ = 0, headDim_ = 0, valueDim_ = 0, capacity_ = 0, length_ = 0;
  int readers_ = 0;
  bool writing_ = false;
};

}  // namespace mrope
