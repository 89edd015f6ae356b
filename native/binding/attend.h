#pragma once

#include <vector>

#include "call.h"
#include "layout.h"
#include "work.h"

namespace mrope::binding {

/** An attention and the small arrays that must not change under it. */
struct AttendJobData {
  Attend a;
  std::vector<int32_t> cuSeqlens;
  std::vector<double> scales;
};

/**
 * Reads attend's arguments from `params` on. With `cached`, k and v are given by the caller and q is followed by out:
 * (params, q, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm), with `skipped` other arguments behind q.
 */
void readAttend(Call &call, std::size_t params, bool cached, const Tensor &k, const Tensor &v, AttendJobData &data,
                std::size_t skipped = 0);

/** Reads rotate's arguments from `params` on: (params, x, out, cos, sin, norm). */
void readRotate(Call &call, std::size_t params, Rotate &r);

/** Reads the angles of a table from `params` on: (params, ids, invFreq, axisOf, directions). `axisOf` gets a copy. */
void readAngles(Call &call, std::size_t params, Angles &a, std::vector<int32_t> &axisOf);

/** A rotary table (heads, tokens, pairs). */
Table readTable(Call &call, std::size_t cos, int64_t heads, int64_t tokens, int64_t pairs, bool adjacent);

}  // namespace mrope::binding
