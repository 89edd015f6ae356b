/** Every backend that mrope knows, best first. */
export const backendNames = ['metal', 'mpsgraph', 'coreml', 'cpu', 'reference'] as const

export type BackendName = (typeof backendNames)[number]
