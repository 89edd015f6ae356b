#pragma once

// simdgroup_matrix<T, 8, 8>: two elements of one row a lane, in the order that ggml and MLX rely on.
//
//   lane            0  0  1  1  8  8  9  9      row 0, columns 0..7; lanes 2..7 hold rows 1..3 likewise,
//                   2  2  3  3 10 10 11 11      lanes 16..31 rows 4..7
//
// Products accumulate in float and are rounded once.

#include "simdgroup.h"

namespace msl {

MSL_UNTRACKED constexpr unsigned fragmentRow(unsigned lane) { return (lane >> 4 & 1) * 4 + (lane >> 1 & 3); }
MSL_UNTRACKED constexpr unsigned fragmentColumn(unsigned lane) { return (lane >> 3 & 1) * 4 + (lane & 1) * 2; }
MSL_UNTRACKED constexpr unsigned fragmentLane(unsigned row, unsigned column) {
  return row >> 2 << 4 | (row & 3) << 1 | column >> 2 << 3 | (column >> 1 & 1);
}

}  // namespace msl

namespace metal {

template <class T, int Rows, int Columns>
struct simdgroup_matrix {
  static_assert(Rows == 8 && Columns == 8 && msl::Floating<T>);
  using storage_type = vec<T, 2>;
  vec<T, 2> elements;

  simdgroup_matrix() = default;
  explicit simdgroup_matrix(T diagonal) {
    for (unsigned i = 0; i < 2; i++)
      elements[i] = msl::fragmentRow(msl::lane()) == msl::fragmentColumn(msl::lane()) + i ? diagonal : T(0);
  }
  vec<T, 2> &thread_elements() { return elements; }
  const vec<T, 2> &thread_elements() const { return elements; }
};

template <class T, int Rows, int Columns = Rows>
inline simdgroup_matrix<T, Rows, Columns> make_filled_simdgroup_matrix(T value) {
  simdgroup_matrix<T, Rows, Columns> m;
  m.elements = vec<T, 2>(value);
  return m;
}

template <class T>
inline void simdgroup_load(simdgroup_matrix<T, 8, 8> &m, const T *from, ulong stride = 8,
                           vec<ulong, 2> origin = vec<ulong, 2>(0), bool transpose = false) {
  for (unsigned i = 0; i < 2; i++) {
    ulong row = msl::fragmentRow(msl::lane()), column = msl::fragmentColumn(msl::lane()) + i;
    if (transpose) std::swap(row, column);
    m.elements[i] = from[(origin.y + row) * stride + origin.x + column];
  }
}
template <class T>
inline void simdgroup_store(const simdgroup_matrix<T, 8, 8> &m, T *to, ulong stride = 8,
                            vec<ulong, 2> origin = vec<ulong, 2>(0), bool transpose = false) {
  for (unsigned i = 0; i < 2; i++) {
    ulong row = msl::fragmentRow(msl::lane()), column = msl::fragmentColumn(msl::lane()) + i;
    if (transpose) std::swap(row, column);
    to[(origin.y + row) * stride + origin.x + column] = m.elements[i];
  }
}

/** d = a b + c. A lane gives its elements of a and b and gets row and columns of its own element of d. */
template <class D, class A, class B, class C>
MSL_UNTRACKED inline void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8> &d,
                                                        const simdgroup_matrix<A, 8, 8> &a,
                                                        const simdgroup_matrix<B, 8, 8> &b,
                                                        const simdgroup_matrix<C, 8, 8> &c, MSL_SITE) {
  struct Operand {
    float a[2], b[2];
  };
  const Operand mine{{float(a.elements[0]), float(a.elements[1])}, {float(b.elements[0]), float(b.elements[1])}};
  float sum[2] = {float(c.elements[0]), float(c.elements[1])};
  const auto lanes = msl::exchange(mine, msl::SimdOp::Multiply, file, line);
  const unsigned row = msl::fragmentRow(msl::lane()), column = msl::fragmentColumn(msl::lane());
  for (unsigned k = 0; k < 8; k++) {
    const float left = lanes[msl::fragmentLane(row, k)].a[k & 1];
    const Operand right = lanes[msl::fragmentLane(k, column)];
    for (unsigned i = 0; i < 2; i++) sum[i] = __builtin_fmaf(left, right.b[i], sum[i]);
  }
  for (unsigned i = 0; i < 2; i++) d.elements[i] = static_cast<D>(sum[i]);
}
template <class D, class A, class B>
inline void simdgroup_multiply(simdgroup_matrix<D, 8, 8> &d, const simdgroup_matrix<A, 8, 8> &a,
                               const simdgroup_matrix<B, 8, 8> &b, MSL_SITE) {
  simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix<D, 8>(D(0)), file, line);
}

using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = simdgroup_matrix<bfloat, 8, 8>;

}  // namespace metal
