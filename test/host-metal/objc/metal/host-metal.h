// What tests ask of the fake Metal and tell it. All of it is safe from any thread.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Lets something fail: the first `after` occurrences go well, the next `times` fail (-1: all), the rest go well again.
 *   device         no device is found               compile   the compiler refuses a library
 *   function       a function is not made           pipeline  a pipeline is not made
 *   queue          no command queue                 memory    no buffer is allocated
 *   no-copy        the host's memory is not taken   submit    a command buffer ends with "device removed"
 *   archive        a pipeline archive is refused    archive-write   an archive cannot be written
 * The environment does the same: MROPE_HOST_FAIL=compile,memory:2:1 (name:after:times). Unknown names: 0 is returned.
 */
int hostMetalFail(const char *what, long after, long times);

/** in-order, reverse, random or lockstep (strict lane only); 0 for another name. MROPE_HOST_SCHEDULE=random:7 too. */
int hostMetalSchedule(const char *name, unsigned long seed);

/** Every command buffer takes at least so long. MROPE_HOST_DELAY_MS too. */
void hostMetalDelay(long milliseconds);

/** Bytes of all buffers together after which an allocation fails; 0: no limit. MROPE_HOST_MEMORY too. */
void hostMetalMemory(unsigned long bytes);

/** Back to the state of the start; the counters and lists below are emptied. */
void hostMetalReset(void);

/** Waits until no command buffer and no compilation is under way. */
void hostMetalDrain(void);

/**
 * JSON: { libraries, pipelines, archiveHits, buffers, allocated, peakAllocated, commandBuffers, violations: [text],
 * dispatches: [{ kernel, threadgroups, threads, stats }] }, counted since the last reset. Free it with free().
 */
char *hostMetalReport(void);

#ifdef __cplusplus
}
#endif
