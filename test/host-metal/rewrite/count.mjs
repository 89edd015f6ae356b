// Counts calls of functions by name, so that a test can ask how often a kernel computed an angle.

/** Adds a counter to every definition of the functions; returns code to stand before the source. */
export function countCalls(source, names) {
  const seen = new Set()
  for (let i = 1; i < source.length; i++) {
    const name = source.at(i)
    if (!names.includes(name) || source.at(i + 1) !== '(') continue
    if (!source.isWord(i - 1) && !['>', '*', '&'].includes(source.at(i - 1))) continue
    if (['return', 'else', 'case'].includes(source.at(i - 1))) continue
    let open = source.close(i + 1) + 1
    if (source.at(open) === 'const') open++
    if (source.at(open) !== '{') continue
    source.insertAfter(open, ` msl_calls_${name}.call();`)
    seen.add(name)
  }
  const missing = names.filter((name) => !seen.has(name))
  if (missing.length > 0) throw source.error(0, `no definition of ${missing.join(', ')} to count`)
  return [...seen].map((name) => `static ::msl::Counted msl_calls_${name}("${name}");\n`).join('')
}
