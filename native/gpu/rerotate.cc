#include "rerotate.h"

#include <algorithm>

namespace mrope::gpu {
namespace {

/** Rows that go through scratch memory at a time. */
constexpr int64_t rowsAtOnce = 1024;

Status copy(Device &device, const View &from, const View &to, Plan &plan) {
  return planRotate(device, RotateRequest{.x = from, .out = to, .rotary = {}, .norm = {}}, plan);
}

}  // namespace

Status planRerotate(Device &device, const RerotateRequest &r, Plan &plan) {
  const CacheView &cache = r.cache;
  if (Status s = checkCache("rerotate", cache); !s.ok()) return s;
  if (r.tokens < 0 || r.to < 0 || r.to > r.first || r.first > cache.capacity - r.tokens) {
    return Status::range(code::argument, "rerotate: rows " + std::to_string(r.first) + " … " +
                                             std::to_string(r.first + r.tokens) + " cannot go to row " +
                                             std::to_string(r.to) + " of a cache of " +
                                             std::to_string(cache.capacity));
  }
  if (r.to == r.first) {
    if (r.differences.kind == AnglesNone) return {};
    const View rows = cache.keys(r.first, r.tokens);
    return planRotate(
        device, RotateRequest{.x = rows, .out = rows, .rotary = r.differences, .norm = {}, .oneColumn = r.equal}, plan);
  }
  const int64_t most = std::min(rowsAtOnce, r.tokens);
  const size_t rowBytes = cache.kvHeads * bytesOf(cache.type);
  BufferRef k, v;
  if (Status s = device.allocate(std::max<size_t>(16, most * cache.headDim * rowBytes), k); !s.ok()) return s;
  if (Status s = device.allocate(std::max<size_t>(16, most * cache.valueDim * rowBytes), v); !s.ok()) return s;
  plan.scratchBytes += k->bytes() + v->bytes();
  for (int64_t done = 0; done < r.tokens; done += most) {
    const int64_t rows = std::min(most, r.tokens - done);
    const View scratchK = View::of(k, cache.type, rows, cache.kvHeads, cache.headDim);
    const View scratchV = View::of(v, cache.type, rows, cache.kvHeads, cache.valueDim);
    const RotateRequest turn{.x = cache.keys(r.first + done, rows),
                             .out = scratchK,
                             .rotary = r.equal ? r.differences : r.differences.from(done),
                             .norm = {},
                             .oneColumn = r.equal};
    if (Status s = planRotate(device, turn, plan); !s.ok()) return s;
    if (Status s = copy(device, cache.values(r.first + done, rows), scratchV, plan); !s.ok()) return s;
    if (Status s = copy(device, scratchK, cache.keys(r.to + done, rows), plan); !s.ok()) return s;
    if (Status s = copy(device, scratchV, cache.values(r.to + done, rows), plan); !s.ok()) return s;
  }
  return {};
}

}  // namespace mrope::gpu
