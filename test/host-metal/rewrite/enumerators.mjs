// Values of enumerators, so that the reflection has numbers for [[buffer(KeysBuffer)]] and [[function_constant(Pairing)]].

/** Name to value, for the enumerators whose values are integer expressions of literals and of each other. */
export function readEnumerators(source) {
  const values = new Map()
  for (let i = 0; i < source.length; i++) {
    if (source.at(i) !== 'enum') continue
    let open = i + 1
    while (!['{', ';', '(', ''].includes(source.at(open))) open++
    if (source.at(open) !== '{') continue
    let next = 0
    for (const [first, last] of source.split(open + 1, source.close(open) - 1)) {
      const value = source.at(first + 1) === '=' ? evaluate(source.text(first + 2, last), values) : next
      if (value !== undefined) values.set(source.at(first), value)
      next = value === undefined ? undefined : value + 1
    }
  }
  return values
}

const operators = [
  { '|': (a, b) => a | b },
  { '<<': (a, b) => a << b },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b },
]

/** An integer expression of literals, known names, brackets and | << + - *; undefined when it is anything else. */
export function evaluate(text, values) {
  const tokens = text.match(/<<|::|\w+|\S/g) ?? []
  let at = 0
  const binary = (level) => {
    if (level === operators.length) return primary()
    let left = binary(level + 1)
    while (Object.hasOwn(operators[level], tokens[at])) left = operators[level][tokens[at++]](left, binary(level + 1))
    return left
  }
  const primary = () => {
    const token = tokens[at++] ?? ''
    if (token === '-') return -primary()
    if (token === '(') {
      const value = binary(0)
      return tokens[at++] === ')' ? value : Number.NaN
    }
    if (tokens[at] === '::') {
      at++
      return primary() // Enum::Name
    }
    const literal = /^(0x[\da-f]+|0|[1-9]\d*)[ul]*$/i.exec(token)
    return literal ? Number(literal[1]) : (values.get(token) ?? Number.NaN)
  }
  const value = binary(0)
  return at === tokens.length && Number.isInteger(value) ? value : undefined
}
