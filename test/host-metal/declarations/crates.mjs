// What the objc2 crates declare. They are generated from Apple's SDK: one Rust function for each selector.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const crates = { objc2: '0.6.4', 'objc2-foundation': '0.3.2', 'objc2-metal': '0.3.2' }

/** Rust sources of the crates in these versions, fetched by cargo. */
function fetchSources() {
  const folder = mkdtempSync(join(tmpdir(), 'mrope-crates-'))
  try {
    const wanted = Object.entries(crates).map(
      ([name, version]) => `${name} = { version = "=${version}", default-features = false }`,
    )
    writeFileSync(
      join(folder, 'Cargo.toml'),
      `[package]\nname = "declarations"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n${wanted.join('\n')}\n`,
    )
    mkdirSync(join(folder, 'src'))
    writeFileSync(join(folder, 'src/lib.rs'), '')
    const { status, stderr, error } = spawnSync('cargo', ['vendor', '--quiet', 'vendor'], {
      cwd: folder,
      encoding: 'utf8',
    })
    if (error) throw new Error('cargo is not installed: the crates are fetched with it')
    if (status !== 0) throw new Error(stderr)
    return Object.keys(crates).flatMap((crate) => {
      const root = join(folder, 'vendor', crate, 'src')
      return readdirSync(root, { recursive: true })
        .filter((name) => name.endsWith('.rs'))
        .map((name) => readFileSync(join(root, name), 'utf8'))
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * @returns {{ methods: Map<string, object[]>, constants: Map<string, string>, names: Set<string> }} methods by
 * `Owner selector`, values of enumerations by their name in C, and every function and variable.
 */
export function readCrates() {
  const methods = new Map()
  const written = new Map()
  const names = new Set()
  for (const source of fetchSources()) {
    readMethods(source, methods)
    readConstants(source, written)
    for (const [, name] of source.matchAll(
      /\bpub (?:static|unsafe extern "C-unwind" fn|extern "C-unwind" fn|fn) (\w+)/g,
    ))
      names.add(name)
    for (const [, name] of source.matchAll(/\bfn ((?:MTL|NS)\w+)\(/g)) names.add(name)
  }
  const constants = new Map([...written].map(([name, text]) => [name, evaluate(text, written)]))
  return { methods, constants, names }
}

function readMethods(source, methods) {
  const at = /\b(?:unsafe trait|impl(?:<[^{]*?>)?)\s+(\w+)|unsafe\(method\(([^)]+)\)\)\]([\s\S]*?;)/g
  let owner = ''
  for (const [, type, selector, rest] of source.matchAll(at)) {
    if (type !== undefined) {
      owner = type === 'NSObjectProtocol' ? 'NSObject' : type
      continue
    }
    const signature = /fn (?:r#)?\w+(?:<[^(]*>)?\s*\(([\s\S]*)\)\s*(?:->\s*([\s\S]*?))?(?:\s*where[\s\S]*)?;$/.exec(
      rest,
    )
    if (signature === null) continue
    const words = split(signature[1])
    const throws = selector.endsWith(':_')
    const name = throws ? selector.slice(0, -1) : selector
    const method = {
      instance: /^&(mut )?self$|^this\b/.test(words[0] ?? ''),
      arguments: words
        .filter((word) => !/^(&?(mut )?self|this\b.*)$/.test(word))
        .map((word) => typeOf(word.slice(word.indexOf(':') + 1))),
      result: resultOf(signature[2] ?? '()', throws),
      throws,
    }
    const key = `${owner} ${name}`
    methods.set(key, [...(methods.get(key) ?? []), method])
  }
}

/** Arguments at the commas that are in no bracket. */
function split(text) {
  const words = ['']
  let depth = 0
  for (const c of text.replaceAll(/\s+/g, ' ')) {
    if ('<([{'.includes(c)) depth++
    if ('>)]}'.includes(c)) depth--
    if (c === ',' && depth === 0) words.push('')
    else words[words.length - 1] += c
  }
  return words.map((word) => word.trim()).filter((word) => word !== '')
}

function resultOf(text, throws) {
  const inside = throws ? /^Result<([\s\S]*),\s*Retained<NSError>,?\s*>$/.exec(text.trim())?.[1]?.trim() : undefined
  if (inside === '()') return { name: 'bool', nullable: false }
  if (inside !== undefined) return { ...typeOf(inside), nullable: true }
  return typeOf(text)
}

export function typeOf(written) {
  const text = written.replaceAll(/\s+/g, ' ').trim()
  const option = /^Option<(.*?),?\s*>$/.exec(text)
  if (option !== null) return { ...typeOf(option[1]), nullable: true }
  if (text.includes('DynBlock')) return { name: 'block', nullable: text.startsWith('*') }
  if (/^(&mut|NonNull<|\*(mut|const))/.test(text)) return { name: 'pointer', nullable: 'unknown' }
  const object = /^(?:Retained<|&)(?:'static )?(.*?)>?$/.exec(text)?.[1]
  const inner = object ?? text
  const protocol = /^ProtocolObject<dyn (\w+)/.exec(inner)?.[1]
  if (text === '()') return { name: 'void', nullable: false }
  return { name: protocol ?? inner.replace(/<.*$/, ''), nullable: false }
}

/** Values as they are written, by the name that the SDK gives them. */
function readConstants(source, written) {
  for (const [, body] of source.matchAll(/\n\s*impl \w+(?:: \w+)? \{([\s\S]*?)\n\s*\}/g)) {
    const at =
      /alias = "(\w+)"\)\]\s*(?:#\[deprecated[^\]]*\]\s*)?(?:pub )?const \w+(?:: Self)? = (?:Self\()?([^;\n]*?)\)?;/g
    for (const [, name, value] of body.matchAll(at)) written.set(name, value)
  }
  const at = /pub (?:const|static) ((?:NS|MTL)\w+): \w+ =\s*([^;]*);/g
  for (const [, name, value] of source.matchAll(at)) written.set(name, value)
}

/** `(2 << 16) + 4`, `0x10`, `MTLStorageMode::Private.0<<MTLResourceStorageModeShift`: sums and shifts. */
function evaluate(text, written) {
  if (text === undefined) return undefined
  const plain = text
    .replaceAll('NSIntegerMax', String(2n ** 63n - 1n))
    .replaceAll(/\b(?:as _|as \w+)/g, '')
    .replaceAll(/\b([A-Z]\w+)::(\w+)(?:\.0)?/g, (_, type, name) => `(${evaluate(written.get(type + name), written)})`)
    .replaceAll(/\b(?:NS|MTL)\w+\b/g, (name) => `(${evaluate(written.get(name), written)})`)
    .replaceAll(/\s+/g, '')
  if (!/^(?:0x[\da-f]+|\d+|[()+<|-])+$/i.test(plain)) return undefined
  return String(Function(`return ${plain.replaceAll(/0x[\da-f]+|\d+/gi, '$&n')}`)())
}
