import { throwIfAborted } from '../../tensors/slices.js'
import type { AbortHandle, NativeAddon } from './addon.js'

/** Runs work of the addon that a signal stops. Rejects with `signal.reason`. */
export async function abortable(
  addon: NativeAddon,
  signal: AbortSignal | undefined,
  run: (abort?: AbortHandle) => Promise<boolean>,
): Promise<void> {
  if (signal === undefined) {
    await run()
    return
  }
  throwIfAborted(signal)
  const handle = addon.createAbort()
  const stop = (): void => addon.abort(handle)
  signal.addEventListener('abort', stop, { once: true })
  try {
    if (!(await run(handle))) throw signal.reason
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
