#pragma once

#include "params.h"
#include "status.h"

namespace mrope {

/** Every check of an operation. The lengths of the memory behind the pointers are the caller's to check. */
Status check(const Rotate &);
Status check(const Attend &);
Status check(const Angles &);

/** Dims that a tensor can have: no overflow in elements or bytes. */
Status checkDims(const char *caller, const char *name, const Tensor &);

}  // namespace mrope
