/** Deepest nesting that is read; a configuration or a tensor header never comes near it. */
const maxDepth = 128

/** Where a scanner reports the first fault: `at` is an index into the text. Must throw. */
export type OnFault = (reason: string, at: number) => never

/**
 * Reads JSON (RFC 8259) from left to right, without recursion and without building what the caller does not ask for.
 * `JSON.parse` hides repeated keys, builds a whole hostile document before anyone can refuse it, and its messages often
 * do not say where the fault is.
 */
export class JsonScanner {
  readonly text: string
  private readonly onFault: OnFault
  private at = 0

  constructor(text: string, onFault: OnFault) {
    this.text = text
    this.onFault = onFault
  }

  /** An object with at most `limit` keys, all different. `visit` must read the value of each key. */
  members(limit: number, visit: (key: string) => void): void {
    this.expect('{', 'an object')
    if (this.take('}')) return
    const seen = new Set<string>()
    do {
      this.space()
      const start = this.at
      const key = this.string('a key in double quotes')
      if (seen.size === limit) this.fault(`more than ${limit} keys`, start)
      if (seen.has(key)) this.fault(`the key ${JSON.stringify(key.slice(0, 80))} occurs twice`, start)
      if (key === '__proto__') this.fault('the key "__proto__" is not allowed', start)
      seen.add(key)
      this.expect(':', "':'")
      visit(key)
    } while (this.take(','))
    this.expect('}', "',' or '}'")
  }

  /** An array. `visit` must read the element at each index. */
  elements(visit: (index: number) => void): void {
    this.expect('[', 'an array')
    if (this.take(']')) return
    let index = 0
    do visit(index++)
    while (this.take(','))
    this.expect(']', "',' or ']'")
  }

  /** A string of well-formed Unicode; an escaped half of a surrogate pair has no UTF-8 form and is a fault. */
  string(what = 'a string'): string {
    this.space()
    const start = this.at
    const value: string = JSON.parse(this.rawString(what))
    if (/\p{Surrogate}/u.test(value)) this.fault('the string holds half of a surrogate pair', start)
    return value
  }

  /** A number that float64 can hold. */
  number(): number {
    this.space()
    const start = this.at
    if (this.text[this.at] === '-') this.at++
    if (this.text[this.at] === '0') this.at++
    else this.digits(start)
    if (this.text[this.at] === '.') {
      this.at++
      this.digits(start)
    }
    if (this.text[this.at] === 'e' || this.text[this.at] === 'E') {
      this.at++
      if (this.text[this.at] === '+' || this.text[this.at] === '-') this.at++
      this.digits(start)
    }
    const value = Number(this.text.slice(start, this.at))
    if (!Number.isFinite(value)) this.fault('the number is outside the range of float64', start)
    return value
  }

  /** Any value, which is checked and passed over. Keys may repeat here, as `JSON.parse` allows. */
  skip(): void {
    const closers: string[] = []
    for (;;) {
      this.space()
      const open = this.text[this.at]
      if (open === '{' || open === '[') {
        if (closers.length === maxDepth) this.fault(`nested deeper than ${maxDepth} levels`)
        this.at++
        const closer = open === '{' ? '}' : ']'
        if (!this.take(closer)) {
          closers.push(closer)
          if (closer === '}') this.skipKey()
          continue
        }
      } else {
        this.skipScalar()
      }
      // A value has ended: go on with the next one of the innermost container, or close containers.
      for (;;) {
        const closer = closers.at(-1)
        if (closer === undefined) return
        if (this.take(',')) {
          if (closer === '}') this.skipKey()
          break
        }
        this.expect(closer, `',' or '${closer}'`)
        closers.pop()
      }
    }
  }

  /** Nothing but whitespace may follow. */
  end(): void {
    this.space()
    if (this.at < this.text.length) this.fault(`the document has ended, but ${this.found()} follows`)
  }

  private fault(reason: string, at = this.at): never {
    return this.onFault(reason, at)
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.at++
    }
  }

  private take(char: string): boolean {
    this.space()
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }

  private expect(char: string, what: string): void {
    if (!this.take(char)) this.fault(`expected ${what}, found ${this.found()}`)
  }

  private found(): string {
    const code = this.text.codePointAt(this.at)
    return code === undefined ? 'the end' : JSON.stringify(String.fromCodePoint(code))
  }

  private skipKey(): void {
    this.space()
    this.rawString('a key in double quotes')
    this.expect(':', "':'")
  }

  private skipScalar(): void {
    const char = this.text[this.at]
    if (char === '"') {
      this.rawString('a string')
      return
    }
    for (const word of ['true', 'false', 'null']) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length
        return
      }
    }
    for (const word of ['NaN', 'Infinity', '-Infinity']) {
      if (this.text.startsWith(word, this.at)) {
        this.fault(`${word} is not JSON (Python's json module writes it; JSON has finite numbers only)`)
      }
    }
    if (char === '-' || (char >= '0' && char <= '9')) this.number()
    else this.fault(`expected a value, found ${this.found()}`)
  }

  // Plain loops here and below: a regular expression can run out of stack on a string of many megabytes.
  private rawString(what: string): string {
    const start = this.at
    if (this.text[start] !== '"') this.fault(`expected ${what}, found ${this.found()}`)
    this.at++
    for (;;) {
      const code = this.text.charCodeAt(this.at)
      if (Number.isNaN(code)) this.fault('the string has no end', start)
      if (code < 0x20) this.fault(`a control character in a string must be escaped, found ${this.found()}`)
      this.at++
      if (code === 0x22) return this.text.slice(start, this.at)
      if (code === 0x5c) this.escape()
    }
  }

  private escape(): void {
    const start = this.at - 1
    const char = this.text[this.at++]
    if (char === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(this.text.slice(this.at, this.at + 4))) {
        this.fault('\\u needs four hex digits', start)
      }
      this.at += 4
    } else if (char === undefined || !'"\\/bfnrt'.includes(char)) {
      this.fault('unknown escape in a string', start)
    }
  }

  private digits(start: number): void {
    const first = this.at
    while (isDigit(this.text.charCodeAt(this.at))) this.at++
    if (this.at > first) return
    this.fault(
      first === start ? `expected a number, found ${this.found()}` : `a digit is missing, found ${this.found()}`,
    )
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
