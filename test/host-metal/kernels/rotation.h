#pragma once

#include "../../../native/gpu/turns.h"
#include "device.h"
#include "support.h"

// Encodings for the kernel tests, their angles in long double, and tensors on the device.

namespace mrope::test {

/** Frequencies, allocation and ids of a call. */
struct Encoding {
  std::string name;
  int64_t axes = 1, tokens = 0, heads = 1, pairs = 0;
  bool adjacent = false;
  double factor = 1;
  std::vector<double> ids = {}, invFreq = {};  // (axes, tokens), (pairs)
  std::vector<int32_t> axisOf = {};       // (heads, pairs)
  std::vector<double> directions = {};    // (heads, pairs, axes) instead of axisOf

  Angles angles() const {
    return {.ids = ids.data(),
            .invFreq = invFreq.data(),
            .axisOf = axisOf.data(),
            .directions = directions.empty() ? nullptr : directions.data(),
            .axes = axes,
            .tokens = tokens,
            .heads = heads,
            .pairs = pairs,
            .factor = factor};
  }

  /** Exact to 1e-9 turns for ids of up to 2^31 and frequencies of up to 1. */
  long double angle(int64_t head, int64_t token, int64_t f) const {
    long double along = 0;
    for (int64_t a = 0; a < axes; a++) {
      const int64_t at = head * pairs + f;
      const double u = directions.empty() ? axisOf[at] == a : directions[at * axes + a];
      if (u != 0) along += (long double)u * invFreq[f] * ids[a * tokens + token];
    }
    return along;
  }

  AngleFunction function() const {
    return [this](int64_t head, int64_t token, int64_t f) {
      const long double theta = angle(head, token, f);
      return CosSin{double(factor * cosl(theta)), double(factor * sinl(theta))};
    };
  }

  /** What a table of it looks like: its shape alone. */
  Table shape() const { return {.heads = heads, .tokens = tokens, .pairs = pairs, .adjacent = adjacent}; }

  /** The same with other ids. */
  Encoding withIds(int64_t count, std::vector<double> others) const {
    Encoding e = *this;
    e.tokens = count;
    e.ids = std::move(others);
    return e;
  }
};

/** The usual frequencies: base^(−f / pairs). */
inline std::vector<double> frequencies(int64_t pairs, double base) {
  std::vector<double> inv(pairs);
  for (int64_t f = 0; f < pairs; f++) inv[f] = std::pow(base, -double(f) / double(pairs));
  return inv;
}

/** Frames of 3 × 5 patches: three axes that never agree, pairs dealt to them in turn, otherwise in every head. */
inline Encoding mropeEncoding(int64_t tokens, int64_t pairs, int64_t heads = 1) {
  Encoding e{.name = heads == 1 ? "mrope" : "per head", .axes = 3, .tokens = tokens, .heads = heads, .pairs = pairs};
  e.invFreq = frequencies(pairs, 1e6);
  e.ids.resize(3 * tokens);
  for (int64_t n = 0; n < tokens; n++) {
    e.ids[n] = double(1000 + n / 15);
    e.ids[tokens + n] = double(990 + n / 5 % 3);
    e.ids[2 * tokens + n] = double(n % 5) - 2;
  }
  e.axisOf.resize(heads * pairs);
  for (int64_t i = 0; i < heads * pairs; i++) e.axisOf[i] = int32_t((i % pairs + i / pairs) % 3);
  return e;
}

/** Every pair turns along a direction of its own. */
inline Encoding directionEncoding(int64_t tokens, int64_t pairs, int64_t heads, Noise &noise) {
  Encoding e = mropeEncoding(tokens, pairs, heads);
  e.name = "directions";
  e.axisOf.clear();
  e.directions.resize(heads * pairs * e.axes);
  for (double &u : e.directions) u = noise();
  return e;
}

inline Data onHost(const gpu::View &view) {
  Data data(view.type, view.tokens * view.heads * view.dim);
  const char *base = static_cast<const char *>(view.buffer->host()) + view.offset;
  const int64_t size = bytesOf(view.type);
  for (int64_t n = 0; n < view.tokens * view.heads; n++) {
    const int64_t from = n / view.heads * view.tokenStride + n % view.heads * view.headStride;
    std::memcpy(data.bytes.data() + n * view.dim * size, base + from * size, view.dim * size);
  }
  return data;
}

/** A dense tensor on the device with the elements of `data`; with none of them, unwritten. */
inline gpu::View onDevice(HostDevice &device, DType type, int64_t tokens, int64_t heads, int64_t dim,
                          const Data *data = nullptr) {
  gpu::BufferRef buffer;
  const size_t bytes = size_t(tokens * heads * dim * bytesOf(type));
  const Status s = data ? device.upload(data->bytes.data(), bytes, buffer) : device.allocate(bytes, buffer);
  if (!s.ok()) throw std::runtime_error(s.message());
  return gpu::View::of(buffer, type, tokens, heads, dim);
}

inline gpu::BufferRef weightsOnDevice(HostDevice &device, const std::vector<float> &weights) {
  gpu::BufferRef buffer;
  const Status s = device.upload(weights.data(), weights.size() * sizeof(float), buffer);
  if (!s.ok()) throw std::runtime_error(s.message());
  return buffer;
}

/** How a launch is ordered; every kernel test runs under all of these. */
struct Order {
  const char *name;
  metal_host::Schedule schedule;
  uint64_t seed;
};
inline constexpr Order orders[] = {{"in order", metal_host::Schedule::InOrder, 1},
                                   {"reverse", metal_host::Schedule::Reverse, 1},
                                   {"random 1", metal_host::Schedule::Random, 1},
                                   {"random 2", metal_host::Schedule::Random, 2}};

}  // namespace mrope::test
