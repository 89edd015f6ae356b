// Prompts and vision towers: attention.metal with its headers and its plan.
const kernel = 'metal/attention.metal'
const staging = 'metal/staging.h'
const bias = 'metal/bias.h'
const plan = 'native/gpu/attend.cc'
const tiles = 'native/gpu/tiles.cc'
const part = (name) => `kernels/attention strict ${name}`
const barrier = 'threadgroup_barrier(mem_flags::mem_threadgroup);'
const staged = 'stageRows<MROPE_V, DV, KEYS, V_LD>(vBlock, P.vToken, count, valueBlock, index, THREADS);'

export const attention = [
  {
    name: 'the barrier between the heads of a threadgroup is missing',
    file: kernel,
    from: `if (n > 0) ${barrier}`,
    to: '',
    test: part('angles'),
  },
  {
    name: 'the barrier after the queries is missing',
    file: kernel,
    from: `    ${barrier}\n\n    RowState state;`,
    to: '\n    RowState state;',
    test: part('sizes'),
  },
  {
    name: 'a block is staged over the one in use',
    file: kernel,
    from: `${barrier}  // all are done with the last block, or with the queries`,
    to: '',
    test: part('sizes'),
  },
  {
    name: 'the barrier after the staging is missing',
    file: kernel,
    from: `${staged}\n      ${barrier}`,
    to: staged,
    test: part('sizes'),
  },
  {
    name: 'the last key of the diagonal is skipped',
    file: kernel,
    from: 'end = min(end, token1 + diagonal + 1);',
    to: 'end = min(end, token1 + diagonal);',
    test: part('masks'),
  },
  {
    name: 'a query sees one key of the future',
    file: kernel,
    from: 'if (causal) state.last[t] = min(state.last[t], token + diagonal);',
    to: 'if (causal) state.last[t] = min(state.last[t], token + diagonal + 1);',
    test: part('masks'),
  },
  {
    name: 'the far edge of a window is not masked',
    file: kernel,
    from: 'const bool edge = key0 + KEYS > fullEnd || key0 < fullBegin;',
    to: 'const bool edge = key0 + KEYS > fullEnd;',
    test: part('masks'),
  },
  {
    name: 'a window is one key too long',
    file: kernel,
    from: 'state.first[t] = windowSides != WindowNone ? max(0, token + diagonal - P.window + 1) : 0;',
    to: 'state.first[t] = windowSides != WindowNone ? max(0, token + diagonal - P.window) : 0;',
    test: part('masks'),
  },
  {
    name: 'segments read the keys of the first',
    file: kernel,
    from: 'keys + ulong(kvHead) * P.kHead + ulong(kFirst) * P.kToken;',
    to: 'keys + ulong(kvHead) * P.kHead;',
    test: part('masks'),
  },
  {
    name: 'heads take the values of head 0',
    file: kernel,
    from: 'values + ulong(kvHead) * P.vHead + ulong(kFirst) * P.vToken;',
    to: 'values + ulong(kFirst) * P.vToken;',
    test: part('sizes'),
  },
  {
    name: 'angles of head 0 serve every head',
    file: kernel,
    from: 'tableHead = kvHead * P.rotary.heads / P.kvHeads;',
    to: 'tableHead = 0;',
    test: part('angles'),
  },
  {
    name: 'rows of a block that are not there are read',
    file: staging,
    from: 'if (int(row) < count) words = *(const device uint4 *)(x + row * ld + channel);',
    to: 'words = *(const device uint4 *)(x + row * ld + channel);',
    test: part('sizes'),
  },
  {
    name: 'rows past the last query are left as they were',
    file: staging,
    from: 'for (uint i = uint(max(valid, 0)) * LD + index; i < uint(ROWS) * LD; i += threads) to[i] = M(0);',
    to: '',
    test: part('sizes'),
  },
  {
    name: 'the barrier after the norms of the queries is missing',
    file: staging,
    from: `      if (index % 32 == 0) rms[i] = inverse;\n    }\n    ${barrier}`,
    to: '      if (index % 32 == 0) rms[i] = inverse;\n    }',
    test: part('others'),
  },
  {
    name: 'the maximum of a row leaves out two lanes',
    file: 'metal/fragments.h',
    from: 'return max(x, simd_shuffle_xor(x, ushort(8)));',
    to: 'return x;',
    test: part('dims'),
  },
  {
    name: 'the distance of the bias is mirrored',
    file: bias,
    from: 'row.place = b.origin - i;',
    to: 'row.place = b.origin + i;',
    test: part('biases'),
  },
  {
    name: 'the bias is read one beyond its last distance',
    file: bias,
    from: 'clamp(j + row.place, 0, int(b.span) - 1)',
    to: 'clamp(j + row.place, 0, int(b.span))',
    test: part('biases'),
  },
  {
    name: 'scores are not in units of log2 e',
    file: plan,
    from: 'p.scale = float(r.scale * log2e);',
    to: 'p.scale = float(r.scale);',
    test: part('dims'),
  },
  {
    name: 'values are bound as keys',
    file: plan,
    from: 'bind(attention, AttentionK, r.k.buffer, r.k.offset);',
    to: 'bind(attention, AttentionK, r.v.buffer, r.v.offset);',
    test: part('sizes'),
  },
  {
    name: 'the bias does not know where the queries begin',
    file: plan,
    from: 'p.queryOffset = int32_t(r.queryOffset);',
    to: 'p.queryOffset = 0;',
    test: part('biases'),
  },
  {
    name: 'parts of the keys have the diagonal of the whole',
    file: tiles,
    from: 'int32_t(diagonal - from)',
    to: 'int32_t(diagonal)',
    test: part('masks'),
  },
  {
    name: 'the last rows have no tile',
    file: tiles,
    from: 'row < segment.queries * group; row += shape.rows',
    to: 'row + shape.rows <= segment.queries * group; row += shape.rows',
    test: part('sizes'),
  },
]
