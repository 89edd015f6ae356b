// What our declaration headers declare, as clang reads them for macOS.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const headers = fileURLToPath(new URL('../headers', import.meta.url))

/** Hash of the headers' text, by which a result tells what it was made from. */
export function headersHash() {
  const files = readdirSync(headers, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${relative(headers, file)}\0${readFileSync(file, 'utf8')}\0`)
  return hash.digest('hex')
}

/**
 * @typedef {{ name: string, nullable: boolean }} Type
 * @typedef {{ owner: string, selector: string, instance: boolean, result: Type, arguments: Type[] }} Method
 * @typedef {{ owner: string, name: string, value: string }} Constant
 */

/** The headers after the preprocessor: without macros, clang shows types and their nullability as they are. */
export function preprocessed() {
  return clang(['-E', '-P'], '#import <Foundation/Foundation.h>\n#import <Metal/Metal.h>\n')
}

/**
 * Methods, values of enumerations, functions and variables; the superclass and protocols of each type.
 *
 * @returns {{ methods: Method[], constants: Constant[], functions: string[], variables: string[],
 *   parents: Map<string, string[]> }}
 */
export function readHeaders() {
  return collect(JSON.parse(clang(['-Xclang', '-ast-dump=json', '-fsyntax-only'], preprocessed())))
}

function clang(what, input) {
  const target = ['--target=arm64-apple-macos14', '-x', 'objective-c++', '-std=c++20', '-fobjc-arc', '-fblocks']
  const words = [...target, '-nostdlibinc', `-I${headers}`, ...what, '-']
  const { status, stdout, stderr, error } = spawnSync('clang++-19', words, {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  if (error) throw new Error('clang++-19 is not installed: apt-get install clang-19')
  if (status !== 0) throw new Error(stderr)
  return stdout
}

function collect(root) {
  const found = { methods: [], constants: [], functions: [], variables: [], parents: new Map() }
  const nodes = root.inner.flatMap((node) => (node.kind === 'LinkageSpecDecl' ? node.inner : [node]))
  for (const node of nodes) {
    if (/^ObjC(Interface|Category|Protocol)Decl$/.test(node.kind)) collectType(node, found)
    else if (node.kind === 'EnumDecl') collectEnum(node, found)
    else if (node.kind === 'FunctionDecl' && /^(MTL|NS)/.test(node.name) && !isDefined(node))
      found.functions.push(node.name)
    else if (node.kind === 'VarDecl' && /^(MTL|NS)/.test(node.name)) found.variables.push(node.name)
  }
  return found
}

const isDefined = (node) => (node.inner ?? []).some((child) => child.kind === 'CompoundStmt')

function collectType(node, found) {
  const owner = node.interface?.name ?? node.name
  const parents = [node.super?.name, ...(node.protocols ?? []).map(({ name }) => name)].filter(Boolean)
  found.parents.set(owner, [...(found.parents.get(owner) ?? []), ...parents])
  for (const member of node.inner ?? []) {
    if (member.kind !== 'ObjCMethodDecl') continue
    const parameters = (member.inner ?? []).filter(({ kind }) => kind === 'ParmVarDecl')
    found.methods.push({
      owner,
      selector: member.name,
      instance: member.instance === true,
      result: typeOf(member.returnType.qualType),
      arguments: parameters.map(({ type }) => typeOf(type.qualType)),
    })
  }
}

function collectEnum(node, found) {
  let next = 0n
  for (const constant of node.inner ?? []) {
    if (constant.kind !== 'EnumConstantDecl') continue
    const given = valueIn(constant)
    const value = given === undefined ? next : BigInt(given)
    next = value + 1n
    found.constants.push({ owner: node.name, name: constant.name, value: String(value) })
  }
}

function valueIn(node) {
  for (const child of node.inner ?? []) {
    if (child.kind === 'ConstantExpr' && child.value !== undefined) return child.value
    const inside = valueIn(child)
    if (inside !== undefined) return inside
  }
  return undefined
}

const scalars = {
  BOOL: 'bool',
  'unsigned char': 'u8',
  uint8_t: 'u8',
  uint64_t: 'u64',
  int: 'c_int',
  'unsigned int': 'c_uint',
  long: 'c_long',
  'unsigned long': 'c_ulong',
  'long long': 'c_longlong',
  'unsigned long long': 'c_ulonglong',
  float: 'c_float',
  double: 'c_double',
}

/** A type in the words that both sides share: a name, and whether nothing may stand for it. */
export function typeOf(written) {
  let text = written.replaceAll(/\b(__strong|__autoreleasing|__unsafe_unretained|const)\b/g, '').trim()
  const nullable = /_Nullable$/.test(text)
  text = text.replaceAll(/\s*_(Nullable|Nonnull)\b/g, '').trim()
  if (text.startsWith('MTLAutoreleased')) return { name: 'pointer', nullable }
  if (text.includes('^')) return { name: 'block', nullable }
  if (/\*\s*\*$/.test(text)) return { name: text.startsWith('NSError') ? 'error' : 'pointer', nullable }
  const protocol = /^(?:id|KeyType)<(\w+)>$/.exec(text)?.[1]
  if (protocol !== undefined) return { name: protocol, nullable }
  if (text === 'id') return { name: 'AnyObject', nullable }
  if (text === 'Class') return { name: 'AnyClass', nullable }
  if (text === 'SEL') return { name: 'Sel', nullable }
  if (text === 'instancetype') return { name: 'Self', nullable }
  const object = /^(\w+)(?:<.*>)? \*$/.exec(text)?.[1]
  if (object !== undefined && /^(NS|MTL)/.test(object)) {
    return { name: object === 'NSFastEnumerationState' || object === 'NSZone' ? 'pointer' : object, nullable }
  }
  if (text.includes('*') || text.includes('[')) return { name: 'pointer', nullable }
  return { name: scalars[text] ?? text.replace(/<.*>$/, ''), nullable }
}
