#pragma once

#include "../../metal/params.h"
#include "../core/params.h"
#include "device.h"

// What the planners of this folder take and make. A planner turns a checked request into dispatches; it compiles what it
// needs, allocates scratch memory and copies small tables to the device, and submits nothing itself.

namespace mrope::gpu {

/** A tensor (tokens, heads, dim) in device memory; the channels of a row are neighbours. */
struct View {
  BufferRef buffer;
  /** Bytes from the start of the buffer to element (0, 0, 0). */
  size_t offset = 0;
  DType type = DType::Float32;
  int64_t tokens = 0, heads = 0, dim = 0;
  /** Elements from one token to the next and from one head to the next. */
  int64_t tokenStride = 0, headStride = 0;

  /** Dense, as the host's tensors are. */
  static View of(BufferRef buffer, DType type, int64_t tokens, int64_t heads, int64_t dim, size_t offset = 0) {
    return {std::move(buffer), offset, type, tokens, heads, dim, heads * dim, dim};
  }
};

/** Rotated keys and values of one layer: [kvHeads][capacity][dim] each. Their dims may differ. */
struct CacheView {
  BufferRef k, v;
  size_t kOffset = 0, vOffset = 0;
  DType type = DType::Float32;
  int64_t kvHeads = 0, headDim = 0, valueDim = 0, capacity = 0;

  /** Rows slot … slot + tokens of all heads. */
  View keys(int64_t slot, int64_t tokens) const { return rows(k, kOffset, headDim, slot, tokens); }
  View values(int64_t slot, int64_t tokens) const { return rows(v, vOffset, valueDim, slot, tokens); }

 private:
  View rows(const BufferRef &buffer, size_t offset, int64_t dim, int64_t slot, int64_t tokens) const {
    return {buffer, offset + slot * dim * bytesOf(type), type, tokens, kvHeads, dim, dim, capacity * dim};
  }
};

/** RMS norm of every row: core's Norm with its weight (dim), float32, on the device. */
struct RowNorm {
  NormPlace place = NormNone;
  BufferRef weight;
  size_t offset = 0;
  double eps = 0;
};

/** What is added to the scores: core's Bias with its values on the device. */
struct BiasView {
  BiasKind kind = BiasKind::None;
  BufferRef values;
  size_t offset = 0;
  DType type = DType::Float32;
  int64_t heads = 0, span = 0, origin = 0, rows = 0, columns = 0;
};

/** Work to submit, in order, and the device memory that it holds besides its operands. */
struct Plan {
  std::vector<Dispatch> dispatches;
  size_t scratchBytes = 0;
};

/** That a tensor lies within its buffer, and that its numbers fit the 32 bits of the kernels' parameters. */
Status checkView(const char *caller, const char *name, const View &);
Status checkCache(const char *caller, const CacheView &);

/** MSL's name of a storage type: the value of the macros that choose one. */
inline const char *mslType(DType type) {
  return type == DType::Float32 ? "float" : type == DType::Float16 ? "half" : "bfloat";
}

}  // namespace mrope::gpu
