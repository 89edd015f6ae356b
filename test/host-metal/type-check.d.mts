export const sdks: readonly number[]
/** Every native/apple/*.mm, and addon/foreign.mm. */
export function sources(): string[]
/** The compiler's messages by file, empty where it is content. `sdk` as __MAC_OS_X_VERSION_MAX_ALLOWED. */
export function typeCheck(files?: readonly string[], sdk?: number): Map<string, string>
