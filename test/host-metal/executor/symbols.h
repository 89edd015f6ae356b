#pragma once

#include <string>

#include "library.h"

namespace mrope::metal_host {

/** "attention.metal:123" of an address in a library, by addr2line; empty when that cannot be told. */
std::string symbolize(const Library::Image &image, const void *site);

}  // namespace mrope::metal_host
