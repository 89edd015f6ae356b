#!/usr/bin/env node
// Checks the address spaces of a .metal file: check.mjs FILE.metal [-D NAME[=VALUE]]... [-I DIR]...
//
// MSL's pointers and references have address spaces that do not convert into each other. C++ for OpenCL without the
// generic space has the same rule, and clang knows it: the file is respelled (rewrite.mjs) and parsed, instantiations
// included, with MSL's vocabulary declared in vocabulary.h. Silent and exit code 0 when all is well.

import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { preprocess, run, ToolError } from '../toolchain.mjs'
import { toOpenCl } from './rewrite.mjs'

const vocabulary = join(dirname(fileURLToPath(import.meta.url)), 'vocabulary.h')
const clang = 'clang-19'
const extensions = [
  '+cl_khr_fp16',
  '+__cl_clang_non_kernel_scope_local_memory',
  '+__cl_clang_function_pointers',
  '-__opencl_c_generic_address_space',
  '-__opencl_c_pipes',
  '-__opencl_c_device_enqueue',
  '-__opencl_c_program_scope_global_variables',
]
const flags = [
  ...[
    '--target=x86_64-linux-gnu',
    '-x',
    'clcpp',
    '-cl-std=clc++2021',
    '-cl-no-stdinc',
    '-cl-single-precision-constant',
  ],
  ...['-Xclang', `-cl-ext=${extensions.join(',')}`],
  ...['-fsyntax-only', '-ferror-limit=50', '-Wno-everything', '-fno-caret-diagnostics'],
]

/** @returns {Promise<string>} the compiler's errors, with lines of the .metal file; empty when there is none */
export async function check({ source, defines = {}, include = [] }) {
  const file = resolve(source)
  try {
    const text = await readFile(file, 'utf8')
    const flat = await preprocess(text, { name: file, include: [dirname(file), ...include], defines })
    await run(clang, [...flags, '-include', vocabulary, '-'], toOpenCl(flat))
    return ''
  } catch (error) {
    if (!(error instanceof ToolError) || error.cause?.code === 'ENOENT') throw error
    return error.message.trim()
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      define: { type: 'string', short: 'D', multiple: true, default: [] },
      include: { type: 'string', short: 'I', multiple: true, default: [] },
    },
  })
  if (positionals.length === 0) throw new Error('usage: check.mjs FILE.metal... [-D NAME[=VALUE]]... [-I DIR]...')
  const defines = Object.fromEntries(
    values.define.map((text) => [text.split('=')[0], text.split('=').slice(1).join('=') || '1']),
  )
  for (const source of positionals) {
    const errors = await check({ source, defines, include: values.include })
    if (errors === '') continue
    process.stderr.write(`${errors}\n`)
    process.exitCode = 1
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error) => {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  })
}
