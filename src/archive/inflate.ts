import { createInflateRaw, inflateRawSync, type InflateRaw } from 'node:zlib'
import type { ByteReader } from './byte-reader.ts'
import { asDamage, damaged } from './damage.ts'

/** Compressed bytes given to zlib at once: the most that may have to be pushed back. */
const PIECE = 64 * 1024
/** Up to this many unpacked bytes an entry is inflated in one go: a few hundred microseconds of work. */
const AT_ONCE = 256 * 1024

/**
 * Unpacks one deflate stream and leaves the reader exactly after its last byte, wherever that is in a chunk; after a
 * damaged one, where the last piece that could not be unpacked began.
 * With `length`, the stream must fill that many bytes exactly. Rejects with `ZIP_DAMAGED`, or what the source rejects with.
 * The caller reads to the end, or closes the reader: after leaving early its place is undefined.
 */
export async function* inflate(reader: ByteReader, length?: number): AsyncGenerator<Uint8Array> {
  const start = reader.position
  const whole = await inflateAtOnce(reader, length ?? Infinity)
  if (!whole) yield* inflateInPieces(reader, length ?? Infinity)
  else if (whole.length > 0) yield whole
  if (length !== undefined && reader.position !== start + length) {
    throw damaged(`The packed bytes at ${start} of the archive end too early.`)
  }
}

/**
 * Unpacks a small stream that has arrived whole, at a tenth of the cost of a Node.js stream.
 * @returns undefined when it has not, is too long or is damaged, with the reader where it was: reading in pieces will decide.
 */
async function inflateAtOnce(reader: ByteReader, length: number): Promise<Uint8Array | undefined> {
  const piece = await reader.some(Math.min(length, PIECE))
  if (!piece) return undefined
  try {
    const options = { info: true, chunkSize: PIECE, maxOutputLength: AT_ONCE }
    // With `info` zlib also returns its engine, which the types do not know.
    const { buffer, engine } = inflateRawSync(piece, options) as unknown as { buffer: Buffer; engine: InflateRaw }
    reader.giveBack(piece.length - engine.bytesWritten)
    return buffer
  } catch {
    reader.giveBack(piece.length)
    return undefined
  }
}

async function* inflateInPieces(reader: ByteReader, length: number): AsyncGenerator<Uint8Array> {
  const start = reader.position
  const engine = createInflateRaw({ chunkSize: PIECE })
  const fed = feed(reader, engine, length)
  try {
    for await (const chunk of engine) yield chunk as Uint8Array // the only type that zlib emits
    await fed
  } catch (error) {
    engine.destroy()
    // A search for the next record must start exactly behind it.
    await fed
    throw asDamage(error, `The packed bytes at ${start} of the archive cannot be unpacked`)
  } finally {
    engine.destroy()
  }
}

/** Feeds pieces to the engine until it leaves some unread, which is how zlib signals the end of the stream. */
async function feed(reader: ByteReader, engine: InflateRaw, length: number): Promise<void> {
  try {
    for (let left = length; left > 0;) {
      const piece = await reader.some(Math.min(left, PIECE))
      if (!piece) break
      const before = engine.bytesWritten
      if (!(await write(engine, piece))) {
        reader.giveBack(piece.length)
        return
      }
      const unread = piece.length - (engine.bytesWritten - before)
      if (unread > 0) {
        reader.giveBack(unread)
        return
      }
      left -= piece.length
    }
    // At the end of the input: fine when the deflate stream ends here too, else "unexpected end of file".
    engine.end()
  } catch (error) {
    engine.destroy(error instanceof Error ? error : new Error(String(error)))
  }
}

/** @returns false when the engine could not read it, or was abandoned */
function write(engine: InflateRaw, piece: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    const onClose = (): void => resolve(false)
    engine.once('close', onClose)
    engine.write(piece, (error) => {
      engine.off('close', onClose)
      resolve(!error)
    })
  })
}
