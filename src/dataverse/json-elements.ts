import { DataferryError } from '../errors.ts'

/** A member of the outermost object: an element of the array `data`, or any other member whole. */
export interface JsonPart {
  readonly key: string
  readonly value: unknown
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/**
 * Reads `{"status":"OK","totalCount":2,"data":[{…},{…}]}` piece by piece: every element of `data` and every other member,
 * in their order, without ever holding more than one of them. Rejects with `SOURCE_UNEXPECTED` when it is not such JSON
 * or ends early. It only finds the borders of pieces; `JSON.parse` reads them.
 */
export async function* jsonElements(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<JsonPart, void, undefined> {
  const borders = new Borders()
  for await (const chunk of chunks) yield* borders.read(chunk)
  if (!borders.closed) throw notJson()
}

class Borders {
  closed = false
  #depth = 0
  #inString = false
  #escaped = false
  /** Inside the array `data`, whose elements are pieces; elsewhere the outermost members are. */
  #inData = false
  /** Bytes of the piece at hand from earlier chunks. */
  #held: Uint8Array[] = []

  get #pieceDepth(): number {
    return this.#inData ? 2 : 1
  }

  *read(chunk: Uint8Array): Generator<JsonPart, void, undefined> {
    let start = 0
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0
      if (this.#depth === 0 && !this.closed && byte !== OPEN_BRACE && !isBlank(byte)) throw notJson()
      if (this.#inString) {
        this.#readString(byte)
      } else if (byte === QUOTE) {
        this.#inString = true
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        this.#depth += 1
        if (this.#depth === 1 || this.#entersData(byte, chunk.subarray(start, at))) start = at + 1
      } else if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.#depth === this.#pieceDepth) {
          yield* this.#piece(chunk.subarray(start, at))
          start = at + 1
        }
        if (byte !== COMMA) this.#leave()
      }
    }
    // The chunk's memory is used again, so what is left of it is copied.
    if (start < chunk.length && !this.closed) this.#held.push(new Uint8Array(chunk.subarray(start)))
  }

  #readString(byte: number): void {
    if (this.#escaped) this.#escaped = false
    else if (byte === BACKSLASH) this.#escaped = true
    else if (byte === QUOTE) this.#inString = false
  }

  /** Does this bracket open the value of the outermost member `data`? Then its key is no piece. */
  #entersData(byte: number, before: Uint8Array): boolean {
    if (this.#depth !== 2 || byte !== OPEN_BRACKET || this.#inData) return false
    if (!/^\s*"data"\s*:\s*$/.test(Buffer.concat([...this.#held, before]).toString('utf8'))) return false
    this.#held = []
    this.#inData = true
    return true
  }

  #leave(): void {
    this.#depth -= 1
    if (this.#depth === 1) this.#inData = false
    if (this.#depth === 0) this.closed = true
  }

  *#piece(last: Uint8Array): Generator<JsonPart, void, undefined> {
    const text = Buffer.concat([...this.#held, last]).toString('utf8')
    this.#held = []
    if (text.trim() === '') return
    if (this.#inData) {
      yield { key: 'data', value: parse(text) }
      return
    }
    const member = parse(`{${text}}`)
    if (typeof member !== 'object' || member === null) throw notJson()
    for (const [key, value] of Object.entries(member)) yield { key, value }
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw notJson(error)
  }
}

function notJson(cause?: unknown): DataferryError {
  const message = 'The server’s listing is not the JSON it should be, or ended early.'
  return new DataferryError('SOURCE_UNEXPECTED', message, { cause })
}
