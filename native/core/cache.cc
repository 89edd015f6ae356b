#include "cache.h"

#include <string>

#include "check.h"

namespace mrope {

Status KvCache::open(DType type, int64_t kvHeads, int64_t headDim, int64_t valueDim, int64_t capacity) {
  if (kvHeads < 1 || headDim < 1 || valueDim < 1 || capacity < 1) {
    return Status::range(code::shape, "cache: kvHeads, headDim, valueDim and capacity must be at least 1");
  }
  const Tensor k = {nullptr, type, capacity, kvHeads, headDim}, v = {nullptr, type, capacity, kvHeads, valueDim};
  if (Status s = checkDims("cache", "k", k); !s.ok()) return s;
  if (Status s = checkDims("cache", "v", v); !s.ok()) return s;
  const std::size_t kBytes = k.elements() * bytesOf(type), vBytes = v.elements() * bytesOf(type);
  if (!k_.reserve(kBytes) || !v_.reserve(vBytes)) {
    close();
    return outOfMemory("cache", kBytes + vBytes);
  }
  type_ = type;
  kvHeads_ = kvHeads;
  headDim_ = headDim;
  valueDim_ = valueDim;
  capacity_ = capacity;
  length_ = 0;
  return {};
}

void KvCache::close() {
  k_.release();
  v_.release();
  capacity_ = length_ = 0;
}

Tensor KvCache::keys(int64_t from, int64_t tokens) {
  Tensor all = {k_.reserve(0), type_, capacity_, kvHeads_, headDim_};
  return {all.at(from, 0), type_, tokens, kvHeads_, headDim_};
}

Tensor KvCache::values(int64_t from, int64_t tokens) {
  Tensor all = {v_.reserve(0), type_, capacity_, kvHeads_, valueDim_};
  return {all.at(from, 0), type_, tokens, kvHeads_, valueDim_};
}

bool KvCache::beginRead() {
  if (writing_) return false;
  readers_++;
  return true;
}

bool KvCache::beginWrite() {
  if (writing_ || readers_ > 0) return false;
  writing_ = true;
  return true;
}

}  // namespace mrope
