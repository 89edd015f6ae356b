#pragma once

#include "../../../native/gpu/attend.h"
#include "../../../native/gpu/decode.h"
#include "rotation.h"

// One decode: what is asked, its data on the host and on the device, and the same by the definition.

namespace mrope::test {

struct DecodeCase {
  /** q, new key and value, cache, out. */
  DType q, fresh, cache, out;
  int64_t heads, kvHeads, headDim, valueDim, keys;
  int64_t pairs;
  bool append = true;
  NormPlace norm = NormNone;
  BiasKind bias = BiasKind::None;
  int64_t window = 0, padding = 0;
  /** Heads of the allocation. */
  int64_t tableHeads = 1;
  bool adjacent = false;
  bool rotates = true;
  /** Of the device: many cores split the keys. */
  uint32_t cores = 8;
  /** Queries of zeros: all keys weigh the same, and their weights add up to as many as there are. */
  bool even = false;
  /** Angles from a table, as the backend gives them; otherwise by turns. */
  bool table = false;

  std::string name() const;
  Encoding encoding() const;
};

/** The tokens before the last one are in the cache; the last one is too, or is to be appended. */
class DecodeRun {
 public:
  DecodeRun(HostDevice &device, const DecodeCase &c);
  DecodeRun(const DecodeRun &) = delete;
  DecodeRun &operator=(const DecodeRun &) = delete;

  /** Plans and runs the request; the launches of the device are those of it alone. */
  Status decode(HostDevice &device);
  /** Puts a number into a channel of the new token's first query (0), key (1) or value (2). */
  void spoil(HostDevice &device, int which, int64_t channel, double wrong);

  std::vector<double> result() const;
  /** By the definition; `rounds` as in `attention`. */
  std::vector<double> exact() const { return attention<double>(attend, encoding.function(), false); }
  std::vector<double> straightforward() const { return attention<float>(attend, encoding.function(), true); }
  bool doubted() const;
  /** The new value is in the cache as it came. */
  bool appended() const;
  /** The same attention once the token is in the cache. */
  gpu::AttendRequest again() const;

  const DecodeCase &c;
  Encoding encoding;
  gpu::CacheView cache;
  gpu::DecodeRequest request;

 private:
  gpu::Rotary rotary(HostDevice &device, int64_t first, int64_t count) const;
  Data last(const Data &all) const;

  Data q, k, v, biasValues;
  std::vector<float> qWeights, kWeights;
  Attend attend;
};

}  // namespace mrope::test
