/** How long a promise may keep the event loop to itself, in milliseconds. */
const slice = 8

/** Runs steps to their end at once. An aborted signal is thrown between two steps. */
export function runSync(steps: Iterable<void>, signal?: AbortSignal): void {
  throwIfAborted(signal)
  for (const _ of steps) throwIfAborted(signal)
}

/** Runs steps to their end and lets the event loop turn about every 8 ms. Rejects with `signal.reason` when aborted. */
export async function runSliced(steps: Iterable<void>, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal)
  let since = performance.now()
  for (const _ of steps) {
    if (performance.now() - since >= slice) {
      await new Promise((resolve) => setImmediate(resolve))
      since = performance.now()
    }
    throwIfAborted(signal)
  }
}

/** Signals need no more than `aborted` and `reason`: see checkSignal. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason
}
