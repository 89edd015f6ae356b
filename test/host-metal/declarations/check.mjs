#!/usr/bin/env node
// Checks that every declaration in test/host-metal/headers exists in Apple's SDK with that selector, signature and value,
// as the objc2 crates have it, and writes the result beside this file: see README.md. Needs cargo, npm and clang-19.
import { writeFileSync } from 'node:fs'
import { availabilityProblems, packages } from './availability.mjs'
import { crates, readCrates } from './crates.mjs'
import { headersHash, readHeaders } from './ours.mjs'

/** What the crates write by hand, not from the SDK: the root of all classes, which Rust does without. */
const byHand = new Set(
  ['alloc', 'new', 'init', 'dealloc', 'copy', 'mutableCopy', 'class', 'self', 'superclass', 'copyWithZone:']
    .concat(['mutableCopyWithZone:', 'respondsToSelector:', 'isKindOfClass:', 'isMemberOfClass:', 'isEqual:', 'hash'])
    .concat(['description', 'countByEnumeratingWithState:objects:count:', 'stringWithFormat:']),
)

/** Names of one type. */
const aliases = {
  NSErrorDomain: 'NSString',
  NSErrorUserInfoKey: 'NSString',
  NSStringEncoding: 'NSUInteger',
  MTLGPUAddress: 'u64',
}
const plain = (name) => aliases[name] ?? name

const problems = []
const ours = readHeaders()
const theirs = readCrates()

/** The class or protocol and all that it inherits from. */
function ancestry(owner) {
  return [owner, ...(ours.parents.get(owner) ?? []).filter((parent) => parent !== owner).flatMap(ancestry)]
}

function sameType(mine, other, generic) {
  if (other.name === 'pointer' || mine.name === 'pointer') return mine.name === 'pointer' && other.name === 'pointer'
  if (mine.name === 'block' || other.name === 'block')
    return mine.name === other.name || generic.has(mine.name) || /Handler$/.test(mine.name)
  const named = plain(mine.name) === plain(other.name) || (mine.name === 'Self' && generic.has(other.name))
  return named && mine.nullable === other.nullable
}

function sameMethod(mine, other) {
  const wanted = other.throws ? mine.arguments.slice(0, -1) : mine.arguments
  if (other.throws && mine.arguments.at(-1)?.name !== 'error') return false
  const self = new Set(['Self', ...ancestry(mine.owner)])
  return (
    mine.instance === other.instance &&
    wanted.length === other.arguments.length &&
    sameType(mine.result, other.result, self) &&
    wanted.every((type, i) => sameType(type, other.arguments[i], self))
  )
}

const show = (method) => JSON.stringify([method.instance ? '-' : '+', method.result, ...method.arguments])

const checked = []
for (const method of ours.methods) {
  const name = `${method.instance ? '-' : '+'}[${method.owner} ${method.selector}]`
  if (byHand.has(method.selector)) continue
  const candidates = ancestry(method.owner).flatMap((owner) => theirs.methods.get(`${owner} ${method.selector}`) ?? [])
  if (candidates.length === 0) problems.push(`${name}: not in the crates`)
  else if (!candidates.some((candidate) => sameMethod(method, candidate)))
    problems.push(`${name}: ${show(method)} here, ${candidates.map(show).join(' or ')} there`)
  else checked.push(name)
}
for (const { name, value } of ours.constants) {
  const there = theirs.constants.get(name)
  if (there !== value) problems.push(`${name} is ${value} here, ${there} there`)
  else checked.push(`${name} = ${value}`)
}
for (const name of [...ours.functions, ...ours.variables]) {
  if (theirs.names.has(name)) checked.push(name)
  else problems.push(`${name}: not in the crates`)
}
const availability = availabilityProblems()
problems.push(...availability.problems)

if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\n${problems.length} declarations are not as in the SDK\n`)
  process.exit(1)
}
const result = {
  crates,
  packages,
  headers: headersHash(),
  declarations: [...new Set(checked)].sort(),
  availability: availability.checked,
}
const file = new URL('checked.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
process.stdout.write(
  `${result.declarations.length} declarations, ${result.availability.length} versions: as in the SDK\n`,
)
