// Preprocessed MSL to C++ for OpenCL, for the front end only: attributes go, and what the two spell differently is
// respelled. Address spaces stay as they are; vocabulary.h names them for OpenCL.

import { Source } from '../rewrite/source.mjs'

const vectors = /^(bool|char|uchar|short|ushort|int|uint|long|ulong|half|bfloat|float)[234]$/

/** @param {string} text output of the preprocessor; line markers survive */
export function toOpenCl(text) {
  const source = new Source(text.replace(/^#\s*pragma\s+(unroll|clang\s+loop|METAL).*$/gm, ''))
  declareConstants(source)
  declareThreadgroup(source)
  const structures = structureNames(source)
  passStructures(source, structures)
  declareStructures(source, structures)
  for (let i = 0; i < source.length; i++) {
    if (source.at(i) === '[[') source.replace(i, source.close(i))
    else if (source.at(i) === 'kernel' && source.at(i + 1) === 'void') source.replace(i, i)
    else if (source.at(i) === 'is_function_constant_defined') source.replace(i, i, 'msl_defined')
    else constructVector(source, i)
  }
  return source.toString()
}

/** Function constants, and constants computed from them, have values that the front end must not know. */
function declareConstants(source) {
  const unknown = new Set()
  for (let i = 0, depth = 0; i < source.length; i++) {
    if (source.at(i) === '{') depth++
    else if (source.at(i) === '}') depth--
    if (source.at(i) !== 'constant' || depth > 0) continue
    const stop = source.find(i + 1, [';', '=', '(', '{', '[[', ',', ')'])
    const name = source.at(stop - 1)
    const end = source.at(stop) === '=' ? source.find(stop, [';']) : stop
    const constant = source.at(stop) === '[[' && source.at(stop + 1) === 'function_constant'
    const words = Array.from({ length: end - stop }, (_, k) => source.at(stop + k))
    if (!constant && !words.some((word) => unknown.has(word))) continue
    unknown.add(name)
    source.replace(i, constant ? source.close(stop) : end - 1, `extern constant ${source.text(i + 1, stop - 1)}`)
  }
}

/** threadgroup float part[8];   ->   threadgroup float (&part)[8] = msl_threadgroup<float[8]>(), by way of an alias */
function declareThreadgroup(source) {
  for (let i = 0; i < source.length; i++) {
    if (source.at(i) !== 'threadgroup' || ![';', '{', '}'].includes(source.at(i - 1))) continue
    const end = source.find(i, [';', '=', '{'])
    if (source.at(end) !== ';') continue
    let type
    const declarations = source.split(i + 1, end - 1).map(([first, last], n) => {
      let at = first
      for (let k = first; n === 0 && k <= last && source.at(k) !== '['; k++) {
        if (source.at(k) === '*' || source.at(k) === '&') return undefined
        if (source.at(k) === '<') k = closeAngle(source, k)
        else if (source.isWord(k)) at = k
      }
      if (n === 0) type = source.text(first, at - 1)
      const alias = `msl_type_of_${source.at(at)}`
      return (
        `using ${alias} = ${type}${source.text(at + 1, last)}; ` +
        `threadgroup ${alias} &${source.at(at)} = msl_threadgroup<${alias}>()`
      )
    })
    if (declarations.includes(undefined)) continue // a pointer
    source.replace(i, end - 1, declarations.join('; '))
  }
}

/**
 * Structures by value: clang knows no constructor that copies one into a parameter or out of a function, because the
 * address space there goes without saying. So both become references to thread memory; no code is made of it, so none
 * dangles.
 *
 *   Row next(Row r) { return r; }   ->   const thread Row &next(const thread Row &r) { return r; }
 */
function passStructures(source, names) {
  for (let i = 0; i < source.length; i++) {
    if (source.at(i) !== '(' || !source.isWord(i - 1)) continue
    const close = source.close(i)
    for (const [first, last] of source.split(i + 1, close - 1)) {
      const type = source.at(first) === 'const' ? first + 1 : first
      const end = structureType(source, names, type)
      if (end < 0 || end >= last || !source.isWord(end + 1)) continue
      source.replace(first, end, `const thread ${source.text(type, end)} &`)
    }
  }
  for (let i = 0; i < source.length; i++) {
    const end = structureType(source, names, i)
    if (end < 0 || !source.isWord(end + 1) || source.at(end + 2) !== '(') continue
    let open = source.close(end + 2) + 1
    if (source.at(open) === 'const') open++
    if (source.at(open) !== '{') continue
    const type = source.text(i, end)
    for (let k = open; k < source.close(open); k++) {
      if (source.at(k) !== 'return' || source.at(k + 1) !== '{') continue
      source.replace(source.close(k + 1), source.close(k + 1), ')')
      source.replace(k + 1, k + 1, ` msl_made<${type}>(`)
    }
    source.replace(i, end, `const thread ${type} &`)
  }
}

/**
 * Row r[2];   ->   thread Row (&r)[2] = msl_thread<Row[2]>();   by way of an alias, because a structure whose members
 * are structures has no default constructor here, for the same reason.
 */
function declareStructures(source, names) {
  for (let i = 1; i < source.length; i++) {
    if (names.has(source.at(i)) && ['struct', 'class'].includes(source.at(i - 1))) {
      const open = source.find(i, ['{', ';'])
      i = source.at(open) === '{' ? source.close(open) : open // members stay as they are
      continue
    }
    const type = structureType(source, names, i)
    if (type < 0 || ![';', '{', '}'].includes(source.at(i - 1)) || !source.isWord(type + 1)) continue
    if (![';', ',', '['].includes(source.at(type + 2))) continue
    const end = source.find(type + 1, [';', '=', '{', '('])
    if (source.at(end) !== ';') continue
    const declarations = source.split(type + 1, end - 1).map(([name, last]) => {
      const alias = `msl_type_of_${source.at(name)}`
      const made = `using ${alias} = ${source.text(i, type)}${source.text(name + 1, last)}; `
      return `${made}thread ${alias} &${source.at(name)} = msl_thread<${alias}>()`
    })
    source.replace(i, end - 1, declarations.join('; '))
  }
}

function structureNames(source) {
  const names = new Set()
  for (let i = 0; i < source.length; i++) {
    if (['struct', 'class'].includes(source.at(i)) && ['{', ':'].includes(source.at(i + 2))) names.add(source.at(i + 1))
  }
  return names
}

/** Index of the last token of the structure type that begins at i: a name, or that and template arguments; -1: none. */
function structureType(source, names, i) {
  if (!names.has(source.at(i))) return -1
  return source.at(i + 1) === '<' ? closeAngle(source, i + 1) : i
}

/** float4(a, b)   ->   msl_vector<float4>(a, b), because OpenCL's vectors have no constructors; vec<T, 2>(…) too. */
function constructVector(source, i) {
  if (source.at(i) === 'vec' && source.at(i + 1) === '<') {
    const end = closeAngle(source, i + 1)
    if (source.at(end + 1) === '(') source.replace(i, end, `msl_vector<${source.text(i, end)}>`)
  } else if (vectors.test(source.at(i)) && source.at(i + 1) === '(') {
    source.replace(i, i, `msl_vector<${source.at(i)}>`)
  }
}

/** Index of the > that closes the template arguments opened at i. */
function closeAngle(source, i) {
  for (let depth = 0, j = i; j < source.length; j++) {
    if (source.at(j) === '<') depth++
    else if (source.at(j) === '>' && --depth === 0) return j
    else if (source.at(j) === '(') j = source.close(j)
  }
  throw source.error(i, 'nothing closes this <')
}
