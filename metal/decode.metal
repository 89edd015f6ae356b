// decode: one new token attends to the cache. Rotates its queries, rotates and appends its key and value, attends; all query
// heads of a KV head in one pass over its keys and values. decode_reduce joins the parts of a split cache.
//
//   out[h] = Σ_j w_j · v[j] / Σ_j w_j        w_j = exp2(scale · rotate(q[h]) · k[j] + log2 e · bias(h, j) − maximum)
//
//   keys first … end      |    split 0    |    split 1    |    split 2 |   <- threadgroup (split, KV head, row block)
//   inside a split        |sg0|sg1|sg2|sg3|sg0|sg1 ...                     <- blocks of MROPE_KEYS keys, turn by turn
//   rows of a fragment    query heads of the group, 8·MROPE_ROW_BLOCKS of them; the rest are zeros
//
// The simdgroups meet only at the end, where they join their maxima, weights and sums through threadgroup memory. Every
// byte of the cache is loaded once. Each threadgroup makes or loads the angles of the token once; the host gives a table.
//
// Append      The threadgroup of the last split writes the new row to the cache and reads it back after a barrier with device
//             scope; no other threadgroup reads or writes that row. Needs one row block.
// Numerics    softmax and sums in float, base 2, log2 e folded into q and into the bias; keys and values multiply in
//             MROPE_M (half for half, else float).
// Doubt       as attention.metal: rows that the host does again by the definition.
// Limits      head and value dims are multiples of 8 up to 256; no split is empty unless nothing is seen at all.
//
// Macros      MROPE_X (q), MROPE_K, MROPE_V (new key, value), MROPE_T (cache), MROPE_OUT, MROPE_M, MROPE_HEAD_DIM,
//             MROPE_VALUE_DIM, MROPE_ROW_BLOCKS, MROPE_KEYS, MROPE_SIMDGROUPS, MROPE_KEEP, MROPE_WIDTH
#include "bias.h"
#include "fragments.h"
#include "rows.h"

constant int queryNorm [[function_constant(ConstantNorm)]];
constant int keyNorm [[function_constant(ConstantKNorm)]];
constant bool appends [[function_constant(ConstantAppend)]];
constant bool splitKeys [[function_constant(ConstantSplit)]];

enum {
  D = MROPE_HEAD_DIM,
  DV = MROPE_VALUE_DIM,
  TQ = MROPE_ROW_BLOCKS,
  KB = MROPE_KEYS / 8,
  SGS = MROPE_SIMDGROUPS,
  ROWS = 8 * TQ,
  LD = D + 16 / (int)sizeof(MROPE_M),  // 16 bytes apart, for the banks
  QUERY_BYTES = ROWS * LD * (int)sizeof(MROPE_M),
  SUM_BYTES = SGS * 8 * DV * 4,
  MEMORY_BYTES = QUERY_BYTES > SUM_BYTES ? QUERY_BYTES : SUM_BYTES
};

// A query on its way into threadgroup memory, channels in the order of the fragments.
struct QueryRow {
  threadgroup MROPE_M *to;
  void store(uint channel, const thread float *run) const {
    for (uint i = 0; i < uint(MROPE_WIDTH); i++) to[querySlot<MROPE_T, D>(channel + i)] = MROPE_M(run[i]);
  }
};

/** Keys past `last` are not there. */
inline void hideAfter(thread Fragment (&s)[TQ][KB], int last, uint column) {
  MROPE_UNROLL
  for (int t = 0; t < TQ; t++) {
    MROPE_UNROLL
    for (int kb = 0; kb < KB; kb++) {
      MROPE_UNROLL
      for (int e = 0; e < 2; e++) {
        if (kb * 8 + int(column) + e > last) s[t][kb].thread_elements()[e] = hiddenScore;
      }
    }
  }
}

inline void addBias(thread Fragment (&s)[TQ][KB], const thread Bias &bias, const thread BiasRow (&rows)[TQ], int key0,
                    int last, uint column) {
  MROPE_UNROLL
  for (int kb = 0; kb < KB; kb++) {
    MROPE_UNROLL
    for (int e = 0; e < 2; e++) {
      const int j = key0 + min(kb * 8 + int(column) + e, last);
      MROPE_UNROLL
      for (int t = 0; t < TQ; t++) {
        s[t][kb].thread_elements()[e] = biasedScore(s[t][kb].thread_elements()[e], biasOf(bias, rows[t], j));
      }
    }
  }
}

/** The highest maximum of one row over the simdgroups. */
inline float highestOf(const threadgroup float *tops) {
  float highest = lowestMaximum;
  for (int g = 0; g < SGS; g++) highest = max(highest, tops[g * ROWS]);
  return highest;
}

/** So large that adding those of all simdgroups may overflow, or not finite. */
inline bool tooLarge(float x) { return (as_type<uint>(x) & 0x7f800000u) >= 0x7e000000u; }

inline uint doubtful(float highest, float weight, bool seen) {
  return highest < doubtfulMaximum && (weight > 0.0f || (seen && biasKind == biasNone)) ? 1u : 0u;
}

kernel void decode(const device MROPE_X *q [[buffer(DecodeQ)]], const device MROPE_K *k [[buffer(DecodeK)]],
                   const device MROPE_V *v [[buffer(DecodeV)]], device MROPE_T *cacheK [[buffer(DecodeCacheK)]],
                   device MROPE_T *cacheV [[buffer(DecodeCacheV)]], device MROPE_OUT *out [[buffer(DecodeOut)]],
                   device float *partial [[buffer(DecodePartial)]],
                   const device float *qWeight [[buffer(DecodeQWeight)]],
                   const device float *kWeight [[buffer(DecodeKWeight)]],
                   const device uchar *biasValues [[buffer(DecodeBias)]], device uchar *doubt [[buffer(DecodeDoubt)]],
                   constant DecodeParams &P [[buffer(DecodeParameters)]], MROPE_ROTARY_ARGUMENTS,
                   uint3 group [[threadgroup_position_in_grid]], uint index [[thread_index_in_threadgroup]],
                   uint simdgroup [[simdgroup_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  threadgroup uint4 memory[MEMORY_BYTES / 16];
  threadgroup float2 angles[D / 2];
  threadgroup float tops[SGS * ROWS];
  threadgroup float totals[SGS * ROWS];
  threadgroup uint wrongs[SGS * ROWS];
  threadgroup MROPE_M *queries = (threadgroup MROPE_M *)memory;
  threadgroup float *joined = (threadgroup float *)memory;

  const uint kvHead = group.y, row = laneRow(lane), column = laneColumn(lane), threads = SGS * 32u;
  const uint head0 = kvHead * P.group + group.z * uint(ROWS);  // query head of row 0
  const int heads = min(int(ROWS), int(P.group) - int(group.z) * ROWS);
  const int begin = int(P.first + group.x * P.keysPerSplit), end = min(begin + int(P.keysPerSplit), int(P.end));
  device MROPE_T *keys = cacheK + ulong(kvHead) * P.capacity * uint(D);
  device MROPE_T *values = cacheV + ulong(kvHead) * P.capacity * uint(DV);

  // The token: its angles, its key and value, its queries.
  const Rotary rotary = MROPE_ROTARY(P.rotary);
  fillAngles(rotary, P.rotary.heads > 1u ? kvHead : 0u, 0u, 1u, 1.0f, angles, index, threads);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (appends && group.x + 1u == P.splits) {
    if (simdgroup == 0u) {
      const RowTask task = {uint(D), P.rotary.pairs, angles, keyNorm, kWeight, P.kEps, 1.0f};
      const DeviceRow<MROPE_T> to = {keys + ulong(P.slot) * uint(D)};
      turnRow(k + ulong(kvHead) * P.kHead, to, task, lane);
    }
    if (simdgroup + 1u == uint(SGS)) {
      copyRow(v + ulong(kvHead) * P.vHead, values + ulong(P.slot) * uint(DV), uint(DV), lane);
    }
  }
  const RowTask task = {uint(D), P.rotary.pairs, angles, queryNorm, qWeight, P.qEps, P.scale};
  for (int r = int(simdgroup); r < heads; r += SGS) {
    const QueryRow to = {queries + r * LD};
    turnRow(q + ulong(head0 + uint(r)) * P.qHead, to, task, lane);
  }
  for (int i = heads * LD + int(index); i < ROWS * LD; i += int(threads)) queries[i] = MROPE_M(0.0f);
  threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);

  const threadgroup MROPE_M *corner = queries + row * uint(LD) + column;
  simdgroup_matrix<MROPE_M, 8, 8> kept[MROPE_KEEP ? TQ : 1][MROPE_KEEP ? D / 8 : 1];
  keepQueries<MROPE_KEEP, MROPE_M, D, TQ, LD>(corner, kept);
  float top[TQ], total[TQ];
  Fragment sums[TQ][DV / 8];
  startRows<DV, TQ>(sums, top, total);
  const Bias bias = {biasValues, P.biasHead, P.biasSpan, P.biasOrigin, P.biasRows, P.biasColumns};
  BiasRow biasRows[TQ];
  if (biasKind != biasNone) {
    MROPE_UNROLL
    for (int t = 0; t < TQ; t++) {
      const int r = min(t * 8 + int(row), heads - 1);
      biasRows[t] = biasRow(bias, head0 + uint(r), 0u, P.query);
    }
  }
  for (int j0 = begin + int(simdgroup) * MROPE_KEYS; j0 < end; j0 += SGS * MROPE_KEYS) {
    const int last = min(MROPE_KEYS, end - j0) - 1;
    Fragment s[TQ][KB];
    scores<MROPE_KEEP, MROPE_T, MROPE_M, D, TQ, KB, LD, InDevice>(keys + ulong(j0) * uint(D), uint(D), last, row, column,
                                                                  corner, kept, s);
    if (biasKind != biasNone) addBias(s, bias, biasRows, j0, last, column);
    if (last < MROPE_KEYS - 1) hideAfter(s, last, column);
    weigh<DV, TQ, KB>(s, sums, top, total);
    addValues<MROPE_T, MROPE_M, DV, TQ, KB, InDevice>(values + ulong(j0) * uint(DV), uint(DV), last, row, column, s, sums);
  }

  // Join the simdgroups: maxima and total weights first, then the sums, 8 heads at a time.
  MROPE_UNROLL
  for (int t = 0; t < TQ; t++) {
    total[t] = rowSum(total[t]);
    uint wrong = 0;
    MROPE_UNROLL
    for (int n = 0; n < DV / 8; n++) {
      wrong |= tooLarge(sums[t][n].thread_elements()[0]) || tooLarge(sums[t][n].thread_elements()[1]);
    }
    wrong = rowUnion(wrong);
    if (column == 0u) {
      const uint at = simdgroup * uint(ROWS) + uint(t) * 8u + row;
      tops[at] = top[t];
      totals[at] = total[t];
      wrongs[at] = wrong;
    }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  MROPE_UNROLL
  for (int t = 0; t < TQ; t++) {
    const float shrink = fast::exp2(top[t] - highestOf(tops + t * 8 + int(row)));
    threadgroup float *to = joined + (simdgroup * 8u + row) * uint(DV);
    MROPE_UNROLL
    for (int n = 0; n < DV / 8; n++) {
      const uint channel = valueChannel<MROPE_T, DV>(uint(n), column);
      to[channel] = sums[t][n].thread_elements()[0] * shrink;
      to[channel + 1u] = sums[t][n].thread_elements()[1] * shrink;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const int rows = min(8, heads - t * 8);
    for (int i = int(index) * MROPE_WIDTH; i < rows * DV; i += int(threads) * MROPE_WIDTH) {
      const int r = i / DV, channel = i % DV;
      const uint head = head0 + uint(t * 8 + r);
      const float highest = highestOf(tops + t * 8 + r);
      float weight = 0.0f, y[MROPE_WIDTH];
      uint wrong = 0;
      for (int g = 0; g < SGS; g++) {
        weight += totals[g * ROWS + t * 8 + r] * fast::exp2(tops[g * ROWS + t * 8 + r] - highest);
        wrong |= wrongs[g * ROWS + t * 8 + r];
      }
      for (int c = 0; c < MROPE_WIDTH; c++) {
        y[c] = 0.0f;
        for (int g = 0; g < SGS; g++) y[c] += joined[(g * 8 + r) * DV + channel + c];
      }
      if (splitKeys) {
        device float *part = partial + (ulong(head) * P.splits + group.x) * uint(DV + 2);
        for (int c = 0; c < MROPE_WIDTH; c++) part[channel + c] = y[c];
        if (channel == 0) {
          part[DV] = highest;
          part[DV + 1] = weight;
        }
      } else {
        for (int c = 0; c < MROPE_WIDTH; c++) y[c] = weight > 0.0f ? y[c] / weight : 0.0f;
        storeChannels(out + ulong(head) * P.outHead + uint(channel), y);
        if (channel == 0) doubt[head] = uchar(wrong | doubtful(highest, weight, P.first < P.end));
      }
    }
    if (t + 1 < TQ) threadgroup_barrier(mem_flags::mem_threadgroup);
  }
}

// Joins the splits: one threadgroup for each query head.
kernel void decode_reduce(const device float *partial [[buffer(DecodePartial)]],
                          device MROPE_OUT *out [[buffer(DecodeOut)]], device uchar *doubt [[buffer(DecodeDoubt)]],
                          constant DecodeParams &P [[buffer(DecodeParameters)]],
                          uint head [[threadgroup_position_in_grid]], uint index [[thread_index_in_threadgroup]],
                          uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup uint wrong[DV];
  const device float *parts = partial + ulong(head) * P.splits * uint(DV + 2);
  float highest = lowestMaximum, weight = 0.0f;
  for (uint s = 0; s < P.splits; s++) highest = max(highest, parts[s * uint(DV + 2) + uint(DV)]);
  for (uint s = 0; s < P.splits; s++) {
    weight += parts[s * uint(DV + 2) + uint(DV + 1)] * fast::exp2(parts[s * uint(DV + 2) + uint(DV)] - highest);
  }
  for (uint channel = index; channel < uint(DV); channel += simdgroups * 32u) {
    float y = 0.0f;
    for (uint s = 0; s < P.splits; s++) {
      y += parts[s * uint(DV + 2) + channel] * fast::exp2(parts[s * uint(DV + 2) + uint(DV)] - highest);
    }
    out[ulong(head) * P.outHead + channel] = MROPE_OUT(weight > 0.0f ? y / weight : 0.0f);
    wrong[channel] = notFinite(y) ? 1u : 0u;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (index == 0u) {
    uint any = doubtful(highest, weight, true);
    for (int channel = 0; channel < DV; channel++) any |= wrong[channel];
    doubt[head] = uchar(any);
  }
}
