import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type Rolldown } from 'tsdown'

const shared = { platform: 'node', target: 'node20.19', outDir: 'dist', sourcemap: false } as const

/** The licences of the packages that are bundled into a file, in front of it: each asks to be kept with every copy. */
const licences: Rolldown.Plugin = {
  name: 'licences',
  renderChunk(code, { modules }) {
    const folders = Object.keys(modules).flatMap((id) => id.match(/^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/) ?? [])
    const texts = new Map<string, string[]>()
    for (const folder of new Set(folders)) {
      const name = folder.slice(folder.lastIndexOf('/node_modules/') + '/node_modules/'.length)
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
      if (!file) throw new Error(`${name} has no licence file`)
      const text = readFileSync(join(folder, file), 'utf8').trim().replaceAll('*/', '* /')
      texts.set(text, [...(texts.get(text) ?? []), name])
    }
    const notices = [...texts].map(([text, names]) => `${names.join(', ')}\n\n${text}`)
    return notices.length === 0 ? null : `/*! This file contains\n\n${notices.join('\n\n\n')}\n*/\n${code}`
  },
}

// ESM with the command, and CommonJS for programs that still require(); each with its own types.
export default defineConfig([
  {
    ...shared,
    entry: { index: 'lib/index.ts', cli: 'lib/cli/main.ts' },
    format: 'esm',
    dts: { entry: 'lib/index.ts' },
  },
  { ...shared, entry: { index: 'lib/index.ts' }, format: 'cjs', dts: true },
  // The program of the page that `mrope report` writes: Observable Plot is inlined, nothing is loaded when it is opened.
  {
    entry: { 'report-page': 'lib/report/page/main.ts' },
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    minify: true,
    dts: false,
    sourcemap: false,
    outDir: 'dist',
    outputOptions: { entryFileNames: 'report-page.js' },
    plugins: [licences],
  },
])
