export declare class CompileError extends Error {}

export interface CompileOptions {
  /** The .metal file, or `text` and what to call it. */
  source?: string
  text?: string
  name?: string
  /** Directory of the results. */
  out: string
  defines?: Record<string, string | number>
  include?: string[]
  lane?: 'plain' | 'strict' | 'fast-math'
  /** Functions whose calls are counted. */
  count?: string[]
}

export interface Compiled {
  /** Paths. */
  library: string
  reflection: string
  /** Whether it was there already. */
  cached: boolean
}

export declare function compile(options: CompileOptions): Promise<Compiled>
