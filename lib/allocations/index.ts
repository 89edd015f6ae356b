import { MropeRangeError, show } from '../errors.js'
import { type Allocation, areCounts, axisMap, checkPairs, checkSections } from './allocation.js'

const maxHeads = 1024

const t = 0
const h = 1
const w = 2

/** Runs of pairs, one for each axis in order: `T×16 H×24 W×24`. Qwen2-VL `apply_multimodal_rotary_pos_emb`. */
function chunked(sections: readonly number[], pairs: number): Allocation {
  checkSections(sections, pairs, 'chunked')
  return axisMap(
    'chunked',
    sections.length,
    sections.flatMap((count, axis) => Array<number>(count).fill(axis)),
  )
}

/**
 * All T; then H at 1, 4, … below 3·sections[1] and W at 2, 5, … below 3·sections[2]. sections[0] is implied.
 * Qwen3-VL `apply_interleaved_mrope`.
 */
function interleaved(sections: readonly number[], pairs: number): Allocation {
  checkSections(sections, pairs, 'interleaved')
  checkAxes(sections, 3, 'interleaved')
  return axisMap(
    'interleaved',
    3,
    Array.from({ length: pairs }, (_, f) =>
      f % 3 === h && f < 3 * sections[h] ? h : f % 3 === w && f < 3 * sections[w] ? w : t,
    ),
  )
}

/** As `interleaved`, but T too ends with its section and what is left reads the fourth axis. ggml `ggml_mrope_cache_init`, IMROPE. */
function ggmlInterleaved(sections: readonly number[], pairs: number): Allocation {
  checkSections(sections, pairs, 'ggmlInterleaved')
  checkAxes(sections, 4, 'ggmlInterleaved')
  const e = 3
  return axisMap(
    'ggml-interleaved',
    4,
    Array.from({ length: pairs }, (_, f) => (f < 3 * sections[f % 3] ? f % 3 : e)),
  )
}

/**
 * H and W in turn on the highest frequencies, T on the lowest: `(HW)×22 T×20`. Sections are pairs of h, w, t.
 * Ernie 4.5 VL; VideoRoPE `apply_m_modify_multimodal_rotary_pos_emb`.
 */
function spatialFirst(sections: readonly number[], pairs: number): Allocation {
  checkSections(sections, pairs, 'spatialFirst')
  checkAxes(sections, 3, 'spatialFirst')
  const [rows, columns] = sections
  if (rows !== columns) {
    const message = `spatialFirst: h and w alternate, so their sections are equal, got ${show(sections)}`
    throw new MropeRangeError('ERR_MROPE_SECTIONS', message, sections)
  }
  return axisMap(
    'spatial-first',
    3,
    Array.from({ length: pairs }, (_, f) => (f < rows + columns ? h + (f % 2) : t)),
  )
}

/** As `spatialFirst`, but the temporal pairs do not turn at all, for text too. HoPE `apply_hybrid_multimodal_rotary_pos_emb`. */
function spatialOnly(sections: readonly number[], pairs: number): Allocation {
  const full = spatialFirst(sections, pairs)
  return { ...full, name: 'spatial-only', axisOf: full.axisOf.map((axis) => (axis === t ? -1 : axis)) }
}

/** VideoRoPE and HoPE as ported by JJJYmmm/Multimodal-RoPEs: slot 0 goes to T, so H has odd and W even slots. */
function spatialFirstPort(sections: readonly number[], pairs: number): Allocation {
  const { axisOf } = spatialFirst(sections, pairs)
  const spatial = sections[0] + sections[1]
  return axisMap(
    'spatial-first-port',
    3,
    axisOf.map((_, f) => (f === 0 || f >= spatial ? t : f % 2 === 1 ? h : w)),
  )
}

/** HoPE in the same port: it frees the T of `spatialFirstPort`, so the highest frequency does not turn either. */
function spatialOnlyPort(sections: readonly number[], pairs: number): Allocation {
  const full = spatialFirstPort(sections, pairs)
  return { ...full, name: 'spatial-only-port', axisOf: full.axisOf.map((axis) => (axis === t ? -1 : axis)) }
}

/**
 * The axes and frequencies of `spatialFirst` in another order of pairs: H with the even frequencies, W with the odd
 * ones, then T. Sections are pairs of h, w, t. Cohere Compass `compute_default_rope_parameters`.
 */
function splitSpatial(sections: readonly number[], pairs: number): Allocation {
  spatialFirst(sections, pairs)
  const [rows, columns] = sections
  const axisOf = [
    ...Array<number>(rows).fill(h),
    ...Array<number>(columns).fill(w),
    ...Array<number>(sections[2]).fill(t),
  ]
  const frequencyOf = axisOf.map((axis, f) => (axis === h ? 2 * f : axis === w ? 2 * (f - rows) + 1 : f))
  return axisMap('split-spatial', 3, axisOf, frequencyOf)
}

/** A pattern of axes repeated over the pairs: `TTHWHWHW` of MM-RoPE (Lumos-1), the axes in turn of NeoMME and VRoPE. */
function repeated(pattern: readonly number[], pairs: number): Allocation {
  checkPairs(pairs, 'repeated')
  if (!areCounts(pattern) || pattern.length === 0 || pattern.some((axis) => axis >= 8)) {
    throw new MropeRangeError(
      'ERR_MROPE_SECTIONS',
      `repeated: a pattern of axis numbers, got ${show(pattern)}`,
      pattern,
    )
  }
  return axisMap(
    'repeated',
    Math.max(...pattern) + 1,
    Array.from({ length: pairs }, (_, f) => pattern[f % pattern.length]),
  )
}

/**
 * One pair after another goes to the axis that is furthest behind its share and was not taken just before; one T is kept
 * for the end. openPangu-VL, vLLM `MRotaryEmbeddingInterleaved.get_mrope_interleaved_id_list` with `force_last`.
 */
function greedy(sections: readonly number[], pairs: number): Allocation {
  checkSections(sections, pairs, 'greedy')
  checkAxes(sections, 3, 'greedy')
  if (sections[t] < 1) {
    throw new MropeRangeError(
      'ERR_MROPE_SECTIONS',
      `greedy: the last pair is T, got sections ${show(sections)}`,
      sections,
    )
  }
  const quota = [sections[t] - 1, sections[h], sections[w]]
  const placed = [0, 0, 0]
  const axisOf: number[] = []
  while (axisOf.length < pairs - 1) {
    const open = [t, h, w].filter((axis) => placed[axis] < quota[axis])
    const fresh = open.filter((axis) => axis !== axisOf.at(-1))
    const choice = fresh.length > 0 ? fresh : open
    const share = (axis: number): number => placed[axis] / quota[axis]
    const axis = choice.reduce((best, candidate) => (share(candidate) < share(best) ? candidate : best))
    placed[axis]++
    axisOf.push(axis)
  }
  return axisMap('greedy', 3, [...axisOf, t])
}

/**
 * MHRoPE: every KV head has the whole spectrum on one axis; sections count KV heads, heads behind them do not turn.
 * Query heads follow their KV head. JJJYmmm/Multimodal-RoPEs `freq_allocation/mhrope.py`.
 */
function perHead(sections: readonly number[], pairs: number, kvHeads: number): Allocation {
  checkPairs(pairs, 'perHead')
  if (!Number.isSafeInteger(kvHeads) || kvHeads < 1 || kvHeads > maxHeads) {
    const message = `perHead: the number of KV heads is an integer from 1 to ${maxHeads}, got ${show(kvHeads)}`
    throw new MropeRangeError('ERR_MROPE_HEADS', message, kvHeads)
  }
  const taken = areCounts(sections) ? sections.reduce((sum, n) => sum + n, 0) : Number.NaN
  if (!(taken <= kvHeads) || taken < 1) {
    const message = `perHead: sections ${show(sections)} count KV heads and sum to at most ${kvHeads}`
    throw new MropeRangeError('ERR_MROPE_SECTIONS', message, sections)
  }
  const axisOfHead = sections.flatMap((count, axis) => Array<number>(count).fill(axis))
  const axisOf = new Int8Array(kvHeads * pairs)
  for (let head = 0; head < kvHeads; head++) axisOf.fill(axisOfHead[head] ?? -1, head * pairs, (head + 1) * pairs)
  return { name: 'per-head', axes: sections.length, pairs, heads: kvHeads, axisOf }
}

/** All pairs on one axis. */
function single(pairs: number): Allocation {
  return axisMap('single', 1, new Int8Array(checkPairs(pairs, 'single')))
}

/** Vision towers: the first half of the pairs turns with rows, the second with columns. Axes h, w. */
function axial(pairs: number): Allocation {
  if (checkPairs(pairs, 'axial') % 2 !== 0) {
    throw new MropeRangeError('ERR_MROPE_SECTIONS', `axial: an even number of pairs, got ${pairs}`, pairs)
  }
  return axisMap(
    'axial',
    2,
    Array.from({ length: pairs }, (_, f) => (f < pairs / 2 ? 0 : 1)),
  )
}

function checkAxes(sections: readonly number[], count: number, name: string): void {
  if (sections.length === count) return
  throw new MropeRangeError('ERR_MROPE_SECTIONS', `${name}: ${count} sections, got ${show(sections)}`, sections)
}

/** Every allocation by name. `sections` are numbers of pairs, except for `perHead`. */
export const allocations = {
  single,
  chunked,
  interleaved,
  ggmlInterleaved,
  spatialFirst,
  spatialOnly,
  spatialFirstPort,
  spatialOnlyPort,
  splitSpatial,
  repeated,
  greedy,
  perHead,
  axial,
} as const
