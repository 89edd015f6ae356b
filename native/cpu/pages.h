#pragma once

#include "vec.h"

// Pages of a tensor that is gone through in order: their addresses are looked up before they are needed.

namespace mrope::cpu::MROPE_ISA {

/** What is fetched ahead of each row in turn. */
class Pages {
 public:
  explicit Pages(const Tensor &x)
      : row((uintptr_t)x.dim * bytesOf(x.type)), end((uintptr_t)x.data + (uintptr_t)x.elements() * bytesOf(x.type)) {}

  /**
   * Once a page, the first line of the page 16 behind it. Processors fetch ahead within a page only, and wait for the
   * address of a new one; any other line of it would confuse them.
   */
  MROPE_MEMBER void fetch(const void *at) const {
    constexpr uintptr_t page = 4096;
    const uintptr_t within = (uintptr_t)at % page, next = (uintptr_t)at - within + 16 * page;
    if (within < row && next < end) __builtin_prefetch((const void *)next);
  }

 private:
  uintptr_t row, end;
};

}  // namespace mrope::cpu::MROPE_ISA
