import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataferryError } from '../../errors.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { openBag } from '../bagit/bag-source.ts'
import { packPath, putKey, type PackTarget } from './write-pack.ts'

/**
 * Whether a bag or crate is there: what shows under its name is whole, and was made of the same in the same way. A store remembers
 * that of every object, on a disk the bag or crate says so itself. Rejects with `SINK_EXISTS` when something else has the name.
 */
export async function isWritten(name: string, target: PackTarget): Promise<boolean> {
  const { sink, serialization, marker, signal } = target
  const path = packPath(name, serialization)
  const shown = serialization === 'folder' ? `${path}/${marker}` : path
  const key = putKey(shown, target)
  const found = await sink.stat(shown, key, signal)
  if (!found) return false
  const isSame = sink.url.startsWith('file:') ? await isStamped(path, target) : found.key === key
  if (isSame) return true
  const message = `${shownUrl(sink.url)}/${path} is there, and is something else, or was made with other flags or of other files.`
  throw new DataferryError('SINK_EXISTS', message, { advice: 'Move it away, or give another place with --to.' })
}

/** Bytes from the beginning of a file in which its stamp stands. */
const STAMP_WITHIN = 64 * 1024

async function isStamped(path: string, { sink, stamp, stamped }: PackTarget): Promise<boolean> {
  try {
    await using pack = await openBag(join(fileURLToPath(sink.url), path))
    let text = ''
    for await (const chunk of (await pack.read(stamped)) ?? []) {
      text += Buffer.from(chunk).toString('latin1')
      if (text.length >= STAMP_WITHIN) break
    }
    return text.includes(stamp)
  } catch (error) {
    // What cannot be opened is something else.
    if (error instanceof DataferryError) return false
    throw error
  }
}
