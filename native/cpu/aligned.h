#pragma once

#include "pages.h"
#include "rows.h"

// Rotation to float32 in whole vectors at aligned addresses. JavaScript arrays are aligned to 16 bytes only: longer
// vectors that begin with a row cross cache lines, and each line is then read and written twice.
//
//   rows      …  | row 0: x0 … xF-1, y0 … yF-1     | row 1 …
//   vectors  [ 0 ][ 1 ][ 2 ][ 3 ][ 4 ][ 5 ][ 6 ][ 7 ][ 8 ][ 1 ] …       F = 4 vectors
//
// Half-split, vector i turns with vector N + i. What vector 0 holds of the row turns with the end of vector N, and the
// beginning of vector N with that of vector 2N, which is vector 0 of the next row and waits for it to be whole. Adjacent
// pairs lie within a vector; only vectors 0 and 2N belong to two rows.
// Where every channel turns, for the usual head dims. Gives the bits of turnRow.

#if MROPE_LANES > 4
namespace mrope::cpu::MROPE_ISA {

/** Where vectors lie in rows: channel 0 is lane `tail` (1 … W) of vector 0. */
struct Placing {
  int64_t tail;
  /** The lanes before it, which belong to the row before. */
  vi before;

  explicit Placing(const float *row) {
    const auto past = (int64_t)((uintptr_t)row / sizeof(float) % W);
    tail = past == 0 ? W : past;
    for (int lane = 0; lane < W; lane++) before[lane] = lane < tail ? -1 : 0;
  }
  /** Vector 0 of a row that has none before it. */
  template <class From>
  MROPE_MEMBER vf first(const From *row) const {
    float line[2 * W] = {};
    store(line + tail, loadPart(row, W - tail));
    return load(line);
  }
  MROPE_MEMBER void putFirst(float *row, vf x) const {
    float line[2 * W];
    store(line, x);
    storePart(row, load(line + tail), W - tail);
  }
};

/** Cosines and sines of one token as the vectors of a row need them; adjacent: for each channel, −sin for its first. */
template <int64_t dim>
struct PlacedTurn {
  alignas(64) float cos[dim + 2 * W], sin[dim + 2 * W];

  MROPE_MEMBER vf c(int64_t at) const { return *(const vf *)(cos + W + at); }
  MROPE_MEMBER vf s(int64_t at) const { return *(const vf *)(sin + W + at); }

  void place(const Turn &turn, int64_t tail, float sign) {
    const int64_t F = turn.pairs;
    vf signs = splat(sign);
    for (int lane = 0; lane < W && turn.adjacent; lane += 2) signs[lane] = -sign;
    // What the last vector has before `tail` is needed in vector 0.
    for (int64_t f = -W; f < F; f += W) {
      const vf c = load(turn.cos + (f < 0 ? F - W : f)), s = load(turn.sin + (f < 0 ? F - W : f));
      if (!turn.adjacent) {
        put(f + tail, c, s * signs);
      } else {
        if (f >= 0) put(2 * f + tail, interleaveLow(c, c), interleaveLow(s, s) * signs);
        put(2 * f + W + tail, interleaveHigh(c, c), interleaveHigh(s, s) * signs);
      }
    }
  }

 private:
  MROPE_MEMBER void put(int64_t at, vf c, vf s) {
    store(cos + W + at, c);
    store(sin + W + at, s);
  }
};

template <int... lane>
MROPE_INLINE vf swapNeighbours(vf x, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(x, x, (lane ^ 1)...);
}

/** Each channel times its cosine and its neighbour times its sine. */
MROPE_INLINE vf turnPairs(vf x, vf c, vf s) {
  return multiplyAdd(x, c, swapNeighbours(x, std::make_integer_sequence<int, W>()) * s);
}

template <class From, int64_t F>
static void rotateAligned(const Rotate &job, int64_t token, int64_t count) {
  constexpr int64_t dim = 2 * F, N = F / W;
  const int64_t heads = job.x.heads, rows = count * heads;
  const From *from = (const From *)job.x.at(token, 0);
  float *to = (float *)job.out.at(token, 0);
  const Placing placing(to);
  const Pages reads(job.x), writes(job.out);
  PlacedTurn<dim> turn;
  // Vector 0 as it was, and its first lanes as they will be.
  vf start = placing.first(from), waiting = {};
  for (int64_t row = 0; row < rows; row++) {
    const int64_t head = row % heads;
    if (head == 0 || job.table.heads > 1) {
      const int64_t tableHead = job.table.headOf(head, heads);
      turn.place(turnOf(job.table, true, tableHead, token + row / heads), placing.tail, job.inverse ? -1.f : 1.f);
    }
    const From *x = from + row * dim - placing.tail;
    float *o = to + row * dim - placing.tail;
    reads.fetch(x);
    writes.fetch(o);
    vf lines[2 * N + 1];
    lines[0] = start;
#pragma GCC unroll 32
    for (int64_t i = 1; i < 2 * N; i++) lines[i] = load(x + i * W);
    lines[2 * N] = row + 1 < rows ? load(x + dim) : loadUpTo(x + dim, placing.tail);
    const auto put = [&](int64_t i, vf v) __attribute__((always_inline)) { *(vf *)(o + i * W) = v; };
    const auto putStart = [&](vf v) __attribute__((always_inline)) {
      if (row == 0) {
        placing.putFirst(to, v);
      } else {
        put(0, select(placing.before, waiting, v));
      }
    };
    const vf c = turn.c(0), s = turn.s(0);
    if (job.table.adjacent) {
      putStart(turnPairs(lines[0], c, s));
#pragma GCC unroll 32
      for (int64_t i = 1; i < 2 * N; i++) put(i, turnPairs(lines[i], turn.c(i * W), turn.s(i * W)));
      waiting = turnPairs(lines[2 * N], c, s);
    } else {
      const vf a = select(placing.before, lines[N], lines[0]), b = select(placing.before, lines[2 * N], lines[N]);
      const Pair<vf> split = turned(a, b, c, s);
      putStart(split.x);
      put(N, select(placing.before, split.x, split.y));
      waiting = split.y;
#pragma GCC unroll 16
      for (int64_t i = 1; i < N; i++) {
        const Pair<vf> t = turned(lines[i], lines[N + i], turn.c(i * W), turn.s(i * W));
        put(i, t.x);
        put(N + i, t.y);
      }
    }
    start = lines[2 * N];
  }
  storeUpTo(to + rows * dim - placing.tail, waiting, placing.tail);
}

/** One of these numbers of pairs; false where it is another. */
template <class From, int64_t... F>
static bool rotateAlignedOf(const Rotate &job, int64_t token, int64_t count) {
  return ((job.x.dim == 2 * F && (rotateAligned<From, F>(job, token, count), true)) || ...);
}

/** False where it cannot be done so: then nothing is done. */
template <class From>
static bool rotateAligned(const Rotate &job, int64_t token, int64_t count) {
  // Neighbours that a vector would tear apart.
  const bool torn = job.table.adjacent && (uintptr_t)job.out.data / sizeof(float) % 2;
  if (2 * job.table.pairs != job.x.dim || job.norm.weight || torn) return false;
  // Those whose lines are few enough for registers.
  return rotateAlignedOf<From, 32, 48, 64, 128>(job, token, count);
}

}  // namespace mrope::cpu::MROPE_ISA
#endif
