export interface CheckOptions {
  source: string
  defines?: Record<string, string | number>
  include?: string[]
}

/** The compiler's errors; empty when there is none. */
export declare function check(options: CheckOptions): Promise<string>
