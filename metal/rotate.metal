// rotate_rows: x -> out. rotate_append: new keys and values -> the KV cache. The two kernels turn rows alike (rows.h).
//
//   rotate_rows     out[n][h] = rotate(norm(x[n][h]), angle(n))
//   rotate_append   cacheK[h][slot + n] = rotate(norm(k[n][h]), angle(n))        cacheV[h][slot + n] = v[n][h]
//                   cosTable[h][n][f], sinTable[h][n][f] = angle(n)              (ConstantKeepAngles)
//
// Layout      x, k, v   [token][head][dim]          strides are parameters, the channels of a row are neighbours
//             cache     [kvHead][capacity][dim]
//
//               row slot + n ->  +------- dim -------+
//               head 0           | k0 k1 ...         |   a key tile of one head is one contiguous block, and decode
//               head 1           | ...               |   streams linearly
//
// Re-rotation (a context shift) is `rotate_rows` on the cache itself: out is x, the strides are the cache's, the angles are
// those of the differences, once for all tokens (columnStep 0) or per token.
//
// Work        A threadgroup takes tokensPerGroup tokens and the heads of one head of the allocation: grid (token groups,
//             heads of the allocation). It makes the angles once per token and pair, then its simdgroups take the rows.
//             With ConstantKeepAngles attention reads them from tables and makes none: a layer makes each angle once.
// Numerics    angles: rotary.h. Norm and rotation in float, one rounding at the store.
// Limits      tokensPerGroup · pairs ≤ MROPE_ANGLES; MROPE_WIDTH 2 wants even pairs, strides, dims and offsets.
//
// Macros      MROPE_X, MROPE_OUT (rotate_rows); MROPE_K, MROPE_V, MROPE_T (rotate_append: new keys, new values, cache)
#include "rows.h"

constant int normPlace [[function_constant(ConstantNorm)]];
constant bool turnBack [[function_constant(ConstantInverse)]];
constant bool keepAngles [[function_constant(ConstantKeepAngles)]];

#ifndef MROPE_ANGLES
#define MROPE_ANGLES 512
#endif

#ifdef MROPE_X
kernel void rotate_rows(const device MROPE_X *x [[buffer(RotateX)]], device MROPE_OUT *out [[buffer(RotateOut)]],
                   const device float *weight [[buffer(RotateWeight)]],
                   constant RotateParams &P [[buffer(RotateParameters)]], MROPE_ROTARY_ARGUMENTS,
                   uint2 group [[threadgroup_position_in_grid]], uint index [[thread_index_in_threadgroup]],
                   uint simdgroup [[simdgroup_index_in_threadgroup]],
                   uint simdgroups [[simdgroups_per_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  threadgroup float2 angles[MROPE_ANGLES];
  const Rotary rotary = MROPE_ROTARY(P.rotary);
  const uint token0 = group.x * P.tokensPerGroup, tokens = min(P.tokensPerGroup, P.tokens - token0);
  const uint pairs = P.rotary.pairs, heads = P.heads / P.rotary.heads, head0 = group.y * heads;
  const uint columns = P.columnStep == 0u ? 1u : tokens;
  fillAngles(rotary, group.y, P.columnStep * token0, columns, turnBack ? -1.0f : 1.0f, angles, index, simdgroups * 32u);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint row = simdgroup; row < tokens * heads; row += simdgroups) {
    const uint token = row / heads, head = head0 + row % heads;
    const RowTask task = {P.dim, pairs, angles + P.columnStep * token * pairs, normPlace, weight, P.eps, 1.0f};
    const device MROPE_X *from = x + ulong(token0 + token) * P.xToken + ulong(head) * P.xHead;
    const DeviceRow<MROPE_OUT> to = {out + ulong(token0 + token) * P.outToken + ulong(head) * P.outHead};
    turnRow(from, to, task, lane);
  }
}
#endif

#ifdef MROPE_K
kernel void rotate_append(const device MROPE_K *k [[buffer(AppendK)]], const device MROPE_V *v [[buffer(AppendV)]],
                          device MROPE_T *cacheK [[buffer(AppendCacheK)]],
                          device MROPE_T *cacheV [[buffer(AppendCacheV)]],
                          const device float *weight [[buffer(AppendWeight)]],
                          device float *cosTable [[buffer(AppendCos)]], device float *sinTable [[buffer(AppendSin)]],
                          constant RotateAppendParams &P [[buffer(AppendParameters)]], MROPE_ROTARY_ARGUMENTS,
                          uint2 group [[threadgroup_position_in_grid]], uint index [[thread_index_in_threadgroup]],
                          uint simdgroup [[simdgroup_index_in_threadgroup]],
                          uint simdgroups [[simdgroups_per_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  threadgroup float2 angles[MROPE_ANGLES];
  const Rotary rotary = MROPE_ROTARY(P.rotary);
  const uint token0 = group.x * P.tokensPerGroup, tokens = min(P.tokensPerGroup, P.tokens - token0);
  const uint pairs = P.rotary.pairs, heads = P.kvHeads / P.rotary.heads, head0 = group.y * heads;
  fillAngles(rotary, group.y, token0, tokens, 1.0f, angles, index, simdgroups * 32u);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (keepAngles) {
    const ulong first = (ulong(group.y) * P.tokens + token0) * pairs;
    for (uint i = index; i < tokens * pairs; i += simdgroups * 32u) {
      cosTable[first + i] = angles[i].x;
      sinTable[first + i] = angles[i].y;
    }
  }
  for (uint row = simdgroup; row < tokens * heads; row += simdgroups) {
    const uint token = row / heads, head = head0 + row % heads;
    const ulong slot = ulong(head) * P.capacity + P.slot + token0 + token;
    const RowTask task = {P.headDim, pairs, angles + token * pairs, normPlace, weight, P.eps, 1.0f};
    const DeviceRow<MROPE_T> to = {cacheK + slot * P.headDim};
    turnRow(k + ulong(token0 + token) * P.kToken + ulong(head) * P.kHead, to, task, lane);
    copyRow(v + ulong(token0 + token) * P.vToken + ulong(head) * P.vHead, cacheV + slot * P.valueDim, P.valueDim, lane);
  }
}
#endif
