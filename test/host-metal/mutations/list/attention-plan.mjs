// Prompts and vision towers: their plan, the list of tiles, and rows done again on the host.
const plan = 'native/gpu/attend.cc'
const tiles = 'native/gpu/tiles.cc'
const redo = 'native/gpu/redo.cc'
/** One part of the program, and words of the names of its cases. */
const part = (name) => `kernels/attention strict ${name}`

export const attentionPlan = [
  {
    name: 'raw keys are normed with the weights of the queries',
    file: plan,
    from: 'bind(attention, AttentionKWeight, r.kNorm.weight, r.kNorm.offset);',
    to: 'bind(attention, AttentionKWeight, r.qNorm.weight, r.qNorm.offset);',
    test: part('angles turns, raw keys 16 pairs'),
  },
  {
    name: 'scores are not in units of log2 e',
    file: plan,
    from: 'p.scale = float(r.scale * log2e);',
    to: 'p.scale = float(r.scale);',
    test: part('dims 64 f32'),
  },
  {
    name: 'values are bound as keys',
    file: plan,
    from: 'bind(attention, AttentionK, r.k.buffer, r.k.offset);',
    to: 'bind(attention, AttentionK, r.v.buffer, r.v.offset);',
    test: part('sizes 3 on 103'),
  },
  {
    name: 'the bias does not know where the queries begin',
    file: plan,
    from: 'p.queryOffset = int32_t(r.queryOffset);',
    to: 'p.queryOffset = 0;',
    test: part('biases bias slope'),
  },
  {
    name: 'parts of the keys have the diagonal of the whole',
    file: tiles,
    from: 'int32_t(diagonal - from)',
    to: 'int32_t(diagonal)',
    test: part('others 2 on 300'),
  },
  {
    name: 'the last rows have no tile',
    file: tiles,
    from: 'row < segment.queries * group; row += shape.rows',
    to: 'row + shape.rows <= segment.queries * group; row += shape.rows',
    test: part('sizes 3 on 103'),
  },
  {
    name: 'scales of queries are not in units of log2 e',
    file: plan,
    from: 'float(r.scales[i] * log2e)',
    to: 'float(r.scales[i])',
    test: part('biases window 40 padding 50'),
  },
  {
    name: 'redo: queries of a chunk turn as the first tokens',
    file: redo,
    from: 'loadLine(r, r.q, query, head, r.rotateQ, r.tableOffset + query, r.qNorm, q);',
    to: 'loadLine(r, r.q, query, head, r.rotateQ, query, r.qNorm, q);',
    test: part('doubt'),
  },
  {
    name: 'redo: heads of a group read the keys of another',
    file: redo,
    from: 'const int64_t kvHead = head * r.k.heads / r.q.heads;',
    to: 'const int64_t kvHead = head % r.k.heads;',
    test: part('doubt'),
  },
  {
    name: 'the planner counts keys that no query sees',
    file: tiles,
    from: 'if (mask.causal) seen.end = std::min(seen.end, last + 1);',
    to: '',
    test: part('traffic'),
  },
  {
    name: 'rows between multiples of 16 bytes are read by 16 bytes',
    file: 'native/gpu/attend-layout.cc',
    from: 'view.offset % 16 == 0 && ',
    to: '',
    test: part('alignment'),
  },
]
