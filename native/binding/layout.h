#pragma once

// Numbers cross from JavaScript as one Float64Array per call: reading properties one by one costs more than small work.
// lib/backends/cpu writes the same places. Whole numbers unless said otherwise; flags are added up.

namespace mrope::binding {

namespace flag {
enum : int { causal = 1, rotateQ = 2, rotateK = 4, adjacent = 8, qNormAfter = 16, kNormAfter = 32, inverse = 64 };
}

/** attend(params, q, k, v, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, abort) */
namespace attendAt {
enum : int {
  qType, kType, vType, outType,
  queries, keys, heads, kvHeads, headDim, valueDim,
  queryOffset, flags, window, padding,
  tableHeads, tableTokens, pairs, tableOffset,
  /** Floats. */
  scale, qEps, kEps,
  biasKind, biasType, biasHeads, biasSpan, biasOrigin, biasRows, biasColumns,
  count
};
}

/** rotate(params, x, out, cos, sin, norm, abort) */
namespace rotateAt {
enum : int { xType, outType, tokens, heads, headDim, tableHeads, pairs, flags, /** Float. */ eps, count };
}

/** table(params, ids, invFreq, axisOf, directions, cos, sin, abort) */
namespace tableAt {
enum : int { axes, tokens, heads, pairs, /** Float. */ factor, count };
}

/** cacheCreate(params) */
namespace cacheAt {
enum : int { type, kvHeads, headDim, valueDim, capacity, count };
}

/** cacheAppend(cache, params, k, v, cos, sin, kNorm, abort) */
namespace appendAt {
enum : int { kType, vType, tokens, tableHeads, pairs, flags, /** Float. */ eps, count };
}

/** cacheRerotate(cache, params, cos, sin, abort): the table has one row for each of the tokens from … from + tokens. */
namespace rerotateAt {
enum : int { from, tokens, tableHeads, pairs, flags, count };
}

/**
 * cacheStep(cache, params, q, k, v, out, cos, sin, bias, cuSeqlens, scales, qNorm, kNorm, abort): params of attend; the
 * tokens of k and v are those of q, and the table, where rotateQ is set, has a row for each of them.
 */

/** cacheDrop(cache, params, cos, sin, abort): takes out tokens; the table has a row for each of those behind. */
namespace dropAt {
enum : int { from, tokens, tableHeads, pairs, flags, count };
}

/** cacheRead(cache, params, k, v): copies tokens out, in the types given. */
namespace readAt {
enum : int { kType, vType, from, tokens, count };
}

}  // namespace mrope::binding
