#pragma once

#include "call.h"

namespace mrope::binding {

// One function per export. The Sync twins run on the calling thread and the pool.

napi_value attendSync(Call &);
napi_value attend(Call &);
napi_value rotateSync(Call &);
napi_value rotate(Call &);
napi_value tableSync(Call &);
napi_value table(Call &);

napi_value cacheCreate(Call &);
napi_value cacheLength(Call &);
napi_value cacheAppendSync(Call &);
napi_value cacheAppend(Call &);
napi_value cacheAttendSync(Call &);
napi_value cacheAttend(Call &);
napi_value cacheStepSync(Call &);
napi_value cacheStep(Call &);
napi_value cacheDropSync(Call &);
napi_value cacheDrop(Call &);
napi_value cacheRerotateSync(Call &);
napi_value cacheRerotate(Call &);
napi_value cacheRead(Call &);
napi_value cacheTruncate(Call &);
napi_value cacheDispose(Call &);

napi_value info(Call &);
napi_value setThreads(Call &);
napi_value useInstructions(Call &);

}  // namespace mrope::binding
