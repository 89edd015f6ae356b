#pragma once

#include "../cpu/cpu.h"
#include "attend.h"

namespace mrope::gpu {

/**
 * Does the rows again that the device doubts: on the host, by the definition, in float64, so that every input has its
 * defined result. A score of −Infinity masks its key, scores of +Infinity share the whole weight, a NaN score makes the
 * row NaN, and a value that is not finite reaches its channel however small its weight.
 *
 * @param request as it was planned; all its buffers are visible to the host, and the device is done with them
 * @param doubt one byte for each (query, head), 1 for a row to do again
 * @returns how many rows were done; −1 where memory ran out or the run was aborted
 */
int64_t redoRows(const AttendRequest &request, const Buffer &doubt, const cpu::Run &);

}  // namespace mrope::gpu
