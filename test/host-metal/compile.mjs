#!/usr/bin/env node
// Compiles a .metal file for this processor: see README.md.

import { readFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { RewriteError, rewrite } from './rewrite/rewrite.mjs'
import * as tools from './toolchain.mjs'

/** The source is wrong: the message holds what the compiler says, with lines of the .metal file. */
export class CompileError extends Error {
  name = 'CompileError'
}

/**
 * @param {object} options
 * @param {string} [options.source] the .metal file, or
 * @param {string} [options.text] its text, with
 * @param {string} [options.name] what to call it (default `source.metal`)
 * @param {string} options.out directory of the results; several processes may use it at once
 * @param {Record<string, string | number>} [options.defines] macros
 * @param {string[]} [options.include] directories of quoted includes, besides the source's own
 * @param {'plain' | 'strict' | 'fast-math'} [options.lane]
 * @param {string[]} [options.count] functions whose calls are counted (Stats::calls)
 * @returns {Promise<{ library: string, reflection: string, cached: boolean }>} paths
 */
export async function compile({ source, text, name, out, defines = {}, include = [], lane = 'plain', count = [] }) {
  if (!tools.laneNames.includes(lane))
    throw new CompileError(`no lane ${lane}; there are ${tools.laneNames.join(', ')}`)
  const file = source === undefined ? (name ?? 'source.metal') : resolve(source)
  const content = text ?? (await readFile(file, 'utf8'))
  const directories = [
    ...(source === undefined ? [] : [dirname(file)]),
    ...include.map((directory) => resolve(directory)),
  ]
  const flat = await sourceError(tools.preprocess(content, { name: file, include: directories, defines }))
  const hash = tools.digest(flat, JSON.stringify(count), await tools.toolVersion(lane))
  const stem = join(
    resolve(out),
    `${(name ?? basename(file)).replace(/\.metal$/, '').replace(/[^\w.-]/g, '_')}.${hash}`,
  )
  const result = { library: `${stem}.so`, reflection: `${stem}.json` }
  if (await tools.exists(result.library)) return { ...result, cached: true }

  const { code, reflection } = await sourceError(Promise.resolve().then(() => rewrite(flat, count)))
  await mkdir(resolve(out), { recursive: true })
  const shim = await tools.precompiledShim(lane, resolve(out))
  const rewritten = `${stem}.${process.pid}.${Math.random().toString(36).slice(2)}.cc`
  try {
    await writeFile(rewritten, code)
    // The library last: when it is there, the reflection is too.
    await tools.publish(result.reflection, (partial) =>
      writeFile(partial, `${JSON.stringify({ source: file, lane, defines, ...reflection }, null, 2)}\n`),
    )
    await tools.publish(result.library, (partial) =>
      sourceError(
        tools.run(tools.cxx, [
          ...tools.flags(lane),
          '-include-pch',
          shim,
          rewritten,
          ...tools.linkFlags,
          '-o',
          partial,
          '-lm',
        ]),
      ),
    )
  } finally {
    await rm(rewritten, { force: true })
  }
  return { ...result, cached: false }
}

/** What the tools say of the source becomes a CompileError; a missing tool stays what it is. */
async function sourceError(work) {
  try {
    return await work
  } catch (error) {
    const missing = error instanceof tools.ToolError && error.cause?.code === 'ENOENT'
    if (missing || !(error instanceof tools.ToolError || error instanceof RewriteError)) throw error
    throw new CompileError(error.message.trim(), { cause: error })
  }
}

const usage = `usage: compile.mjs SOURCE.metal|- -o DIR [-D NAME[=VALUE]]... [-I DIR]... [--lane ${tools.laneNames.join('|')}]
                   [--count FUNCTION]... [--name NAME]`

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', short: 'o' },
      define: { type: 'string', short: 'D', multiple: true, default: [] },
      include: { type: 'string', short: 'I', multiple: true, default: [] },
      lane: { type: 'string', default: 'plain' },
      count: { type: 'string', multiple: true, default: [] },
      name: { type: 'string' },
    },
  })
  if (positionals.length !== 1 || values.out === undefined) throw new CompileError(usage)
  const [source] = positionals
  const defines = Object.fromEntries(
    values.define.map((text) => {
      const [, macro, value] = /^([^=]*)(?:=([\s\S]*))?$/.exec(text)
      return [macro, value ?? '1']
    }),
  )
  const { library } = await compile({
    ...(source === '-' ? { text: readFileSync(0, 'utf8') } : { source }),
    name: values.name,
    out: values.out,
    defines,
    include: values.include,
    lane: values.lane,
    count: values.count,
  })
  process.stdout.write(`${library}\n`)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  })
}
