import { MropeRangeError, MropeTypeError, show } from '../errors.js'
import { type CanvasSegment, cells, type Grid, maxTokens, type Segment, type SegmentKind, tokensOf } from './segment.js'

const keysOf: { readonly [K in SegmentKind]: readonly string[] } = {
  text: ['kind', 'length'],
  image: ['kind', 'grid', 'rowEnds'],
  video: ['kind', 'grid', 'secondsPerGrid'],
  audio: ['kind', 'length'],
  'audio-video': ['kind', 'grid', 'secondsPerGrid', 'audioLength', 'streams'],
  canvas: ['kind', 'thumbnail', 'slices', 'trailing'],
  slices: ['kind', 'slices', 'thumbnail', 'thumbnailAt', 'order', 'rowEnds'],
  queries: ['kind', 'length'],
}

/**
 * Checks one declared segment and returns a frozen copy of it.
 * @throws MropeTypeError ERR_MROPE_SEGMENT, MropeRangeError ERR_MROPE_GRID | ERR_MROPE_SEGMENT
 */
export function checkSegment(value: unknown, index: number): Segment {
  const at = `segment ${index}`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MropeTypeError('ERR_MROPE_SEGMENT', `${at}: expected an object with a kind, got ${show(value)}`, value)
  }
  const segment = { ...value } as { kind: SegmentKind } & Record<string, unknown>
  const known =
    typeof segment.kind === 'string' && Object.hasOwn(keysOf, segment.kind) ? keysOf[segment.kind] : undefined
  if (!known) {
    const kinds = Object.keys(keysOf).join(', ')
    throw new MropeTypeError(
      'ERR_MROPE_SEGMENT',
      `${at}: kind is one of ${kinds}, got ${show(segment.kind)}`,
      segment.kind,
    )
  }
  const unknown = Object.keys(segment).find((key) => !known.includes(key))
  if (unknown !== undefined) {
    throw new MropeTypeError('ERR_MROPE_SEGMENT', `${at}: ${segment.kind} has no property ${show(unknown)}`, unknown)
  }
  const checked = { ...segment } as Record<string, unknown>
  if (known.includes('length')) checked.length = checkCount(segment.length, `${at}: length`)
  if (known.includes('grid')) checked.grid = checkGrid(segment.grid, at)
  if (segment.kind === 'audio-video') checked.audioLength = checkCount(segment.audioLength, `${at}: audioLength`)
  if (segment.kind === 'canvas') {
    checked.thumbnail = checkSides(segment.thumbnail, `${at}: thumbnail`)
    if (segment.trailing !== undefined) checked.trailing = checkCount(segment.trailing, `${at}: trailing`)
    if (segment.slices !== undefined) checked.slices = checkSlices(segment.slices, at)
  }
  if (segment.kind === 'slices') {
    checked.slices = checkSlices(segment.slices, at)
    if (segment.thumbnail !== undefined) checked.thumbnail = checkSides(segment.thumbnail, `${at}: thumbnail`)
    checkChoice(segment.thumbnailAt, ['front', 'back'], `${at}: thumbnailAt`)
    checkChoice(segment.order, ['slices', 'rows'], `${at}: order`)
  }
  checkSeconds(segment.secondsPerGrid, at)
  if (segment.streams !== undefined) checked.streams = checkStreams(segment.streams, checked, at)
  if (segment.rowEnds !== undefined && typeof segment.rowEnds !== 'boolean') {
    throw new MropeTypeError(
      'ERR_MROPE_SEGMENT',
      `${at}: rowEnds is true or false, got ${show(segment.rowEnds)}`,
      segment,
    )
  }
  if (segment.kind === 'slices' && segment.rowEnds && segment.order !== 'rows') {
    const message = `${at}: rowEnds are for slices in the order \`rows\`, got ${show(segment.order)}`
    throw new MropeRangeError('ERR_MROPE_SEGMENT', message, segment.order)
  }
  if (tokensOf(checked as unknown as Segment) > maxTokens) {
    throw new MropeRangeError('ERR_MROPE_SEGMENT', `${at}: more than ${maxTokens} tokens (${show(value)})`, value)
  }
  return Object.freeze(checked) as unknown as Segment
}

/** Three positive integers `[t, h, w]`. */
export function checkGrid(value: unknown, at: string): Grid {
  const list = typeof value === 'object' && value !== null && 'length' in value ? (value as ArrayLike<unknown>) : []
  const grid = list.length === 3 ? Array.from(list, (n) => (typeof n === 'bigint' ? Number(n) : (n as number))) : []
  if (grid.length !== 3 || !grid.every((n) => Number.isSafeInteger(n) && n > 0 && n <= maxTokens)) {
    throw new MropeRangeError(
      'ERR_MROPE_GRID',
      `${at}: a grid is [t, h, w] with three positive integers, got ${show(value)}`,
      value,
    )
  }
  return Object.freeze(grid) as unknown as Grid
}

function checkChoice(value: unknown, known: readonly string[], at: string): void {
  if (value === undefined || known.includes(value as string)) return
  throw new MropeRangeError('ERR_MROPE_SEGMENT', `${at} is ${known.join(' or ')}, got ${show(value)}`, value)
}

function checkSides(value: unknown, at: string): readonly [number, number] {
  const grid = checkGrid(Array.isArray(value) && value.length === 2 ? [1, ...value] : value, at)
  return Object.freeze([grid[1], grid[2]] as const)
}

function checkSlices(value: unknown, at: string): CanvasSegment['slices'] {
  const slices = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const [, rows, columns] = checkGrid([1, slices.rows, slices.columns], `${at}: slices`)
  return Object.freeze({ rows, columns, grid: checkSides(slices.grid, `${at}: slices.grid`) })
}

function checkCount(value: unknown, at: string): number {
  if (typeof value !== 'number') {
    throw new MropeTypeError('ERR_MROPE_SEGMENT', `${at} is a number of tokens, got ${show(value)}`, value)
  }
  if (!Number.isSafeInteger(value) || value < 0 || value > maxTokens) {
    throw new MropeRangeError(
      'ERR_MROPE_SEGMENT',
      `${at} is an integer from 0 to ${maxTokens}, got ${show(value)}`,
      value,
    )
  }
  return value
}

/** One 0 or 1 for each token between the markers; the counts are those of the grid and of the sound. */
function checkStreams(value: unknown, segment: Record<string, unknown>, at: string): Uint8Array {
  const list = Array.isArray(value) || value instanceof Uint8Array ? Array.from(value as ArrayLike<unknown>) : undefined
  if (!list?.every((stream) => stream === 0 || stream === 1)) {
    const message = `${at}: streams is a list of 0 (video) and 1 (audio), got ${show(value)}`
    throw new MropeTypeError('ERR_MROPE_SEGMENT', message, value)
  }
  const audio = list.filter((stream) => stream === 1).length
  const video = cells(segment.grid as Grid)
  if (audio !== segment.audioLength || list.length - audio !== video) {
    const message = `${at}: streams has ${list.length - audio} video and ${audio} audio tokens, expected ${video} and ${segment.audioLength}`
    throw new MropeRangeError('ERR_MROPE_SEGMENT', message, value)
  }
  return Uint8Array.from(list as number[])
}

function checkSeconds(value: unknown, at: string): void {
  if (value === undefined) return
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new MropeRangeError(
      'ERR_MROPE_SEGMENT',
      `${at}: secondsPerGrid is a finite number of seconds, not negative, got ${show(value)}`,
      value,
    )
  }
}
