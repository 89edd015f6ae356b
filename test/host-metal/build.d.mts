export const directory: string
/** Builds targets of test/host-metal/CMakeLists.txt and gives the build directory. */
export function build(targets?: readonly string[]): Promise<string>
