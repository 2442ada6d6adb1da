import { JsonError } from './json-error.ts'

/** Longest string in characters: far more than a name or description, far less than what hurts. */
export const MAX_STRING = 1024 * 1024
/** Most objects and arrays open at a time. */
export const MAX_DEPTH = 100
/** Longest number or word, in characters. */
const MAX_SCALAR = 1024

/** Is told what a scanner finds; indices are those of the current piece. */
export interface JsonListener {
  /** Whether the names of the current members matter: only then is `name` called. */
  readonly wantsNames: boolean
  /** A value begins with the character at `at`. */
  begin(at: number, type: 'object' | 'array' | 'scalar'): void
  /** The next value is that of this member. */
  name(name: string): void
  /** With `nonNumbers`: the value that has ended before `end` is this word, which is not JSON; it counts as a text. */
  nonNumber(end: number, word: string): void
  /** A value has ended before `end`. */
  end(end: number, type: 'container' | 'scalar'): void
}

export interface ScanOptions {
  /** Whether several texts may follow one another, as in NDJSON. */
  readonly many?: boolean
  /**
   * Whether `NaN`, `Infinity` and `-Infinity`, which some writers put in place of a number, are read as texts: then what is
   * wrong is one value and not the whole.
   */
  readonly nonNumbers?: boolean
}

type Expect = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing'

/**
 * Finds the borders of values in a JSON text of any size that comes in pieces. Unless told otherwise it accepts what
 * `JSON.parse` accepts and nothing else, within limits: a string has at most 1 Mi characters, and 100 objects and arrays may be open at a time.
 * @see RFC 8259
 */
export class JsonScanner {
  readonly #listener: JsonListener
  readonly #many: boolean
  readonly #nonNumbers: boolean
  /** The open objects and arrays: whether each is an array. */
  readonly #open: boolean[] = []
  #expect: Expect = 'value'
  #mode: 'between' | 'string' | 'escape' | 'scalar' = 'between'
  /** The current name or scalar. */
  #token = ''
  /** Length of the current string. */
  #length = 0
  /** Hexadecimal digits that an escape still needs. */
  #digits = 0
  #started = false
  /** Of the current character, from 1. */
  line = 1

  constructor(listener: JsonListener, { many = false, nonNumbers = false }: ScanOptions = {}) {
    this.#listener = listener
    this.#many = many
    this.#nonNumbers = nonNumbers
  }

  /** Reads the next piece. Throws a `JsonError`. */
  push(piece: string): void {
    for (let at = 0; at < piece.length; at += 1) {
      if (this.#mode === 'string') at = this.#inString(piece, at)
      else if (this.#mode === 'escape') this.#escaped(piece.charCodeAt(at), piece.charAt(at))
      else this.#outside(piece, at)
    }
  }

  /** Ends the text. Throws a `JsonError` when something is still open. */
  finish(): void {
    if (this.#mode === 'scalar') this.#endScalar(0)
    const idle = this.#many && !this.#started
    if (this.#expect !== 'nothing' && !idle) throw this.#error('the JSON ends too early')
  }

  /** Scans to the end of the string or of the piece. @returns the last index read */
  #inString(piece: string, from: number): number {
    let at = from
    let code = 0
    for (; at < piece.length; at += 1) {
      code = piece.charCodeAt(at)
      if (code === QUOTE || code === BACKSLASH || code < SPACE) break
    }
    this.#count(at - from)
    if (this.#isName) this.#token += piece.slice(from, at + 1)
    if (at >= piece.length) return at
    if (code < SPACE) throw this.#error('the JSON has a line break or control character in a text')
    if (code === BACKSLASH) this.#mode = 'escape'
    else this.#endString(at)
    return at
  }

  #escaped(code: number, character: string): void {
    this.#count(1)
    if (this.#isName) this.#token += character
    if (this.#digits > 0) {
      this.#must(isHex(code))
      this.#digits -= 1
    } else {
      this.#must('"\\/bfnrtu'.includes(character))
      if (character === 'u') this.#digits = 4
    }
    if (this.#digits === 0) this.#mode = 'string'
  }

  #count(characters: number): void {
    this.#length += characters
    if (this.#length > MAX_STRING) throw this.#beyond('the JSON has a text of more than 1 Mi characters')
  }

  #outside(piece: string, at: number): void {
    const code = piece.charCodeAt(at)
    const blank = code === SPACE || code === LF || code === CR || code === TAB
    if (this.#mode === 'scalar') {
      if (!blank && code !== COMMA && code !== CLOSE_BRACE && code !== CLOSE_BRACKET) {
        this.#token += piece.charAt(at)
        if (this.#token.length > MAX_SCALAR) throw this.#beyond('the JSON has a number of more than 1,024 characters')
        return
      }
      this.#endScalar(at)
    }
    if (code === LF) this.line += 1
    else if (!blank) this.#structure(piece, at, code)
  }

  #structure(piece: string, at: number, code: number): void {
    switch (code) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#begin(at, code === OPEN_BRACE ? 'object' : 'array')
        this.#open.push(code === OPEN_BRACKET)
        if (this.#open.length > MAX_DEPTH) throw this.#beyond(`the JSON is nested more than ${MAX_DEPTH} deep`)
        this.#expect = code === OPEN_BRACE ? 'key or end' : 'value or end'
        return
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#must(this.#open.pop() === (code === CLOSE_BRACKET) && this.#expect.endsWith('end'))
        this.#ended(at + 1, 'container')
        return
      case COMMA:
        this.#must(this.#expect === 'comma or end')
        this.#expect = this.#open.at(-1) ? 'value' : 'key'
        return
      case COLON:
        this.#must(this.#expect === 'colon')
        this.#expect = 'value'
        return
      case QUOTE:
        if (!this.#expect.startsWith('key')) this.#begin(at, 'scalar')
        this.#mode = 'string'
        this.#token = '"'
        this.#length = 0
        return
      default:
        this.#begin(at, 'scalar')
        this.#mode = 'scalar'
        this.#token = piece.charAt(at)
    }
  }

  /** Whether the string at hand is the name of a member that matters. */
  get #isName(): boolean {
    return this.#listener.wantsNames && this.#expect.startsWith('key')
  }

  #begin(at: number, type: 'object' | 'array' | 'scalar'): void {
    this.#must(this.#expect.startsWith('value') || (this.#many && this.#expect === 'nothing'))
    this.#started = true
    this.#listener.begin(at, type)
  }

  #ended(end: number, type: 'container' | 'scalar'): void {
    this.#expect = this.#open.length === 0 ? 'nothing' : 'comma or end'
    this.#listener.end(end, type)
  }

  #endString(at: number): void {
    this.#mode = 'between'
    if (!this.#expect.startsWith('key')) {
      this.#ended(at + 1, 'scalar')
      return
    }
    if (this.#isName) this.#listener.name(String(JSON.parse(this.#token)))
    this.#expect = 'colon'
  }

  #endScalar(end: number): void {
    this.#mode = 'between'
    if (this.#nonNumbers && /^(?:NaN|-?Infinity)$/.test(this.#token)) this.#listener.nonNumber(end, this.#token)
    else this.#must(/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(this.#token))
    this.#ended(end, 'scalar')
  }

  #must(valid: boolean): void {
    if (!valid) throw this.#error('the JSON is not valid here')
  }

  #beyond(problem: string): JsonError {
    return new JsonError(problem, this.line, true)
  }

  #error(problem: string): JsonError {
    return new JsonError(problem, this.line)
  }
}

function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66)
}

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
