#pragma once

// MSL's vocabulary as C++20, force-included (precompiled) before a rewritten .metal file.
//
// Address spaces vanish: the rewriter has read them, the address-space lane checks them. Only public vocabulary that
// kernels of this package use is here; an unknown word is a compile error, with the line of the .metal file.

#include "scalar.h"

#include "vector.h"

#include "matrix.h"

#include "math.h"

#include "integer.h"

#include "relational.h"

#include "simdgroup.h"

#include "simdgroup_matrix.h"

#include "atomic.h"

#include "names.h"

#include "entry.h"

#include "track.h"

#include "keywords.h"
