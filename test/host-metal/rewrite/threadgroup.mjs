// Variables in threadgroup memory:
//
//   threadgroup float part[8];   ->   auto &part = ::msl::Shared<&::f<T>, float[8], 3, "part">::get();
//
// keyed by kernel instance and declaration, so that the executor knows their sizes before it runs anything.

/** Rewrites the declarations in the bodies of `kernels`; returns the reflection. */
export function rewriteThreadgroup(source, kernels) {
  const variables = []
  for (let i = 0; i < source.length; i++) {
    if (source.at(i) !== 'threadgroup' || ![';', '{', '}'].includes(source.at(i - 1))) continue
    const end = source.find(i, [';', '=', '{'])
    if (source.at(end) !== ';' || isPointer(source, i + 1, end - 1)) continue
    const kernel = kernels.find(({ body }) => body[0] < i && i < body[1])
    if (!kernel) throw source.error(i, 'threadgroup variables are declared in kernels only')
    const self = kernel.template ? `&::${kernel.name}<${kernel.template.join(', ')}>` : `&::${kernel.name}`
    let type
    const code = source.split(i + 1, end - 1).map(([first, last], n) => {
      const at = n === 0 ? declarator(source, first, last) : first
      if (n === 0) type = source.text(first, at - 1)
      const [name, dimensions] = [source.at(at), source.text(at + 1, last)]
      variables.push({ kernel: kernel.name, name, type: type + dimensions })
      return `auto &${name} = ::msl::Shared<${self}, ${type}${dimensions}, ${variables.length - 1}, "${name}">::get()`
    })
    source.replace(i, end - 1, code.join('; '))
  }
  return variables
}

/** Index of the declared name: the last word before the dimensions. */
function declarator(source, first, last) {
  let name = first
  for (let i = first, depth = 0; i <= last; i++) {
    if (source.at(i) === '<') depth++
    else if (source.at(i) === '>') depth--
    else if (source.at(i) === '[' && depth === 0) break
    else if (depth === 0 && source.isWord(i)) name = i
  }
  return name
}

function isPointer(source, first, last) {
  for (let i = first, depth = 0; i <= last; i++) {
    if (['(', '[', '<'].includes(source.at(i))) depth++
    else if ([')', ']', '>'].includes(source.at(i))) depth--
    else if (depth === 0 && ['*', '&'].includes(source.at(i))) return true
  }
  return false
}
