import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import ts from 'typescript'
import { type Block, docsFolder } from './docs-pages.js'

// Examples of the guide: modules of their own, for which the package `mrope` is this source tree. What stands behind
// `// →` is what the expression in front of it gives, and behind `// throws` is the code of its error.

const library = fileURLToPath(new URL('../../lib/index.ts', import.meta.url))
const fileOf = (block: Block): string => join(docsFolder, `${block.page}.${block.line}.ts`)

/** Errors of types in the examples, as `page:line message`. One program for all, so that the library is read once. */
export function typeErrors(blocks: readonly Block[]): string[] {
  const sources = new Map(blocks.map((block) => [fileOf(block), block]))
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.esnext.float16.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
    paths: { mrope: [library] },
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => sources.has(name) || fileExists(name)
  host.readFile = (name) => sources.get(name)?.lines.join('\n') ?? readFile(name)
  host.getSourceFile = (name, version, ...rest) => {
    const block = sources.get(name)
    return block
      ? ts.createSourceFile(name, `${block.lines.join('\n')}\nexport {}\n`, version)
      : getSourceFile(name, version, ...rest)
  }
  const program = ts.createProgram([...sources.keys()], options, host)
  return [...sources].flatMap(([name, { page, line }]) => {
    const file = program.getSourceFile(name)
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return found.map(({ messageText, start = 0 }) => {
      const at = file ? file.getLineAndCharacterOfPosition(start).line : 0
      return `${page}:${line + at} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
  })
}

/** What an expression gave, beside what the page says. */
export interface Answer {
  /** Line inside the block. */
  readonly line: number
  readonly said: string
  readonly is: string
}

/** A short form of a value: lists without their class, six digits. */
function shown(value: unknown): string {
  const plain = (x: unknown): unknown => {
    if (typeof x === 'number') return Number(x.toPrecision(6))
    if (Array.isArray(x) || ArrayBuffer.isView(x)) return Array.from(x as unknown as ArrayLike<unknown>, plain)
    if (x === null || typeof x !== 'object') return x
    return Object.fromEntries(Object.entries(x).map(([key, own]) => [key, plain(own)]))
  }
  return inspect(plain(value), { breakLength: Number.POSITIVE_INFINITY, compact: true, depth: 6, maxArrayLength: 24 })
}

const answerLine = /^(\s*(?:(?:const|let) [^=]+ = )?)(.*?)\s*\/\/ (→|throws) (.*)$/

/** The lines of a block with the answers that were found. */
export function answered(block: Block, answers: readonly Answer[]): string[] {
  return block.lines.map((line, n) => {
    const answer = answers.find((one) => one.line === n)
    return answer ? line.replace(/(\/\/ (?:→|throws) ).*$/, (_, sign: string) => `${sign}${answer.is}`) : line
  })
}

/** Runs the examples, each as a module in a folder that is gone afterwards. */
export class ExampleRunner {
  #made: string | undefined
  #lists = 0

  get #folder(): string {
    this.#made ??= mkdtempSync(join(tmpdir(), 'mrope-docs-'))
    return this.#made
  }

  async run(block: Block): Promise<Answer[]> {
    const answers: Answer[] = []
    const key = `docs ${block.page} ${block.line}`
    const record = async (line: number, said: string, throws: boolean, call: () => unknown): Promise<unknown> => {
      let value: unknown
      let is = 'nothing'
      try {
        value = await call()
        if (!throws) is = shown(value)
      } catch (error) {
        if (!throws) throw error
        is = String(Object(error).code)
      }
      answers.push({ line, said, is })
      return value
    }
    Reflect.set(globalThis, key, record)
    const code = block.lines.map((line, n) => {
      const found = answerLine.exec(line)
      if (!found) return line
      const [, head, expression, sign, said] = found
      const call = `globalThis[${JSON.stringify(key)}]`
      return `${head}await ${call}(${n}, ${JSON.stringify(said)}, ${sign === 'throws'}, async () => (${expression}))`
    })
    const path = join(this.#folder, `${block.page}.${block.line}.mts`)
    writeFileSync(path, code.join('\n').replaceAll("from 'mrope'", `from '${pathToFileURL(library).href}'`))
    try {
      await import(pathToFileURL(path).href)
    } finally {
      Reflect.deleteProperty(globalThis, key)
    }
    return answers
  }

  /** What an expression over the public names of the library gives, for the first line of a drawing. */
  async values(expressions: readonly string[]): Promise<(() => unknown)[]> {
    const path = join(this.#folder, `expressions.${this.#lists++}.mts`)
    const lines = [
      `import * as library from '${pathToFileURL(library).href}'`,
      'const { layouts, encodings, visionEncodings, Tensor } = library',
      'export default [',
      ...expressions.map((expression) => `  () => (${expression}),`),
      ']',
    ]
    writeFileSync(path, lines.join('\n'))
    const module: { default: (() => unknown)[] } = await import(pathToFileURL(path).href)
    return module.default
  }

  close(): void {
    if (this.#made !== undefined) rmSync(this.#made, { recursive: true, force: true })
  }
}
