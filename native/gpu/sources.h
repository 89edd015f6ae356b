#pragma once

#include <string_view>

namespace mrope::gpu {

/** The text of a file of metal/ with its local includes, or null. Written by embed.mjs at build time. */
const char *metalSource(std::string_view file);

/** A hash of all of them. */
extern const char *const metalSourcesHash;

}  // namespace mrope::gpu
