#pragma once

// Last: MSL's keywords, which the standard headers above must not see.

#define METAL_FUNC inline __attribute__((always_inline))
#define kernel
#define device
#define constant const
#define thread
#define threadgroup
