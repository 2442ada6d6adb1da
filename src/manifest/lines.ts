import { isUtf8 } from 'node:buffer'

/** Longest line, or quoted record of several lines, in bytes. */
export const MAX_LINE_BYTES = 64 * 1024

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its end; '' when there is a problem. */
  readonly text: string
  /** Whether a CR stood before the LF, which matters where a quoted cell goes over lines. */
  readonly crlf: boolean
  /** Why it cannot be read, and what to do. */
  readonly problem?: string
}

const TOO_LONG = 'the line is longer than 64 KiB: check that the file is a manifest with one entry per line'
const NOT_UTF8 = 'the line is not UTF-8: save the manifest as UTF-8'

/**
 * Splits bytes into lines, in batches. A line longer than 64 KiB is dropped while it passes and becomes a problem.
 * @param end what ends a line: LF (a CR before it is dropped too), or CR alone as in files of old Macs
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  end: '\n' | '\r' = '\n',
): AsyncIterable<readonly Line[]> {
  const splitter = new LineSplitter(end)
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += MAX_LINE_BYTES) {
      yield splitter.push(chunk.subarray(from, from + MAX_LINE_BYTES))
    }
  }
  yield splitter.finish()
}

class LineSplitter {
  readonly #end: '\n' | '\r'
  #number = 1
  /** The start of a line whose end has not arrived yet. */
  #rest: Buffer = Buffer.alloc(0)
  /** The line at hand is too long: its bytes are dropped up to its end. */
  #dropping = false

  constructor(end: '\n' | '\r') {
    this.#end = end
  }

  push(chunk: Uint8Array): Line[] {
    const bytes = Buffer.concat([this.#rest, chunk])
    const last = bytes.lastIndexOf(this.#end)
    if (last === -1) {
      this.#hold(bytes)
      return []
    }
    const lines = this.#read(bytes.subarray(0, last))
    this.#hold(bytes.subarray(last + 1))
    return lines
  }

  finish(): Line[] {
    return this.#rest.length === 0 && !this.#dropping ? [] : this.#read(this.#rest)
  }

  #hold(bytes: Buffer): void {
    if (bytes.length > MAX_LINE_BYTES) this.#dropping = true
    this.#rest = this.#dropping ? Buffer.alloc(0) : bytes
  }

  #read(bytes: Buffer): Line[] {
    const valid = isUtf8(bytes)
    const lines: Line[] = []
    // Only bytes that were decoded losslessly give back each line's own bytes, so the rest is read as latin1.
    for (const raw of bytes.toString(valid ? 'utf8' : 'latin1').split(this.#end)) lines.push(this.#line(raw, valid))
    return lines
  }

  #line(raw: string, valid: boolean): Line {
    const number = this.#number
    this.#number += 1
    const dropped = this.#dropping
    this.#dropping = false
    if (dropped || isTooLong(raw)) return { number, text: '', crlf: false, problem: TOO_LONG }
    const crlf = raw.endsWith('\r')
    const text = crlf ? raw.slice(0, -1) : raw
    if (valid) return { number, text, crlf }
    const bytes = Buffer.from(text, 'latin1')
    return isUtf8(bytes)
      ? { number, text: bytes.toString('utf8'), crlf }
      : { number, text: '', crlf, problem: NOT_UTF8 }
  }
}

function isTooLong(text: string): boolean {
  return 3 * text.length > MAX_LINE_BYTES && Buffer.byteLength(text) > MAX_LINE_BYTES
}
