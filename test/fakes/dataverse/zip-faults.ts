import type { FaultStep } from './faults.ts'

/** What a step does to the bytes of an archive, if it does: the other steps are about how an answer goes out. */
export function spoiledArchive(pieces: Pieces, step: FaultStep): AsyncIterable<Uint8Array> | undefined {
  if (step.kind === 'flip') {
    return step.entries ? flippedEntries(pieces, new Set(step.entries)) : flippedAt(pieces, step.at ?? DEFAULT_PLACE)
  }
  return step.kind === 'early-end' && step.entries !== undefined ? firstEntries(pieces, step.entries) : undefined
}

/** An archive as its writer makes it: every header, and every descriptor behind an entry's bytes, is a piece of its own. */
type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Nobody knows the length of an archive, and so its middle. */
const DEFAULT_PLACE = 4096

async function* flippedAt(pieces: Pieces, at: number): AsyncGenerator<Uint8Array> {
  let position = 0
  for await (const piece of pieces) {
    const within = at - position
    yield within >= 0 && within < piece.length ? flipped(piece, within) : piece
    position += piece.length
  }
}

async function* flippedEntries(pieces: Pieces, entries: ReadonlySet<number>): AsyncGenerator<Uint8Array> {
  let file = -1
  let done = true
  for await (const piece of pieces) {
    if (isFileHeader(piece)) {
      file += 1
      done = !entries.has(file)
      yield piece
    } else if (done || piece.length === 0) yield piece
    else {
      done = true
      yield flipped(piece, piece.length >> 1)
    }
  }
}

async function* firstEntries(pieces: Pieces, count: number): AsyncGenerator<Uint8Array> {
  let files = 0
  for await (const piece of pieces) {
    if (isFileHeader(piece) && (files += 1) > count) return
    yield piece
  }
}

function isFileHeader(piece: Uint8Array): boolean {
  const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
  if (bytes.length < 31 || bytes.readUInt32LE(0) !== 0x04034b50) return false
  return bytes.length === 30 + bytes.readUInt16LE(26) && bytes.at(-1) !== 0x2f
}

function flipped(piece: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(piece)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
