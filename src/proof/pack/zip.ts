import { PassThrough, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import type { PackEntry } from './pack-entry.ts'

/**
 * Packs entries into one file, in a folder of its name. Files are stored as they are: most payloads do not get smaller, and a
 * stored one can be read by itself.
 */
export async function* zipOf(name: string, entries: AsyncIterable<PackEntry>, now: Date): AsyncGenerator<Uint8Array> {
  const zip = new ZipFile()
  const output = zip.outputStream.pipe(new PassThrough())
  let current: Readable | undefined
  const feed = async (): Promise<void> => {
    for await (const { path, size, chunks } of entries) {
      if (path.endsWith('/')) {
        zip.addEmptyDirectory(`${name}/${path}`, { mtime: now })
        continue
      }
      current = Readable.from(chunks, { objectMode: false })
      const read = finished(current)
      zip.addReadStream(current, `${name}/${path}`, { size, mtime: now, compress: false })
      await read
    }
    zip.end()
  }
  const stop = (error: unknown): void => void output.destroy(error instanceof Error ? error : new Error(String(error)))
  zip.on('error', stop)
  const feeding = feed()
  feeding.catch(stop)
  try {
    for await (const chunk of output) if (chunk instanceof Uint8Array) yield chunk
    await feeding
  } finally {
    current?.destroy()
    output.destroy()
    await feeding.catch(() => undefined)
  }
}
