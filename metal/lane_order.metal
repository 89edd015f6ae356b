// lane_order: which elements of an 8×8 fragment a lane holds. fragments.h relies on it, so a device proves it when it
// is opened; one where it fails gets no attention kernels.
//
//   lane l holds (row, column) and (row, column + 1):     row = 4·bit 4 + bits 2…1     column = 4·bit 3 + 2·bit 0
//
//              column   0 1    2 3    4 5    6 7
//     row 0            l0     l1     l8     l9
//     row 1            l2     l3     l10    l11
//     row 2            l4     l5     l12    l13
//     row 3            l6     l7     l14    l15
//     row 4            l16    l17    l24    l25   …
//
// Tests     elements that simdgroup_load read from device memory and from threadgroup memory are found where the table
//           says, elements set by lanes lie there after simdgroup_store, and a product of matrices set by lanes is the
//           product: in float, in half, and float · half, which weights times values take.
// matrix    float [8][8]: 0 … 63
// wrong     uint [lane]: a bit for each test that failed. One threadgroup of 32 threads.
#include "fragments.h"
#include "params.h"

inline float cell(uint row, uint column) { return float(row * 8 + column); }

template <typename M>
inline uint testOrder(threadgroup M *memory, uint lane) {
  const uint row = laneRow(lane), column = laneColumn(lane);
  simdgroup_matrix<M, 8, 8> set, read;
  setFragment<M>(set, M(cell(row, column)), M(cell(row, column + 1)));
  simdgroup_store(set, memory, 8);
  simdgroup_barrier(mem_flags::mem_threadgroup);
  uint wrong = 0;
  for (uint i = lane * 2; i < lane * 2 + 2; i++) wrong |= float(memory[i]) != float(i);
  simdgroup_barrier(mem_flags::mem_threadgroup);
  for (uint i = lane * 2; i < lane * 2 + 2; i++) memory[i] = M(float(63u - i));
  simdgroup_barrier(mem_flags::mem_threadgroup);
  simdgroup_load(read, memory, 8);
  wrong |= float(read.thread_elements()[0]) != 63.0f - cell(row, column) ? 2u : 0u;
  wrong |= float(read.thread_elements()[1]) != 62.0f - cell(row, column) ? 2u : 0u;
  return wrong;
}

/** A[i][k] = i + 2k, B[k][j] = 3k − j: small integers, exact in every type. */
template <typename A, typename B>
inline uint testProduct(uint lane) {
  const uint row = laneRow(lane), column = laneColumn(lane);
  simdgroup_matrix<A, 8, 8> a;
  simdgroup_matrix<B, 8, 8> b;
  Fragment c;
  setFragment<A>(a, A(float(row + 2 * column)), A(float(row + 2 * column + 2)));
  setFragment<B>(b, B(float(3 * row) - float(column)), B(float(3 * row) - float(column + 1)));
  setFragment<float>(c, 1.0f, 2.0f);
  simdgroup_multiply_accumulate(c, a, b, c);
  uint wrong = 0;
  for (uint e = 0; e < 2; e++) {
    float sum = e == 0 ? 1.0f : 2.0f;
    for (uint k = 0; k < 8; k++) sum += float(row + 2 * k) * (float(3 * k) - float(column + e));
    wrong |= c.thread_elements()[e] != sum;
  }
  return wrong;
}

kernel void lane_order(const device float *matrix [[buffer(LaneMatrix)]], device uint *wrong [[buffer(LaneWrong)]],
                       uint lane [[thread_index_in_simdgroup]]) {
  threadgroup float floats[64];
  threadgroup half halves[64];
  Fragment read;
  simdgroup_load(read, matrix, 8);
  const float expected = cell(laneRow(lane), laneColumn(lane));
  uint found = read.thread_elements()[0] != expected || read.thread_elements()[1] != expected + 1.0f;
  found |= testOrder<float>(floats, lane) << 1 | testOrder<half>(halves, lane) << 3;
  found |= testProduct<float, float>(lane) << 5 | testProduct<half, half>(lane) << 6;
  found |= testProduct<float, half>(lane) << 7;
  wrong[lane] = found;
}
