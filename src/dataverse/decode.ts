import { Readable, pipeline, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { DataferryError, messageOf } from '../errors.ts'
import { header } from './http/headers.ts'
import type { Answer } from './installation.ts'

const DECODERS: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
])

/**
 * What the bytes of an answer are encoded with, in lower case; undefined when they are plain. No request asks for an
 * encoding, but objects keep the one they were stored with, whether true or not, and proxies add theirs.
 */
export function contentEncoding({ headers }: Pick<Answer, 'headers'>): string | undefined {
  const encoding = header(headers, 'content-encoding')?.trim().toLowerCase()
  // `aws-chunked` is what some uploads leave on an S3 object; the bytes are plain.
  return encoding === '' || encoding === 'identity' || encoding === 'aws-chunked' ? undefined : encoding
}

/**
 * The content of an answer without its encoding. Rejects as the body does, and with `CHECKSUM_MISMATCH` when the bytes
 * are not what their header says. Throws `SOURCE_UNEXPECTED` for an unknown encoding.
 */
export function decodedBody({ body, host, what }: Answer, encoding: string): AsyncIterable<Uint8Array> {
  const decoder = DECODERS.get(encoding)?.()
  if (!decoder) {
    const message = `${host} sent ${what} in an unrequested encoding that cannot be decoded (${encoding.slice(0, 40)}).`
    throw new DataferryError('SOURCE_UNEXPECTED', message, { status: 200 })
  }
  const notEncoded = (error: unknown): DataferryError => {
    const message = `${host} sent ${what} as ${encoding}, which it is not: ${messageOf(error)}.`
    return new DataferryError('CHECKSUM_MISMATCH', message, { cause: error })
  }
  return through(body.chunks(), decoder, notEncoded)
}

async function* through(
  chunks: AsyncIterable<Uint8Array>,
  decoder: Transform,
  translate: (error: unknown) => DataferryError,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failed: Error | null | undefined
  const decoded = pipeline(Readable.from(chunks, { objectMode: false }), decoder, (error) => {
    failed = error
  })
  try {
    for await (const chunk of decoded) if (chunk instanceof Uint8Array) yield chunk
  } catch (error) {
    const reason = failed ?? error
    throw reason instanceof DataferryError ? reason : translate(reason)
  } finally {
    decoded.destroy()
  }
}
