#include "call.h"

#include "../core/check.h"

namespace mrope::binding {

Tensor Call::tensor(std::size_t i, const char *what, DType type, int64_t tokens, int64_t heads, int64_t dim) {
  Tensor t = {nullptr, type, tokens, heads, dim};
  if (!ok()) return t;
  if (Status s = checkDims(name_, what, t); !s.ok()) {
    fail(s);
    return t;
  }
  int64_t length = 0;
  t.data = storage(i, what, type, length);
  if (ok() && length != t.elements()) {
    fail(Status::range(code::shape, text(what, "needs ") + std::to_string(t.elements()) + " elements, its memory has " +
                                        std::to_string(length)));
  }
  return t;
}

}  // namespace mrope::binding
