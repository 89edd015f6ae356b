// Runs of neighbouring channels, up to 16 bytes at a time, and the order that they give the channels of a fragment.
//
// The channels of a row are cut into segments: as many of 16-byte runs as there are, then at most one each of 8, 4 and
// 2 bytes. In half, for keys (8 runs a segment) and for values (4 runs a segment):
//
//     keys, dim 88      | 8 runs of 8 channels: 64 | 8 of 2: 16 | 8 of 1: 8 |
//     values, dim 88    | 4 of 8: 32 | 4 of 8: 32 | 4 of 4: 16 | 4 of 2: 8 |
#ifndef MROPE_RUNS_H
#define MROPE_RUNS_H

#include <metal_stdlib>
using namespace metal;

// Arrays of fragments must stay in registers; a CPU gains nothing from it and compiles it for minutes.
#ifdef __linux__
#define MROPE_UNROLL
#else
#define MROPE_UNROLL _Pragma("clang loop unroll(full)")
#endif

// --------------------------------------------------------------------------------------------------------------- runs

// Address spaces as types, so that one loader serves device and threadgroup memory.
struct InDevice {
  template <typename T>
  using row = const device T*;
  typedef const device uint4* words4;
  typedef const device uint2* words2;
  typedef const device uint* words1;
};
struct InThreadgroup {
  template <typename T>
  using row = const threadgroup T*;
  typedef const threadgroup uint4* words4;
  typedef const threadgroup uint2* words2;
  typedef const threadgroup uint* words1;
};

inline void unpackWord(uint word, thread half* to) {
  const half2 v = as_type<half2>(word);
  to[0] = v.x;
  to[1] = v.y;
}
inline void unpackWord(uint word, thread bfloat* to) {
  const bfloat2 v = as_type<bfloat2>(word);
  to[0] = v.x;
  to[1] = v.y;
}
inline void unpackWord(uint word, thread float* to) { to[0] = as_type<float>(word); }

inline uint packWord(const thread half* from) {
  half2 v;
  v.x = from[0];
  v.y = from[1];
  return as_type<uint>(v);
}
inline uint packWord(const thread bfloat* from) {
  bfloat2 v;
  v.x = from[0];
  v.y = from[1];
  return as_type<uint>(v);
}
inline uint packWord(const thread float* from) { return as_type<uint>(from[0]); }

template <int BYTES, typename S>
struct Run {};
template <typename S>
struct Run<16, S> {
  template <typename T>
  static void load(typename S::template row<T> from, thread T* to) {
    const int E = 4 / int(sizeof(T));
    const uint4 words = *(typename S::words4)from;
    unpackWord(words.x, to);
    unpackWord(words.y, to + E);
    unpackWord(words.z, to + 2 * E);
    unpackWord(words.w, to + 3 * E);
  }
};
template <typename S>
struct Run<8, S> {
  template <typename T>
  static void load(typename S::template row<T> from, thread T* to) {
    const int E = 4 / int(sizeof(T));
    const uint2 words = *(typename S::words2)from;
    unpackWord(words.x, to);
    unpackWord(words.y, to + E);
  }
};
template <typename S>
struct Run<4, S> {
  template <typename T>
  static void load(typename S::template row<T> from, thread T* to) {
    unpackWord(*(typename S::words1)from, to);
  }
};
template <typename S>
struct Run<2, S> {
  template <typename T>
  static void load(typename S::template row<T> from, thread T* to) {
    to[0] = from[0];
  }
};

/** W neighbours, W a power of two, aligned to their size up to 16 bytes. */
template <typename T, int W, typename S>
inline void loadWide(typename S::template row<T> from, thread T* to) {
  Run<W * int(sizeof(T)), S>::template load<T>(from, to);
}

/** W neighbours, W a power of two of at least 4 bytes, aligned to their size up to 16 bytes. */
template <typename T, int W>
inline void storeWide(device T* to, const thread T* from) {
  const int E = 4 / int(sizeof(T)), WORDS = W / E;
  if (WORDS >= 4) {
    MROPE_UNROLL
    for (int i = 0; i < WORDS / 4; i++) {
      const thread T* x = from + 4 * E * i;
      uint4 words;
      words.x = packWord(x);
      words.y = packWord(x + E);
      words.z = packWord(x + 2 * E);
      words.w = packWord(x + 3 * E);
      ((device uint4*)to)[i] = words;
    }
  } else if (WORDS == 2) {
    uint2 words;
    words.x = packWord(from);
    words.y = packWord(from + E);
    *(device uint2*)to = words;
  } else {
    *(device uint*)to = packWord(from);
  }
}

// ----------------------------------------------------------------------------------------------- the order of channels

/** Start and width of the segment of a channel. SHARE: the rows (8, keys) or column pairs (4, values) of a segment. */
template <typename T, int D, int SHARE>
inline uint2 segmentOf(uint channel) {
  const uint W = 16 / sizeof(T), FULL = D / (SHARE * W) * (SHARE * W), REST = (D - FULL) / SHARE;
  uint2 segment;
  segment.x = channel / (SHARE * W) * (SHARE * W);
  segment.y = W;
  if (channel >= FULL) {
    segment.x = FULL;
    segment.y = 4;
    if ((REST & 4u) == 0 || channel >= segment.x + 4 * SHARE) {
      segment.x += (REST & 4u) * SHARE;
      segment.y = 2;
      if ((REST & 2u) == 0 || channel >= segment.x + 2 * SHARE) {
        segment.x += (REST & 2u) * SHARE;
        segment.y = 1;
      }
    }
  }
  return segment;
}

/** Where a channel of a query stands in its row: fragment n reads places 8n … 8n + 7. T is the type of the keys. */
template <typename T, int D>
inline uint querySlot(uint channel) {
  const uint2 segment = segmentOf<T, D, 8>(channel);
  const uint i = channel - segment.x;
  return segment.x + i % segment.y * 8 + i / segment.y;
}

/** The channel of a lane's first element of an output fragment; the second is its neighbour. T: type of the values. */
template <typename T, int D>
inline uint valueChannel(uint fragment, uint column) {
  const uint2 segment = segmentOf<T, D, 4>(fragment * 8);
  return segment.x + column / 2 * segment.y + (fragment - segment.x / 8) * 2;
}

#endif
