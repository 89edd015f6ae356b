#pragma once

#include <memory>
#include <optional>

#include "../../../native/gpu/attend.h"
#include "device.h"
#include "support.h"

// One attention, made from a seed, as the host knows it and as the device gets it.

namespace mrope::test {

enum class AngleSource { None, Table, Turns, PerId, Directions };
/** Where the keys come from: raw rows (tokens, heads, dim), or rotated rows of a cache [head][capacity][dim]. */
enum class Keys { Raw, Cache };
enum class Norms { None, Before, After };

struct AttendCase {
  int64_t queries = 33, keys = 33, heads = 4, kvHeads = 2, dim = 64, valueDim = 64;
  DType q = DType::Float32, k = DType::Float32, v = DType::Float32, out = DType::Float32;
  bool causal = true;
  int64_t window = 0, padding = 0;
  std::vector<int32_t> cuSeqlens = {};
  AngleSource angles = AngleSource::Turns;
  Keys keysAre = Keys::Cache;
  bool adjacent = false, perHead = false;
  /** Pairs that turn; −1 for all. */
  int64_t pairs = -1;
  Norms norms = Norms::None;
  BiasKind bias = BiasKind::None;
  DType biasType = DType::Float32;
  bool biasShared = false, scales = false;
  /** Elements between rows that nobody may touch, and bytes before the first. */
  int64_t gap = 0;
  double factor = 1;
  /** Of the device: few cores take several heads a threadgroup where angles come per id. */
  uint32_t cores = 8;
  /** Queries of zeros: all keys weigh the same, and their weights add up to as many as there are. */
  bool even = false;

  AttendCase &types(DType type) {
    q = k = v = out = type;
    return *this;
  }
  AttendCase &sized(int64_t queryCount, int64_t keyCount, int64_t headCount, int64_t kvHeadCount, int64_t headDim) {
    queries = queryCount, keys = keyCount, heads = headCount, kvHeads = kvHeadCount, dim = valueDim = headDim;
    return *this;
  }
  std::string name() const;
};

class AttendWorld {
 public:
  AttendWorld(const AttendCase &, uint64_t seed);
  AttendWorld(const AttendWorld &) = delete;  // its parts point at each other

  /** The request with everything copied to the device. */
  Status upload(gpu::Device &, gpu::AttendRequest &);
  /** What the device holds as the result. */
  std::vector<double> result(const gpu::AttendRequest &) const;
  std::vector<double> exact() const { return attention<double>(a, angle, false); }
  std::vector<double> straightforward() const { return attention<float>(a, angle, true); }

  AttendCase c;
  Data q, k, v, out, biasValues;
  std::vector<float> qWeights, kWeights;
  std::vector<double> scales, ids, invFreq, directions;
  std::vector<int32_t> axisOf;
  std::vector<float> cos, sin;
  Attend a;
  AngleFunction angle;

 private:
  void makeAngles(Noise &);
  void makeBias(Noise &);
  Status uploadRows(gpu::Device &, const Data &, const Tensor &, bool cache, gpu::View &) const;
  Status uploadAngles(gpu::Device &, gpu::Rotary &) const;
};

using Cases = std::vector<AttendCase>;
Cases dimCases();
Cases sizeCases();
Cases maskCases();
Cases biasCases();
Cases angleCases();
Cases otherCases();

void attentionRefusals();
/** Rows that do not begin at multiples of 16 bytes go through scratch memory. */
void attentionAlignment();
void attentionDoubt(const std::string &lane);
void attentionFallback(const std::string &lane);
void attentionTraffic();
void laneOrder(const std::string &lane);

}  // namespace mrope::test
