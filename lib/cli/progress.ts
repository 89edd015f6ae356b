import { Presets, SingleBar } from 'cli-progress'

/** Progress of long work on stderr, where that is a terminal; silent otherwise. */
export interface Progress {
  step(done: number, what?: string): void
  stop(): void
}

export function startProgress(total: number, what: string, quiet = false): Progress {
  if (quiet || !process.stderr.isTTY || total < 2) return { step: () => {}, stop: () => {} }
  const format = ' {bar} {value}/{total} {what}'
  const bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: true, hideCursor: true }, Presets.rect)
  bar.start(total, 0, { what })
  return {
    step: (done, now = what) => bar.update(done, { what: now }),
    stop: () => bar.stop(),
  }
}
