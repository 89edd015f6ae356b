// One new token: decode.metal and its plan.
const kernel = 'metal/decode.metal'
const plan = 'native/gpu/decode.cc'
/** Words of the names of cases. */
const part = (words) => `kernels/decode ${words}`
const test = part('keys 100 pairs 64')
const split = part('cores 64')
const barrier = '\n  threadgroup_barrier(mem_flags::mem_threadgroup);'
const filled = 'fillAngles(rotary, P.rotary.heads > 1u ? kvHead : 0u, 0u, 1u, 1.0f, angles, index, threads);'
const written = 'threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);'
const joined = '\n  MROPE_UNROLL\n  for (int t = 0; t < TQ; t++) {\n    const float shrink'

export const decode = [
  { name: 'the barrier after the angles is missing', file: kernel, from: filled + barrier, to: filled, test },
  { name: 'the barrier after the append and the queries is missing', file: kernel, from: written, to: '', test },
  {
    name: 'the appended row is read behind a barrier for threadgroup memory alone',
    file: kernel,
    from: written,
    to: 'threadgroup_barrier(mem_flags::mem_threadgroup);',
    test,
  },
  { name: 'the barrier after the maxima is missing', file: kernel, from: barrier + joined, to: joined, test },
  {
    name: 'the second row block overwrites the sums of the first',
    file: kernel,
    from: 'if (t + 1 < TQ) threadgroup_barrier(mem_flags::mem_threadgroup);',
    to: '',
    test: part('16/1x128'),
  },
  {
    name: 'keys past the last count',
    file: kernel,
    from: 'if (last < MROPE_KEYS - 1) hideAfter(s, last, column);',
    to: '',
    test,
  },
  {
    name: 'the key after the last is not hidden',
    file: kernel,
    from: 'if (kb * 8 + int(column) + e > last) s[t][kb]',
    to: 'if (kb * 8 + int(column) + e > last + 1) s[t][kb]',
    test,
  },
  {
    name: 'the bias is read beyond its last key',
    file: kernel,
    from: 'const int j = key0 + min(kb * 8 + int(column) + e, last);',
    to: 'const int j = key0 + kb * 8 + int(column) + e;',
    test: part('tensor'),
  },
  {
    name: 'angles of head 0 serve every head',
    file: kernel,
    from: 'P.rotary.heads > 1u ? kvHead : 0u',
    to: '0u',
    test: part('per head'),
  },
  {
    name: 'the window does not begin where it should',
    file: kernel,
    from: 'const int begin = int(P.first + group.x * P.keysPerSplit)',
    to: 'const int begin = int(group.x * P.keysPerSplit)',
    test: part('window 33'),
  },
  {
    name: 'queries that are not there are left as they were',
    file: kernel,
    from: 'for (int i = heads * LD + int(index); i < ROWS * LD; i += int(threads)) queries[i] = MROPE_M(0.0f);',
    to: '',
    test,
  },
  {
    name: 'reduce: the maximum is taken from the weights',
    file: kernel,
    from: 'highest = max(highest, parts[s * uint(DV + 2) + uint(DV)]);',
    to: 'highest = max(highest, parts[s * uint(DV + 2) + uint(DV + 1)]);',
    test: part('even'),
  },
  {
    name: 'every threadgroup appends the new key',
    file: kernel,
    from: 'if (appends && group.x + 1u == P.splits) {',
    to: 'if (appends) {',
    test: split,
  },
  {
    name: 'scores are not in units of log2 e',
    file: plan,
    from: 'float(r.scale * M_LOG2E)',
    to: 'float(r.scale)',
    test,
  },
  {
    name: 'the caches of keys and values are bound the other way round',
    file: plan,
    from: '.bind(DecodeCacheK, r.cache.k, r.cache.kOffset)\n      .bind(DecodeCacheV, r.cache.v, r.cache.vOffset)',
    to: '.bind(DecodeCacheV, r.cache.k, r.cache.kOffset)\n      .bind(DecodeCacheK, r.cache.v, r.cache.vOffset)',
    test,
  },
  {
    name: 'the new key is normed with the weights of the queries',
    file: plan,
    from: '.bind(DecodeKWeight, r.kNorm.weight ? r.kNorm.weight : unused,',
    to: '.bind(DecodeKWeight, r.qNorm.weight ? r.qNorm.weight : unused,',
    test: part('norm 1 per head'),
  },
  {
    name: 'the last head is not reduced',
    file: plan,
    from: 'reduce.threadgroups = {uint32_t(r.q.heads), 1, 1};',
    to: 'reduce.threadgroups = {uint32_t(r.q.heads - 1), 1, 1};',
    test: split,
  },
  {
    name: 'a splitted cache loses its last part',
    file: plan,
    from: 'decode.threadgroups = {uint32_t(splits.count),',
    to: 'decode.threadgroups = {uint32_t(std::max<int64_t>(1, splits.count - 1)),',
    test: split,
  },
  {
    name: 'reduce: the barrier before the doubts are joined is missing',
    file: kernel,
    from: `wrong[channel] = notFinite(y) ? 1u : 0u;\n  }${barrier}`,
    to: 'wrong[channel] = notFinite(y) ? 1u : 0u;\n  }',
    test: split,
  },
  {
    name: 'a second block of heads attends as the first',
    file: kernel,
    from: 'const uint head0 = kvHead * P.group + group.z * uint(ROWS);',
    to: 'const uint head0 = kvHead * P.group;',
    test: part('33/1x64'),
  },
  {
    name: 'heads share the bias of head 0',
    file: plan,
    from: '.biasHead = uint32_t(biasStride(bias, keys)),',
    to: '.biasHead = 0,',
    test: part('tensor'),
  },
]
