import { JsonError } from './json-error.ts'
import { JsonScanner, type JsonListener, type ScanOptions } from './json-scanner.ts'

/** How a JSON text is split into parts. Values without a shape are kept with the object around them. */
export interface JsonShape {
  /** Members of an object that have a shape of their own. */
  readonly members?: Readonly<Record<string, JsonShape>>
  /** Elements of an array are reported one by one, each of this shape, and not kept with the object around them. */
  readonly each?: JsonShape
  /** The value is dropped: `null` replaces it. */
  readonly skip?: true
}

/**
 * A part of a JSON text.
 * - `whole`: an element of a list, or the text itself when no list was found in it
 * - `list`: a list begins in such an element or in the text; `value` is what came before it
 * - `rest`: such an element or the text ends; `value` is all of it, with its lists empty
 */
export interface JsonPart {
  readonly kind: 'whole' | 'list' | 'rest'
  /** Of the element, list or text: `data[]`, `data[].files`; '' is the text itself. */
  readonly path: string
  /** Where it begins, from 1. */
  readonly line: number
  readonly value: unknown
}

/** Most characters kept of one element, or of what is around the lists. */
export const MAX_ELEMENT = 4 * 1024 * 1024

/** An object or array with a shape. */
interface Frame {
  readonly shape: JsonShape
  readonly path: string
  /** Whether its elements are reported one by one. */
  readonly list: boolean
  /** Members of a shape that have been read. */
  readonly seen: Set<string>
  /** The member whose value is being read. */
  member: string
}

/** An element, or the text itself, that has begun. */
interface Unit {
  readonly path: string
  readonly line: number
  /** What is kept of it so far. */
  text: string
  /** Objects and arrays around it. */
  readonly depth: number
  hasList: boolean
}

/** Splits a JSON text of any size into parts as it arrives; memory holds one element and what is around the lists. */
export class JsonParts implements JsonListener {
  readonly #shape: JsonShape
  readonly #scanner: JsonScanner
  readonly #frames: (Frame | undefined)[] = []
  readonly #units: Unit[] = []
  #found: JsonPart[] = []
  #piece = ''
  /** Where the kept text begins in the piece; undefined: nothing is kept. */
  #from: number | undefined
  /** Objects and arrays around a dropped value. */
  #skipping: number | undefined

  constructor(shape: JsonShape, scanning: ScanOptions = {}) {
    this.#shape = shape
    this.#scanner = new JsonScanner(this, scanning)
  }

  /** Of the current character, from 1. */
  get line(): number {
    return this.#scanner.line
  }

  /** Reads the next piece. @returns the parts that are complete with it. Throws a `JsonError`. */
  push(piece: string): readonly JsonPart[] {
    this.#found = []
    this.#piece = piece
    this.#scanner.push(piece)
    if (this.#from !== undefined) {
      this.#keep(piece.length)
      this.#from = 0
    }
    return this.#found
  }

  /** Ends the text. @returns the last parts. Throws a `JsonError` when something is still open. */
  finish(): readonly JsonPart[] {
    this.#found = []
    this.#piece = ''
    this.#scanner.finish()
    return this.#found
  }

  /** @internal */
  get wantsNames(): boolean {
    return this.#frames.at(-1)?.shape.members !== undefined
  }

  /** @internal */
  name(name: string): void {
    const frame = this.#frames.at(-1)
    if (!frame) return
    frame.member = name
    if (!Object.hasOwn(frame.shape.members ?? {}, name)) return
    if (frame.seen.has(name)) throw new JsonError(`the JSON has "${name}" twice in one object`, this.line)
    frame.seen.add(name)
  }

  /** @internal */
  begin(at: number, type: 'object' | 'array' | 'scalar'): void {
    const parent = this.#frames.at(-1)
    const root = this.#frames.length === 0
    const shape = root ? this.#shape : shapeWithin(parent)
    const path = root ? '' : pathWithin(parent)
    if (root || parent?.list) this.#unit(at, path)
    if (shape?.skip) this.#skip(at)
    if (type === 'scalar') return
    const list = type === 'array' && shape?.each !== undefined
    this.#frames.push(shape && { shape, path, list, seen: new Set(), member: '' })
    if (list) this.#list(at, path)
  }

  /** @internal */
  end(end: number, type: 'container' | 'scalar'): void {
    const frame = type === 'container' ? this.#frames.pop() : undefined
    if (frame?.list) this.#from = end - 1
    if (this.#skipping === this.#frames.length) {
      this.#skipping = undefined
      this.#from = end
    }
    const unit = this.#units.at(-1)
    if (unit?.depth !== this.#frames.length) return
    this.#keep(end)
    this.#from = undefined
    this.#units.pop()
    this.#give(unit.hasList ? 'rest' : 'whole', unit.path, unit.line, unit.text)
  }

  /** @internal */
  nonNumber(end: number, word: string): void {
    const unit = this.#units.at(-1)
    if (!unit || this.#from === undefined) return
    this.#keep(end)
    unit.text = `${unit.text.slice(0, -word.length)}"${word}"`
    this.#from = end
  }

  #unit(at: number, path: string): void {
    this.#units.push({ path, line: this.line, text: '', depth: this.#frames.length, hasList: false })
    this.#from = at
  }

  #skip(at: number): void {
    this.#keep(at, 'null')
    this.#from = undefined
    this.#skipping = this.#frames.length
  }

  /** A list begins: reports what is known so far of what is around it. */
  #list(at: number, path: string): void {
    const unit = this.#units.at(-1)
    if (!unit) return
    this.#keep(at + 1)
    this.#from = undefined
    unit.hasList = true
    // Only objects can be between a list and its element, as no other array has a shape inside.
    const closing = `]${'}'.repeat(this.#frames.length - 1 - unit.depth)}`
    this.#give('list', path, this.line, unit.text + closing)
  }

  #give(kind: JsonPart['kind'], path: string, line: number, text: string): void {
    this.#found.push({ kind, path, line, value: JSON.parse(text) })
  }

  /** Keeps the piece up to `end`, and `more`. */
  #keep(end: number, more = ''): void {
    const unit = this.#units.at(-1)
    if (!unit || this.#from === undefined) return
    unit.text += this.#piece.slice(this.#from, end) + more
    if (unit.text.length <= MAX_ELEMENT) return
    throw new JsonError('the JSON has an object or list of more than 4 Mi characters', unit.line, true)
  }
}

function shapeWithin(parent: Frame | undefined): JsonShape | undefined {
  if (!parent) return undefined
  const { shape, list, member } = parent
  if (list) return shape.each
  return shape.members && Object.hasOwn(shape.members, member) ? shape.members[member] : undefined
}

function pathWithin(parent: Frame | undefined): string {
  if (!parent) return ''
  if (parent.list) return `${parent.path}[]`
  return parent.path === '' ? parent.member : `${parent.path}.${parent.member}`
}
