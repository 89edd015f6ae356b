// Failures to inject, what was counted, and rules that were broken: shared by the classes of the fake.
#pragma once

#include <cstdint>
#include <string>

#include "../../executor/executor.h"

namespace mrope::fake {

/** Whether this occurrence is one that a test wants to fail. */
bool fails(const char *what);

/** Notes that a rule of Metal's validation layer was broken, and gives the message back. */
const std::string &violation(const std::string &message);

/** Counts: names of the report. */
void count(const char *what, long by = 1);

/** Bytes of live buffers; `reserve` is false where the limit is passed. */
bool reserve(std::uint64_t bytes);
void release(std::uint64_t bytes);
std::uint64_t allocated();
std::uint64_t memoryLimit();

void dispatched(const std::string &kernel, const metal_host::Grid &grid, const metal_host::Stats &stats);

metal_host::LaunchOptions launchOptions();
long delay();

/** A setting of the environment, or the default. */
std::string setting(const char *name, const std::string &otherwise);

std::string quoted(const std::string &text);  // as JSON

}  // namespace mrope::fake
