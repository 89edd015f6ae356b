#include "lane-order.h"

namespace mrope::gpu {
namespace {

constexpr int lanes = 32, side = 8;

}  // namespace

Status planLaneOrder(Device &device, Plan &plan, BufferRef &wrong) {
  float matrix[side * side];
  for (int i = 0; i < side * side; i++) matrix[i] = float(i);
  // A lane that does not write counts as wrong.
  uint32_t marks[lanes];
  for (uint32_t &mark : marks) mark = 1;
  BufferRef elements;
  if (Status s = device.upload(matrix, sizeof matrix, elements); !s.ok()) return s;
  if (Status s = device.upload(marks, sizeof marks, wrong); !s.ok()) return s;
  Dispatch dispatch;
  if (Status s = device.pipeline({"lane_order.metal", "lane_order", {}, {}}, dispatch.pipeline); !s.ok()) return s;
  dispatch.bind(LaneMatrix, elements).bind(LaneWrong, wrong);
  dispatch.threads = lanes;
  plan.dispatches.push_back(std::move(dispatch));
  plan.scratchBytes += sizeof matrix + sizeof marks;
  return {};
}

Status checkLanes(const Limits &limits, const Buffer &wrong) {
  const auto *marks = static_cast<const uint32_t *>(wrong.host());
  for (int lane = 0; lane < lanes; lane++) {
    if (marks[lane] == 0) continue;
    return Status::range(code::device, "metal: " + limits.name + " deals out matrix fragments in an order that the " +
                                           "kernels do not know (lane " + std::to_string(lane) + ")");
  }
  return {};
}

}  // namespace mrope::gpu
