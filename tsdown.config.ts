import { defineConfig } from 'tsdown'

const shared = { platform: 'node', target: 'node20.19', outDir: 'dist', sourcemap: false } as const

// ESM with the command, and CommonJS for programs that still require(); each with its own types.
export default defineConfig([
  {
    ...shared,
    entry: { index: 'lib/index.ts', cli: 'lib/cli/main.ts' },
    format: 'esm',
    dts: { entry: 'lib/index.ts' },
  },
  { ...shared, entry: { index: 'lib/index.ts' }, format: 'cjs', dts: true },
])
