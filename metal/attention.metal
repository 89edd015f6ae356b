// attention: softmax(scale · rotate(q)·Kᵀ + bias)·V for prompts, chunks of prompts and vision towers.
//
//   out[i][h] = Σ_j w[j] · v[j][h / group] / Σ_j w[j]
//   w[j] = 2^(log2 e · (scale · rotate(q[i][h]) · k[j][h / group] + bias(h, i, j)) − running maximum)
//
// Work      Grid (tiles, KV heads / headsPerGroup). A tile is up to ROWS rows of one segment; a row is (query, head of
//           the group), so the heads that share a KV head share every byte of K and V, a short prompt fills a tile, the
//           causal edge is sharp, and the angles of a token serve its whole group. The host lists the tiles: packed
//           segments, windows, chunks on a cache and parts of the keys are all entries of one list, one dispatch.
//
//     rows = queries × group        keys of the segment in blocks of KEYS
//     +-------------+        +------+------+------+------+
//     | simdgroup 0 | 8·TQ   | full | full | edge | skip |      full   no mask is evaluated
//     | simdgroup 1 |        +------+------+------+------+      edge   causal, window or ragged end
//     | …           |                                           skip   never loaded
//     +-------------+
//
// Keys      [kvHead][capacity][dim], rotated: the cache. Or raw (ConstantRawKeys), as the projection leaves them, normed
//           and turned while a block is staged: for segments of a tile or two, whose keys are staged as often. Strides
//           are free.
// Heads     With angles from a table per id a threadgroup may take several KV heads, one after the other: what it read of
//           the table it reads from L1 from then on. No sine or cosine is computed.
// Memory    Q tile [ROWS][D + 16 bytes]. With KEEP it moves to registers and its memory serves K and V. With STAGED a
//           block of K and V [KEYS][D + 16 bytes] each, copied by 16 bytes; otherwise fragments come straight from device
//           memory and the key loop has no barrier.
// Split     Few rows on many keys are few tiles: the host lists parts of the keys as tiles (ConstantSplitKeys), and
//           attention_reduce joins the sums, maxima and total weights.
// Registers a lane: O 2·TQ·DV/8, S 2·TQ·KEYS/8, kept queries 2·TQ·D/8 (half of that in half), one run of keys.
// Numerics  Scores, softmax and sums in float; q is rounded once, after rotation and scaling, to half where q and k are
//           half and to float otherwise. A query that sees nothing gives 0.
// Doubt     A row whose result is not finite, or whose scores all lie below -1e29, is marked in `doubt`: an input was NaN
//           or infinite, or float was too small for it. The host does such rows again by the definition (redo.h). Needs a
//           math mode that keeps NaN; finite rows do not.
// Limits    dims are multiples of 8 up to 256; rows of k, v and out start at multiples of 16 bytes, those of q at multiples
//           of MROPE_WIDTH elements.
//
// Macros    MROPE_Q, MROPE_K, MROPE_V, MROPE_OUT storage types; MROPE_HEAD_DIM, MROPE_VALUE_DIM;
//           MROPE_ROWS, MROPE_KEYS, MROPE_SIMDGROUPS, MROPE_KEEP, MROPE_STAGED the tile
#include "tile.h"

constant int normPlace [[function_constant(ConstantNorm)]];
constant int group [[function_constant(ConstantGroup)]];
constant bool turnQueries [[function_constant(ConstantTurnQueries)]];
constant bool rawKeys [[function_constant(ConstantRawKeys)]];
constant int keyNormPlace [[function_constant(ConstantKeyNorm)]];
constant bool causal [[function_constant(ConstantCausal)]];
constant int windowSides [[function_constant(ConstantWindow)]];
constant bool scaleEach [[function_constant(ConstantScales)]];
constant bool splitKeys [[function_constant(ConstantSplitKeys)]];

kernel void attention(
    const device MROPE_Q *q [[buffer(AttentionQ)]], const device MROPE_K *keys [[buffer(AttentionK)]],
    const device MROPE_V *values [[buffer(AttentionV)]], device MROPE_OUT *out [[buffer(AttentionOut)]],
    const device float *qWeight [[buffer(AttentionQWeight)]], const device float *kWeight [[buffer(AttentionKWeight)]],
    const device float *scales [[buffer(AttentionScales)]], const device uchar *biasValues [[buffer(AttentionBias)]],
    const device AttentionTile *tiles [[buffer(AttentionTiles)]], device float *partial [[buffer(AttentionPartial)]],
    device uchar *doubt [[buffer(AttentionDoubt)]], constant AttentionParams &P [[buffer(AttentionParameters)]],
    MROPE_ROTARY_ARGUMENTS, uint3 place [[threadgroup_position_in_grid]],
    uint simdgroup [[simdgroup_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  threadgroup uint4 memory[BYTES / 16];
  threadgroup float rms[ROWS > KEYS ? ROWS : KEYS];
  threadgroup QueryOperand *queryTile = (threadgroup QueryOperand *)memory;
  threadgroup MROPE_K *keyBlock = (threadgroup MROPE_K *)(memory + K_AT / 16);
  threadgroup MROPE_V *valueBlock = (threadgroup MROPE_V *)(memory + (K_AT + K_BYTES) / 16);

  const int qFirst = tiles[place.x].qFirst, kFirst = tiles[place.x].kFirst, kCount = tiles[place.x].kCount;
  const int diagonal = tiles[place.x].diagonal, row0 = tiles[place.x].row;
  const int rowsEnd = tiles[place.x].qCount * group, split = tiles[place.x].split;
  const uint index = simdgroup * 32 + lane, row = laneRow(lane), column = laneColumn(lane);
  const int myRow = row0 + int(simdgroup) * TQ * 8 + int(row);
  const Rotary rotary = MROPE_ROTARY(P.rotary);
  const Bias bias = {biasValues, P.biasHead, P.biasSpan, P.biasOrigin, P.biasRows, P.biasColumns};
  const RowNorm qNorm = {normPlace, qWeight, P.qEps};
  const RowNorm kNorm = {keyNormPlace, kWeight, P.kEps};

  // Blocks that some row of the tile sees: begin … end; those that every row sees whole: fullBegin … fullEnd.
  const int token0 = row0 / group, token1 = (min(row0 + ROWS, rowsEnd) - 1) / group;
  int begin = 0, end = kCount, fullBegin = 0, fullEnd = kCount;
  if (causal) {
    end = min(end, token1 + diagonal + 1);
    fullEnd = min(fullEnd, token0 + diagonal + 1);
  }
  if (windowSides != WindowNone) {
    begin = max(0, token0 + diagonal - P.window + 1) / KEYS * KEYS;
    fullBegin = token1 + diagonal - P.window + 1;
  }
  if (windowSides == WindowBoth) {
    end = min(end, token1 + diagonal + P.window);
    fullEnd = min(fullEnd, token0 + diagonal + P.window);
  }

  for (uint n = 0; n < P.headsPerGroup; n++) {
    const uint kvHead = place.y * P.headsPerGroup + n, head0 = kvHead * uint(group);
    const uint tableHead = kvHead * P.rotary.heads / P.kvHeads;
    if (n > 0) threadgroup_barrier(mem_flags::mem_threadgroup);  // the last head is done with the tile's memory
    const QueryRows<MROPE_Q> rows = {q + ulong(qFirst) * P.qToken + ulong(head0) * P.qHead, P.qToken, P.qHead, group,
                                     row0, rowsEnd, scales + qFirst, P.scale};
    const Turning qTurning = {turnQueries, tableHead, uint(qFirst)};
    loadQueries<MROPE_Q, MROPE_K, QueryOperand, D, ROWS, Q_LD>(rows, qNorm, rotary, qTurning, queryTile, rms, scaleEach,
                                                              index, THREADS);
    threadgroup_barrier(mem_flags::mem_threadgroup);

    RowState state;
    const threadgroup QueryOperand *corner = queryTile + (simdgroup * TQ * 8 + row) * Q_LD + column;
    keepQueries<MROPE_KEEP, QueryOperand, D, TQ, Q_LD>(corner, state.kept);
    startRows<DV, TQ>(state.sums, state.top, state.total);
    MROPE_UNROLL
    for (int t = 0; t < TQ; t++) {
      const int r = min(myRow + t * 8, rowsEnd - 1), token = r / group;
      state.first[t] = windowSides != WindowNone ? max(0, token + diagonal - P.window + 1) : 0;
      state.last[t] = kCount - 1;
      if (causal) state.last[t] = min(state.last[t], token + diagonal);
      if (windowSides == WindowBoth) state.last[t] = min(state.last[t], token + diagonal + P.window - 1);
      if (biasKind != biasNone) {
        state.bias[t] = biasRow(bias, head0 + uint(r % group), uint(qFirst + token), P.queryOffset + qFirst + token);
      }
    }

    const device MROPE_K *k = keys + ulong(kvHead) * P.kHead + ulong(kFirst) * P.kToken;
    const device MROPE_V *v = values + ulong(kvHead) * P.vHead + ulong(kFirst) * P.vToken;
    const Turning kTurning = {true, tableHead, P.keyColumn - P.rotary.column + uint(kFirst)};
    for (int key0 = begin; key0 < end; key0 += KEYS) {
      const bool edge = key0 + KEYS > fullEnd || key0 < fullBegin;
      const device MROPE_K *kBlock = k + ulong(key0) * P.kToken;
      const device MROPE_V *vBlock = v + ulong(key0) * P.vToken;
      const int count = min(int(KEYS), kCount - key0);
      Fragment s[TQ][KB];
#if MROPE_STAGED
      if (rawKeys && keyNormPlace != NormNone) {
        measureKeys<MROPE_K, D>(kBlock, P.kToken, count, kNorm, rotary, kTurning, uint(key0), rms, index, THREADS);
      }
      threadgroup_barrier(mem_flags::mem_threadgroup);  // all are done with the last block, or with the queries
      if (rawKeys) {
        stageRawKeys<MROPE_K, D, KEYS, K_LD>(kBlock, P.kToken, count, kNorm, rotary, kTurning, uint(key0), keyBlock,
                                             rms, index, THREADS);
      } else {
        stageRows<MROPE_K, D, KEYS, K_LD>(kBlock, P.kToken, count, keyBlock, index, THREADS);
      }
      stageRows<MROPE_V, DV, KEYS, V_LD>(vBlock, P.vToken, count, valueBlock, index, THREADS);
      threadgroup_barrier(mem_flags::mem_threadgroup);
      scores<MROPE_KEEP, MROPE_K, QueryOperand, D, TQ, KB, Q_LD, InThreadgroup>(keyBlock, K_LD, KEYS - 1, row, column,
                                                                                corner, state.kept, s);
#else
      scores<MROPE_KEEP, MROPE_K, QueryOperand, D, TQ, KB, Q_LD, InDevice>(kBlock, P.kToken, count - 1, row, column,
                                                                           corner, state.kept, s);
#endif
      if (biasKind != biasNone) addBias(s, bias, key0, kCount, kFirst, column, state);
      if (edge) hideKeys(s, key0, column, state);
      weigh<DV, TQ, KB>(s, state.sums, state.top, state.total);
#if MROPE_STAGED
      addValues<MROPE_V, ValueOperand, DV, TQ, KB, InThreadgroup>(valueBlock, V_LD, KEYS - 1, row, column, s,
                                                                  state.sums);
#else
      addValues<MROPE_V, ValueOperand, DV, TQ, KB, InDevice>(vBlock, P.vToken, count - 1, row, column, s,
                                                             state.sums);
#endif
    }

    MROPE_UNROLL
    for (int t = 0; t < TQ; t++) {
      const float total = rowSum(state.total[t]);
      const int r = myRow + t * 8;
      const uint query = uint(qFirst + r / group), head = head0 + uint(r % group);
      uint wrong = 0;
      MROPE_UNROLL
      for (int j = 0; j < DV / 8; j++) {
        wrong |= notFinite(state.sums[t][j].thread_elements()[0]) || notFinite(state.sums[t][j].thread_elements()[1]);
      }
      wrong = rowUnion(wrong);
      const bool seen = biasKind == biasNone && state.first[t] <= state.last[t];
      if (state.top[t] < doubtfulMaximum) wrong |= total > 0.0f || seen;
      if (r < rowsEnd && splitKeys) {
        device float *to = partial + ((ulong(query) * P.heads + head) * P.splits + uint(split)) * ulong(DV + 2);
        storePart(to, column, state.sums[t]);
        if (column == 0) {
          to[DV] = state.top[t];
          to[DV + 1] = total;
        }
      } else if (r < rowsEnd) {
        device MROPE_OUT *to = out + ulong(query) * P.outToken + ulong(head) * P.outHead;
        storeRow(to, column, state.sums[t], total > 0.0f ? 1.0f / total : 0.0f);
        if (column == 0) doubt[ulong(query) * P.heads + head] = uchar(wrong);
      }
    }
  }
}

/** Joins the parts of a row: grid (queries · heads), one thread a channel. */
kernel void attention_reduce(const device float *partial [[buffer(AttentionPartial)]],
                             device MROPE_OUT *out [[buffer(AttentionOut)]],
                             device uchar *doubt [[buffer(AttentionDoubt)]],
                             constant AttentionParams &P [[buffer(AttentionParameters)]],
                             uint place [[threadgroup_position_in_grid]],
                             uint index [[thread_index_in_threadgroup]],
                             uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup uint wrong[DV];
  const device float *from = partial + ulong(place) * P.splits * ulong(DV + 2);
  float top = lowestMaximum, total = 0.0f;
  for (uint s = 0; s < P.splits; s++) top = max(top, from[s * uint(DV + 2) + uint(DV)]);
  for (uint s = 0; s < P.splits; s++) {
    total += from[s * uint(DV + 2) + uint(DV) + 1] * fast::exp2(from[s * uint(DV + 2) + uint(DV)] - top);
  }
  device MROPE_OUT *to = out + ulong(place / P.heads) * P.outToken + ulong(place % P.heads) * P.outHead;
  for (uint channel = index; channel < uint(DV); channel += simdgroups * 32) {
    float sum = 0.0f;
    for (uint s = 0; s < P.splits; s++) {
      sum += from[s * uint(DV + 2) + channel] * fast::exp2(from[s * uint(DV + 2) + uint(DV)] - top);
    }
    to[channel] = MROPE_OUT(total > 0.0f ? sum / total : 0.0f);
    wrong[channel] = notFinite(sum);
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (index == 0) {
    uint any = 0;
    for (uint channel = 0; channel < uint(DV); channel++) any |= wrong[channel];
    if (top < doubtfulMaximum) any |= total > 0.0f || biasKind == biasNone;
    doubt[place] = uchar(any);
  }
}
