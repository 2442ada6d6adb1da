import { createReadStream } from 'node:fs'
import { DataferryError, systemCode } from '../errors.ts'
import { refusedBytes } from './refused-forms.ts'

/** Bytes that are looked at to detect the format. */
const HEAD_BYTES = 64 * 1024

/** A manifest whose reading has begun. */
export interface SourceText {
  /** Its beginning, decoded. */
  readonly head: string
  /** All of it in UTF-8, without byte order mark. Can be read once. */
  readonly bytes: AsyncIterable<Uint8Array>
  /** Why it cannot be a manifest, and what to do. */
  readonly refused: string | undefined
}

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be'

/**
 * Begins to read a manifest. Removes byte order marks; UTF-16 with its mark, which spreadsheets write as
 * "Unicode text", becomes UTF-8. Rejects with `MANIFEST_INVALID` when the source cannot be read.
 * @param source a path, or bytes such as those of standard input; a path's file is closed when `bytes` ends or is left
 */
export async function openText(source: string | AsyncIterable<Uint8Array>, name: string): Promise<SourceText> {
  const chunks = readChunks(source, name)
  const first: Uint8Array[] = []
  let length = 0
  while (length < HEAD_BYTES) {
    const next = await chunks.next()
    if (next.done) break
    first.push(next.value)
    length += next.value.length
  }
  const start = Buffer.concat(first)
  const encoding = encodingOf(start)
  const refused = encoding === 'utf-8' ? refusedBytes(start) : undefined
  const head = new TextDecoder(encoding).decode(start.subarray(0, HEAD_BYTES))
  return { head, refused, bytes: inUtf8(joined(start, chunks), encoding) }
}

async function* readChunks(source: string | AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array, void> {
  try {
    // Copied, as a source may use its buffer again while the beginning is still kept here.
    for await (const chunk of typeof source === 'string' ? fileBytes(source) : source) yield Uint8Array.from(chunk)
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined) throw error
    const message = `${name}: the manifest cannot be read (${code}): check its path and permissions`
    throw new DataferryError('MANIFEST_INVALID', message, { cause: error })
  }
}

async function* fileBytes(path: string): AsyncIterable<Uint8Array> {
  const stream: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: HEAD_BYTES })
  yield* stream
}

async function* joined(start: Uint8Array, rest: AsyncGenerator<Uint8Array, void>): AsyncIterable<Uint8Array> {
  try {
    yield start
    yield* rest
  } finally {
    // Also closes the file for a caller that leaves during the first part.
    await rest.return()
  }
}

function encodingOf(start: Uint8Array): Encoding {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le'
  return start[0] === 0xfe && start[1] === 0xff ? 'utf-16be' : 'utf-8'
}

async function* inUtf8(bytes: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncIterable<Uint8Array> {
  if (encoding === 'utf-8') {
    yield* withoutMark(bytes)
    return
  }
  const decoder = new TextDecoder(encoding)
  for await (const chunk of bytes) yield Buffer.from(decoder.decode(chunk, { stream: true }))
  yield Buffer.from(decoder.decode())
}

async function* withoutMark(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let begun = false
  for await (const chunk of bytes) {
    const marked = !begun && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf
    begun = true
    yield marked ? chunk.subarray(3) : chunk
  }
}
