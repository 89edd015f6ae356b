// Entry points: their parameters by attribute, and their instances.

import { evaluate } from './enumerators.mjs'
import { attributes } from './source.mjs'

// Built-in values: members of msl::ThreadContext, scalars or arrays of three.
const scalars = [
  'thread_index_in_threadgroup',
  'thread_index_in_simdgroup',
  'simdgroup_index_in_threadgroup',
  'simdgroups_per_threadgroup',
  'dispatch_simdgroups_per_threadgroup',
  'threads_per_simdgroup',
]
const vectors = [
  'thread_position_in_grid',
  'thread_position_in_threadgroup',
  'threadgroup_position_in_grid',
  'threads_per_threadgroup',
  'dispatch_threads_per_threadgroup',
  'threadgroups_per_grid',
  'threads_per_grid',
]

/**
 * Finds kernels and explicit instantiations, and removes what only Apple's compiler understands. A kernel is
 * { name, hostName, template, parameters, threadLimit, body: [first, last] }; template is the names of its parameters.
 * `enumerators` are names with values that indices may use.
 */
export function readKernels(source, enumerators) {
  const kernels = []
  const instances = []
  for (let i = 0, depth = 0; i < source.length; i++) {
    if (source.at(i) === '{') depth++
    else if (source.at(i) === '}') depth--
    else if (source.at(i) === 'template' && source.at(i + 1) === '[[') {
      const end = source.find(i, [';'])
      const instance = readInstance(source, i, end)
      if (instance) instances.push(instance)
      i = end
    } else {
      const kernel = readKernel(source, i, enumerators)
      if (!kernel) continue
      if (depth > 0) throw source.error(i, `kernel ${kernel.name} is inside a namespace or class`)
      kernels.push(kernel)
      i = kernel.body[0] - 1
    }
  }
  return { kernels, instances }
}

/** template [[host_name("x")]] [[kernel]] decltype(f<int>) f<int>;   The same with a full prototype is fine too. */
function readInstance(source, first, end) {
  const { found } = attributes(source, first, end)
  const hostName = found.find((attribute) => attribute.name === 'host_name')
  if (!hostName) return undefined
  const last = source.at(end - 1) === ')' ? source.open(end - 1) - 1 : end - 1
  const angle = source.openAngle(last)
  const instance = {
    hostName: unquote(hostName.argument),
    kernel: source.at(angle - 1),
    target: source.text(angle - 1, last),
  }
  source.replace(first, end)
  return instance
}

/** The kernel whose declaration says so at token i: `kernel void f(` or `[[kernel]] void f(`, or undefined. */
function readKernel(source, i, enumerators) {
  let [next, found] = [i, []]
  if (source.at(i) === '[[') {
    next = source.close(i) + 1
    while (source.at(next) === '[[') next = source.close(next) + 1
    found = attributes(source, i, next - 1).found
  }
  const keyword = source.at(next) === 'kernel'
  if (keyword) next++
  else if (!found.some((attribute) => attribute.name === 'kernel')) return undefined
  if (source.at(next) !== 'void' || source.at(next + 2) !== '(') return undefined
  const name = source.at(next + 1)
  const close = source.close(next + 2)
  const parameters = source.split(next + 3, close - 1).map(([a, b]) => readParameter(source, a, b))
  placeParameters(source, i, name, parameters, enumerators)
  let open = close + 1
  if (source.at(open) === '[[') {
    const end = source.close(open)
    found.push(...attributes(source, open, end).found)
    source.replace(open, end)
    open = end + 1
  }
  if (source.at(open) !== '{') return undefined // a declaration
  const limit = found.find((attribute) => attribute.name === 'max_total_threads_per_threadgroup')
  const hostName = found.find((attribute) => attribute.name === 'host_name')
  if (source.at(i) === '[[') source.replace(i, next - 1)
  return {
    name,
    hostName: hostName ? unquote(hostName.argument) : name,
    template: templateParameters(source, i),
    parameters,
    threadLimit: limit ? limit.argument : '1024',
    body: [open, source.close(open)],
  }
}

function readParameter(source, first, last) {
  const { found, begin } = attributes(source, first, last)
  const end = begin < 0 ? last : begin - 1
  const type = source.text(first, end - 1)
  const name = source.at(end)
  const buffer = found.find((attribute) => attribute.name === 'buffer')
  const shared = found.find((attribute) => attribute.name === 'threadgroup')
  const builtin = found.find(({ name: word }) => scalars.includes(word) || vectors.includes(word))
  const pointer = /[*&]\s*$/.test(type)
  if (!pointer && !builtin) throw source.error(first, `parameter ${name}: no attribute that this lane knows`)
  if (begin >= 0) source.replace(begin, last)
  if (builtin) return { kind: 'builtin', name, type, value: builtin.name }
  const space = /\bthreadgroup\b/.test(type) ? 'threadgroup' : /\bconstant\b/.test(type) ? 'constant' : 'device'
  const index = (space === 'threadgroup' ? shared : buffer)?.argument
  return { kind: space === 'threadgroup' ? 'threadgroup' : 'buffer', name, type, space, index }
}

/** Numbers the parameters that have no index of their own, and looks for indices used twice. */
function placeParameters(source, i, kernel, parameters, enumerators) {
  const used = new Map()
  const next = { buffer: 0, threadgroup: 0 }
  for (const parameter of parameters) {
    if (parameter.kind === 'builtin') continue
    const index = parameter.index === undefined ? next[parameter.kind] : evaluate(parameter.index, enumerators)
    if (index === undefined || index < 0 || index > 30) {
      throw source.error(i, `${kernel}: index ${parameter.index} of ${parameter.name} is not a number from 0 to 30`)
    }
    const key = `${parameter.kind}(${index})`
    if (used.has(key)) throw source.error(i, `${kernel}: ${used.get(key)} and ${parameter.name} are both at ${key}`)
    used.set(key, parameter.name)
    parameter.index = index
    next[parameter.kind] = index + 1
  }
}

/** Names of the template parameters declared before token i; undefined when it is no template. */
function templateParameters(source, i) {
  if (source.at(i - 1) !== '>') return undefined
  const open = source.openAngle(i - 1)
  if (source.at(open - 1) !== 'template') return undefined
  return source.split(open + 1, i - 2).map(([a, b]) => {
    const [first, last] = source.split(a, b, '=')[0]
    return source.at(last) === '...' || source.text(first, last).includes('...')
      ? `${source.at(last)}...`
      : source.at(last)
  })
}

const unquote = (text) => [...text.matchAll(/"((?:\\.|[^"\\])*)"/g)].map((match) => match[1]).join('')

/** Code that registers the entry points, to stand after the source; and their reflection. */
export function entryPoints({ kernels, instances }) {
  const lines = []
  const reflection = []
  kernels.forEach((kernel, k) => {
    const own = kernel.template
      ? instances.filter((instance) => instance.kernel === kernel.name)
      : [{ hostName: kernel.hostName, target: kernel.name }]
    if (own.length === 0) return
    const parameters = [...kernel.parameters.map(declared), '{}'].join(', ')
    lines.push(`static constexpr ::msl::Declared msl_parameters_${k}[] = {${parameters}};`)
    own.forEach(({ hostName, target }, n) => {
      const entry = `::msl::Entry<&::${target}, msl_parameters_${k}>`
      lines.push(`static ${entry} msl_entry_${k}_${n}{"${hostName}", ${kernel.threadLimit}};`)
      reflection.push({
        name: hostName,
        function: target,
        threadLimit: kernel.threadLimit,
        parameters: kernel.parameters.filter((parameter) => parameter.kind !== 'builtin'),
        builtins: kernel.parameters.filter((parameter) => parameter.kind === 'builtin'),
      })
    })
  })
  return { code: lines.join('\n'), reflection }
}

function declared(parameter) {
  const kind = { buffer: 'Buffer', threadgroup: 'Threadgroup', builtin: 'Builtin' }[parameter.kind]
  const text = [
    `::msl::Parameter::Kind::${kind}`,
    parameter.index ?? 0,
    JSON.stringify(parameter.name),
    JSON.stringify(parameter.type),
    parameter.space === 'constant',
  ]
  if (parameter.kind === 'builtin') {
    const member = `&::msl::ThreadContext::${parameter.value}`
    text.push(...(scalars.includes(parameter.value) ? [member, 'nullptr'] : ['nullptr', member]))
  }
  return `{${text.join(', ')}}`
}
