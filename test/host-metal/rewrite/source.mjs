// A preprocessed source as tokens that can be read by meaning and replaced without moving a line.

const pattern =
  /("(?:\\.|[^"\\])*")|('(?:\\.|[^'\\])*')|([A-Za-z_]\w*)|(\.?\d(?:[eEpP][+-]|[\w.'])*)|(\[\[|\]\]|::|->|<<=|>>=|[-+*/%&|^!=<>]=|&&|\|\||\+\+|--|\.\.\.|.)/sy
const kinds = ['string', 'character', 'word', 'number', 'mark']
const opening = { '(': ')', '[': ']', '{': '}', '[[': ']]' }

/** Mistake in a .metal file: `where` is `file:line`. */
export class RewriteError extends Error {
  constructor(where, message) {
    super(`${where}: error: ${message}`)
    this.name = 'RewriteError'
  }
}

/** Tokens of `text`, white space (with preprocessor lines) included. */
function tokenise(text) {
  const tokens = []
  for (let at = 0; at < text.length; ) {
    const lineStart = at === 0 || text[at - 1] === '\n'
    const space = lineStart && text[at] === '#' ? /[^\n]*/y : /\s+/y
    space.lastIndex = at
    const blank = space.exec(text)
    if (blank) {
      tokens.push({ kind: 'space', text: blank[0] })
      at = space.lastIndex
      continue
    }
    pattern.lastIndex = at
    const match = pattern.exec(text)
    tokens.push({ kind: kinds[match.slice(1).findIndex((group) => group !== undefined)], text: match[0] })
    at = pattern.lastIndex
  }
  return splitBrackets(tokens)
}

/** `]]` closes an attribute only where `[[` opened one; in a[b[0]] it is two brackets. */
function splitBrackets(tokens) {
  const open = []
  return tokens.flatMap((token) => {
    if (token.kind !== 'mark') return [token]
    if (token.text === '[' || token.text === '[[') open.push(token.text)
    else if (token.text === ']') open.pop()
    else if (token.text === ']]' && open.pop() !== '[[') {
      open.pop()
      return [
        { kind: 'mark', text: ']' },
        { kind: 'mark', text: ']' },
      ]
    }
    return [token]
  })
}

export class Source {
  #tokens
  #places = [] // of the tokens that are not white space

  constructor(text) {
    this.#tokens = tokenise(text)
    this.#tokens.forEach((token, i) => {
      if (token.kind !== 'space') this.#places.push(i)
    })
  }

  get length() {
    return this.#places.length
  }

  /** Text of token i; empty outside the source, and for what was removed. */
  at(i) {
    return this.#tokens[this.#places[i]]?.text ?? ''
  }

  isWord(i) {
    return this.#tokens[this.#places[i]]?.kind === 'word'
  }

  /** Index of the bracket that closes the one at i. */
  close(i) {
    const [open, end] = [this.at(i), opening[this.at(i)]]
    for (let depth = 0, j = i; j < this.length; j++) {
      if (this.at(j) === open) depth++
      else if (this.at(j) === end && --depth === 0) return j
    }
    throw this.error(i, `nothing closes this ${open}`)
  }

  /** Index of the bracket ( that the one at i closes. */
  open(i) {
    for (let depth = 0, j = i; j >= 0; j--) {
      if (this.at(j) === ')') depth++
      else if (this.at(j) === '(' && --depth === 0) return j
    }
    throw this.error(i, 'nothing opens this )')
  }

  /** Index of the `<` that opens the template arguments ending at i. */
  openAngle(i) {
    for (let depth = 0, j = i; j >= 0; j--) {
      if (this.at(j) === '>') depth++
      else if (this.at(j) === '<' && --depth === 0) return j
    }
    throw this.error(i, 'nothing opens this >')
  }

  /** Ranges [first, last] between separators at the top level of [from, to]. */
  split(from, to, separator = ',') {
    const parts = []
    let depth = 0
    let start = from
    for (let i = from; i <= to; i++) {
      if (['(', '[', '{', '<', '[['].includes(this.at(i))) depth++
      else if ([')', ']', '}', '>', ']]'].includes(this.at(i))) depth--
      else if (this.at(i) === separator && depth === 0) {
        parts.push([start, i - 1])
        start = i + 1
      }
    }
    if (start <= to) parts.push([start, to])
    return parts
  }

  /** First index from i on whose token is one of `marks`, skipping brackets. */
  find(i, marks) {
    for (let j = i; j < this.length; j++) {
      if (marks.includes(this.at(j))) return j
      if (this.at(j) in opening) j = this.close(j)
    }
    throw this.error(i, `expected ${marks.join(' or ')}`)
  }

  /** Source text of [first, last] on one line. */
  text(first, last) {
    if (last < first) return ''
    return this.#tokens
      .slice(this.#places[first], this.#places[last] + 1)
      .map((token) => (token.kind === 'space' ? ' ' : token.text + (token.after ?? '')))
      .join('')
      .replace(/ +/g, ' ')
      .trim()
  }

  /** Puts `code` (without line breaks) in the place of [first, last]; lines stay where they are. */
  replace(first, last, code = '') {
    for (let i = this.#places[first]; i <= this.#places[last]; i++) {
      const token = this.#tokens[i]
      if (token.kind !== 'space') token.text = ''
      else if (!token.text.startsWith('#')) token.text = token.text.replace(/[^\n]/g, '') || ' '
    }
    this.#tokens[this.#places[first]].text = code
  }

  /** Puts `code` after token i, before what was put there earlier; the tokens stay as they are. */
  insertAfter(i, code) {
    const token = this.#tokens[this.#places[i]]
    token.after = code + (token.after ?? '')
  }

  error(i, message) {
    return new RewriteError(this.#where(i), message)
  }

  /** `file:line` of token i, by the line markers before it. */
  #where(i) {
    let [file, line] = ['source', 1]
    for (const token of this.#tokens.slice(0, this.#places[i] ?? this.#tokens.length)) {
      const marker = /^# (\d+) "([^"]*)"/.exec(token.text)
      if (token.kind === 'space' && marker) [file, line] = [marker[2], Number(marker[1]) - 1]
      else line += token.text.split('\n').length - 1
    }
    return `${file}:${line}`
  }

  toString() {
    return this.#tokens.map((token) => token.text + (token.after ?? '')).join('')
  }
}

/** Attributes of the lists [[…]] in [first, last], names and arguments, and where the first list begins (-1: none). */
export function attributes(source, first, last) {
  const found = []
  let begin = -1
  for (let i = first; i <= last; i++) {
    if (source.at(i) !== '[[') continue
    const end = source.close(i)
    if (begin < 0) begin = i
    for (const [a, b] of source.split(i + 1, end - 1)) {
      found.push({ name: source.at(a), argument: b > a ? source.text(a + 2, b - 1) : undefined })
    }
    i = end
  }
  return { found, begin }
}
