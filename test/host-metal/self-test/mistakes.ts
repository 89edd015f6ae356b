import type { Lane } from './launch.js'

/** A kernel or a launch with one mistake, and what the lane (strict, if not said) has to say about it. */
export interface Mistake {
  file: string
  kernel: string
  options: string
  says: RegExp
  lane?: Lane
  defines?: Record<string, string>
}

/** A buffer to read, 0 1 2 …, and one to write. */
export const inOut = (n: number, type = 'float') =>
  `--buffer 0:${type}:${n} --buffer 1:${type}:${n}:unwritten --print 1`
export const threads = (groups: number, per: number) => `--groups ${groups} --threads ${per}`
const group = `${inOut(256)} ${threads(2, 128)}`
const scaled = (n: number, size = n) => `${inOut(size)} --bytes 2:uint:${n},1073741824 ${threads(4, 32)}`

export const mistakes: Record<string, Mistake> = {
  'a missing threadgroup_barrier': {
    file: 'sum',
    kernel: 'sum_no_barrier',
    options: group,
    says: /sum_no_barrier: race on byte \d+ of threadgroup memory 'part': .* no barrier orders them \[sum\.metal:\d+\]/,
  },
  'a barrier for the other memory': {
    file: 'sum',
    kernel: 'sum_wrong_flag',
    options: group,
    says: /race on byte \d+ of threadgroup memory 'part'/,
  },
  'a barrier that one simdgroup does not reach': {
    file: 'sum',
    kernel: 'sum_divergent_barrier',
    options: group,
    says: /divergence: 96 of 128 threads reach the threadgroup_barrier at sum\.metal:\d+, the others left/,
    lane: 'plain',
  },
  'a thread that leaves before a barrier': {
    file: 'sum',
    kernel: 'sum_early_exit',
    options: group,
    says: /divergence: 127 of 128 threads reach the threadgroup_barrier/,
    lane: 'plain',
  },
  'a store past a threadgroup variable': {
    file: 'sum',
    kernel: 'sum_out_of_bounds',
    options: group,
    says: /store out of bounds: byte 24 of threadgroup memory 'part', which has 20 \(thread 96 of threadgroup/,
  },
  'a threadgroup element that nobody wrote': {
    file: 'sum',
    kernel: 'sum_uninitialised',
    options: group,
    says: /uninitialised byte 16 of threadgroup memory 'part' is loaded by thread \d+/,
  },
  'a simdgroup_barrier between simdgroups': {
    file: 'sum',
    kernel: 'sum_ordered_by_simdgroup',
    options: group,
    says: /race on byte \d+ of threadgroup memory 'part'/,
  },
  'a missing simdgroup_barrier': {
    file: 'lanes',
    kernel: 'mirror_no_barrier',
    options: group,
    says: /race on byte \d+ of threadgroup memory 'rows'/,
  },
  'a shuffle that half of the lanes reach': {
    file: 'lanes',
    kernel: 'mirror_half_of_the_lanes',
    options: group,
    says: /divergence: 16 of 32 threads reach the simdgroup operation at lanes\.metal:\d+/,
    lane: 'plain',
  },
  'a store past a buffer, seen by its guard page': {
    file: 'groups',
    kernel: 'scale_one_too_many',
    options: scaled(100),
    says: /access out of bounds: byte 400 of buffer 'b1' at index 1, which has 400 \(thread 4 of threadgroup/,
    lane: 'plain',
  },
  'a store past a buffer, within its last 16 bytes': {
    file: 'groups',
    kernel: 'scale_one_too_many',
    options: scaled(99),
    says: /store out of bounds: byte 396 of buffer 'b1' at index 1, which has 396/,
  },
  'a load before a buffer': {
    file: 'groups',
    kernel: 'scale_reads_before',
    options: scaled(100),
    says: /load out of bounds: 4 bytes before buffer 'b0' at index 0 \(thread 0/,
  },
  'two threadgroups that store the same element': {
    file: 'groups',
    kernel: 'scale_overlapping',
    options: scaled(125),
    says: /race on byte 124 of buffer 'b1' .* stores over what thread 31 of another threadgroup stored in/,
  },
  'a store into a window of a buffer that others load': {
    file: 'groups',
    kernel: 'scale',
    options: `--buffer 0:float:96 --window 1:0:32:64 --bytes 2:uint:64,1073741824 ${threads(2, 32)}`,
    says: /race on byte 128 of buffer 'b0' at index 0: thread 0 of .* loads what thread 0 of another threadgroup stored/,
  },
  'a threadgroup that reads what another one stores': {
    file: 'groups',
    kernel: 'running',
    options: `${inOut(8)} ${threads(8, 32)}`,
    says: /race on byte 0 of buffer 'b1' .* loads what thread 0 of another threadgroup stored/,
  },
  'an element of an output that nobody wrote': {
    file: 'groups',
    kernel: 'accumulate',
    options: `${inOut(32)} ${threads(1, 32)}`,
    says: /uninitialised byte 0 of buffer 'b1' at index 1 is loaded by thread 0/,
  },
  'a counter without atomics': {
    file: 'groups',
    kernel: 'count_without_atomics',
    options: `--buffer 1:uint:1:zero ${threads(2, 64)}`,
    says: /race on byte 0 of buffer 'b1'/,
  },
  'a loop without end': {
    file: 'groups',
    kernel: 'count_down',
    options: `--buffer 1:uint:32:zero --bytes 2:uint:0,0 --seconds 0.2 ${threads(1, 32)}`,
    says: /gave up, the processor time of the launch is used up \(thread 0.*\[groups\.metal:\d+\]/,
    lane: 'plain',
  },
  'an integer division by zero': {
    file: 'groups',
    kernel: 'divide',
    options: `${inOut(32, 'int')} ${threads(1, 32)}`,
    says: /integer division by zero \(thread 0 of threadgroup \(0, 0, 0\)\) \[groups\.metal:\d+\]/,
    lane: 'plain',
  },
  'too much threadgroup memory': {
    file: 'memory',
    kernel: 'turn',
    options: `${inOut(64)} --threadgroup 0:1024 ${threads(1, 64)}`,
    says: /turn: 33808 bytes of threadgroup memory, at most 32768/,
    lane: 'plain',
    defines: { ROWS: '32' },
  },
  'more threads than the kernel allows': {
    file: 'memory',
    kernel: 'turn',
    options: `${inOut(96)} --threadgroup 0:1024 ${threads(1, 96)}`,
    says: /turn: 96 threads per threadgroup, at most 64/,
    lane: 'plain',
    defines: { ROWS: '2' },
  },
  'a threadgroup argument without size': {
    file: 'memory',
    kernel: 'turn',
    options: `${inOut(64)} ${threads(1, 64)}`,
    says: /turn: threadgroup\(0\) 'more' has no size/,
    lane: 'plain',
    defines: { ROWS: '2' },
  },
  'a function constant that is used but not set': {
    file: 'constants',
    kernel: 'describe',
    options: `--buffer 1:float:3:unwritten --constant 4:int:7 --grid 3`,
    says: /describe: function constant 5 \(half_of_it\) is used, but has no value/,
  },
  'a function constant at the wrong index': {
    file: 'constants',
    kernel: 'describe',
    options: `--buffer 1:float:3:unwritten --constant 3:int:7 --grid 3`,
    says: /describe: function constant 3 does not exist in the library/,
    lane: 'plain',
  },
  'a function constant of the wrong type': {
    file: 'constants',
    kernel: 'describe',
    options: `--buffer 1:float:3:unwritten --constant 4:uint:7 --grid 3`,
    says: /describe: function constant 4 \(group\) is int, not uint/,
    lane: 'plain',
  },
  'a buffer at the wrong index': {
    file: 'groups',
    kernel: 'accumulate',
    options: `--buffer 0:float:32 --buffer 2:float:32:zero ${threads(1, 32)}`,
    says: /accumulate: buffer\(2\) is bound, the kernel has none there/,
    lane: 'plain',
  },
  'a buffer that is not bound': {
    file: 'groups',
    kernel: 'accumulate',
    options: `--buffer 1:float:32:zero ${threads(1, 32)}`,
    says: /accumulate: (access|load) of 'in' at index 0, where nothing is bound \(thread 0/,
    lane: 'plain',
  },
  'parameters that are too small': {
    file: 'groups',
    kernel: 'scale',
    options: `${inOut(32)} --bytes 2:uint:32 ${threads(1, 32)}`,
    says: /scale: buffer\(2\) 'p' needs 8 bytes, 4 bytes are bound/,
    lane: 'plain',
  },
}
