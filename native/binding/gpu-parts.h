#pragma once

#include <mutex>
#include <vector>

#include "../gpu/attend.h"
#include "attend.h"
#include "gpu.h"

namespace mrope::binding {

class KeptAngles;

/** Where an operation takes its rotation from: cosines and sines, or ids and frequencies. */
struct RotationSource {
  bool given = false, byAngles = false;
  Table table;
  Angles angles;
  std::vector<int32_t> axisOf;
  /** Of the device that the work is for; null: made for this call alone. */
  std::shared_ptr<KeptAngles> kept;
};

/** Angles in device memory as the last call had them: the layers of a step, and of a tower, have the same. */
class KeptAngles {
 public:
  Status rotary(gpu::Device &on, const RotationSource &, gpu::AngleUse, const cpu::Run &, gpu::Rotary &out);

 private:
  std::mutex mutex_;
  /** All that the angles are made from. */
  std::vector<double> key_;
  gpu::Rotary rotary_;
};

/** What the handle of a device keeps, argument i. */
std::shared_ptr<KeptAngles> keptAnglesOf(Call &call, std::size_t i);

/** Says to the reading of a table that angles come from argument `angles` on. */
void expectAngles(Call &call, std::size_t angles);

/** Reads the angles from argument `angles` on, where they are there, and holds them against the table's shape. */
void readRotation(Call &call, std::size_t angles, const Table &table, RotationSource &out);

Status rotaryOf(gpu::Device &on, const RotationSource &source, gpu::AngleUse use, const cpu::Run &run,
                gpu::Rotary &out);
Status normOf(gpu::Device &on, const Norm &norm, int64_t dim, gpu::RowNorm &out);
/** A copy of a small bias; a window where the values are in device memory already. */
Status biasOf(gpu::Device &on, const GpuArguments &arguments, const Bias &bias, gpu::BiasView &out);

/** Does again the rows that the device doubts. */
Status redo(const gpu::AttendRequest &request, const gpu::BufferRef &doubt, const cpu::Run &run);

}  // namespace mrope::binding
