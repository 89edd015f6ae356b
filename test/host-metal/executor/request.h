#pragma once

#include "library.h"
#include "report.h"

namespace mrope::metal_host {

/** Reports what is wrong with a launch before it begins; true when nothing is. */
bool checkRequest(const Pipeline::State &pipeline, const Bindings &bindings, const Grid &grid,
                  const LaunchOptions &options, Report &report);

}  // namespace mrope::metal_host
