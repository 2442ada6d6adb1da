import { badLine } from './bad-line.ts'

/** One element of a list within a JSON text. */
export interface JsonElement {
  /** Where it begins, from 1. */
  readonly line: number
  /** Its JSON, complete and balanced, but not yet parsed. */
  readonly text: string
}

/** An object or array that is open. */
interface Frame {
  readonly array: boolean
  /** Keys from the root, joined by `.`; an element of an array adds `[]`. */
  readonly path: string
  /** The key whose value is read now. */
  key: string
}

type Expect = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end' | 'nothing'

/** Characters that one element may have: far more than the description of a file needs. */
const MAX_ELEMENT = 1024 * 1024
/** Characters kept of a text outside of elements. */
const MAX_TEXT = 1024

/**
 * Takes elements out of lists in a JSON text of any size that comes in pieces; memory holds one element. The structure
 * around and within the elements is checked on the way, though not the inside of strings.
 */
export class JsonElements {
  readonly #isList: (path: string) => boolean
  readonly #onScalar: (path: string, json: string) => void
  readonly #stack: Frame[] = []
  #expect: Expect = 'value'
  #mode: 'between' | 'string' | 'escape' | 'scalar' = 'between'
  /** The string or scalar at hand, outside of elements. */
  #token = ''
  #found: JsonElement[] = []
  /** The element at hand as far as earlier pieces hold it; undefined: none. */
  #element: string | undefined
  #elementLine = 1
  #elementDepth = 0
  /** Where the element at hand begins in the present piece. */
  #from = 0
  /** Of the character at hand. */
  line = 1

  /**
   * @param isList whether the elements of the array at this path are wanted; '' is the root
   * @param onScalar gets every string, number, boolean and null outside of wanted elements, with its path
   */
  constructor(isList: (path: string) => boolean, onScalar: (path: string, json: string) => void) {
    this.#isList = isList
    this.#onScalar = onScalar
  }

  /** Reads the next piece. @returns elements that are complete. Throws a bad line when the JSON is not valid. */
  push(piece: string): readonly JsonElement[] {
    this.#found = []
    this.#from = 0
    for (let at = 0; at < piece.length; at += 1) {
      const code = piece.charCodeAt(at)
      if (this.#mode === 'string') at = this.#inString(piece, at)
      else if (this.#mode === 'escape') this.#escaped(piece.charAt(at), code)
      else this.#outside(piece, at, code)
      if (code === LF) this.line += 1
    }
    if (this.#element !== undefined) {
      this.#element += piece.slice(this.#from)
      if (this.#element.length > MAX_ELEMENT)
        throw badLine('an entry of the list is larger than 1 MiB: it is no list of files')
    }
    return this.#found
  }

  /** Ends the text. Throws a bad line when something is still open. */
  finish(): void {
    if (this.#mode === 'scalar') this.#endScalar('', 0)
    if (this.#expect !== 'nothing') throw badLine('the JSON ends too early: fetch the listing again')
  }

  /** Goes to the end of a string or of the piece. @returns the last index read */
  #inString(piece: string, from: number): number {
    let at = from
    for (; at < piece.length; at += 1) {
      const code = piece.charCodeAt(at)
      if (code === QUOTE || code === BACKSLASH) break
      if (code < SPACE) throw badLine('the JSON has a line break or control character in a text: it is not valid')
    }
    const end = at >= piece.length
    if (this.#element === undefined && this.#token.length < MAX_TEXT) this.#token += piece.slice(from, at + 1)
    if (end) return at - 1
    if (piece.charCodeAt(at) === BACKSLASH) this.#mode = 'escape'
    else this.#endString(piece, at)
    return at
  }

  #escaped(character: string, code: number): void {
    if (code < SPACE) throw badLine('the JSON has a line break or control character in a text: it is not valid')
    if (this.#element === undefined) this.#token += character
    this.#mode = 'string'
  }

  #outside(piece: string, at: number, code: number): void {
    const blank = code === SPACE || code === LF || code === CR || code === TAB
    if (this.#mode === 'scalar') {
      if (!blank && code !== COMMA && code !== CLOSE_BRACE && code !== CLOSE_BRACKET) {
        if (this.#token.length < MAX_TEXT) this.#token += piece.charAt(at)
        return
      }
      this.#endScalar(piece, at)
    }
    if (!blank) this.#structure(piece, at, code)
  }

  #structure(piece: string, at: number, code: number): void {
    switch (code) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#begin(at)
        this.#stack.push({ array: code === OPEN_BRACKET, path: this.#path(), key: '' })
        this.#expect = code === OPEN_BRACE ? 'key or end' : 'value or end'
        return
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#close(piece, at, code === CLOSE_BRACKET)
        return
      case COMMA:
        this.#must(this.#expect === 'comma or end')
        this.#expect = this.#stack.at(-1)?.array ? 'value' : 'key'
        return
      case COLON:
        this.#must(this.#expect === 'colon')
        this.#expect = 'value'
        return
      case QUOTE:
        if (!this.#expect.startsWith('key')) this.#begin(at)
        this.#mode = 'string'
        this.#token = '"'
        return
      default:
        this.#begin(at)
        this.#mode = 'scalar'
        this.#token = piece.charAt(at)
    }
  }

  /** A value begins: it may be an element. */
  #begin(at: number): void {
    this.#must(this.#expect.startsWith('value'))
    const frame = this.#stack.at(-1)
    if (this.#element !== undefined || !frame?.array || !this.#isList(frame.path)) return
    this.#element = ''
    this.#elementLine = this.line
    this.#elementDepth = this.#stack.length
    this.#from = at
  }

  /** A value has ended just before `end`. */
  #ended(piece: string, end: number): void {
    this.#expect = this.#stack.length === 0 ? 'nothing' : 'comma or end'
    if (this.#element === undefined || this.#stack.length !== this.#elementDepth) return
    this.#found.push({ line: this.#elementLine, text: this.#element + piece.slice(this.#from, end) })
    this.#element = undefined
  }

  #close(piece: string, at: number, array: boolean): void {
    const frame = this.#stack.pop()
    this.#must(frame?.array === array && this.#expect.endsWith('end'))
    this.#ended(piece, at + 1)
  }

  #endString(piece: string, at: number): void {
    this.#mode = 'between'
    const frame = this.#stack.at(-1)
    if (frame && this.#expect.startsWith('key')) {
      if (this.#element === undefined) frame.key = this.#token.slice(1, -1)
      this.#expect = 'colon'
      return
    }
    if (this.#element === undefined) this.#onScalar(this.#path(), this.#token)
    this.#ended(piece, at + 1)
  }

  #endScalar(piece: string, at: number): void {
    this.#mode = 'between'
    this.#must(/^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(this.#token))
    if (this.#element === undefined) this.#onScalar(this.#path(), this.#token)
    this.#ended(piece, at)
  }

  /** The path of the value that is read now. */
  #path(): string {
    const frame = this.#stack.at(-1)
    // Within an element nobody asks for it.
    if (!frame || this.#element !== undefined) return ''
    const key = frame.array ? '[]' : frame.key
    return frame.path === '' ? key : `${frame.path}.${key}`
  }

  #must(valid: boolean): void {
    if (!valid) throw badLine('the JSON is not valid here: correct it, or fetch the listing again')
  }
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
