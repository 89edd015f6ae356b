import { defineConfig } from 'tsdown'

// The library is published as ESM and CommonJS, each with its own types; the command is ESM only.
const shared = { platform: 'node', target: 'node20.19', outDir: 'dist', sourcemap: false } as const

export default defineConfig([
  { ...shared, entry: { index: 'lib/index.ts' }, format: ['esm', 'cjs'], dts: true, clean: true },
  { ...shared, entry: { cli: 'lib/cli/main.ts' }, format: ['esm'], dts: false, clean: false },
])
