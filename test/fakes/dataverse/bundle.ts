import { countDownload, denied, embargoed, retentionExpired } from './access.ts'
import type { Denial } from './access.ts'
import { bytes, type Content } from './content.ts'
import type { Context, Visit } from './context.ts'
import type { DataFile } from './datafile.ts'
import { mainForm, originalForm } from './form.ts'
import type { ArchiveEntry } from './zip-archive.ts'
import { archive } from './zip-archive.ts'
import { internalError, Refusal, thrown } from './reply.ts'
import type { Reply } from './reply.ts'

const BUFFER = 8192

class NoPhysicalFile extends Error {}
class NotAuthorized extends Error {}

/**
 * An archive as an answer: nothing is sent before 8 KiB are there, so that an early error is a proper one and a small
 * archive has a length; a later error ends the message as if it were whole (note §2.9, 2.10).
 */
export async function archiveReply(
  visit: Visit,
  name: string,
  entries: readonly ArchiveEntry[],
  context: Context,
): Promise<Reply> {
  const headers = {
    'Content-disposition': `attachment; filename="${name}"`,
    'Content-Type': `application/zip; name="${name}"`,
  }
  const stream = cutOff(archive(entries), context.settings.zipCutAfterBytes)
  const held: Uint8Array[] = []
  let length = 0
  try {
    while (length < BUFFER) {
      const next = await stream.next()
      if (next.done) return { status: 200, headers, body: { kind: 'bytes', data: Buffer.concat(held), pieces: held } }
      held.push(next.value)
      length += next.value.length
    }
  } catch (error) {
    if (error instanceof NotAuthorized) throw new Refusal(thrown(visit.call, 404))
    throw new Refusal(internalError(visit.call, error instanceof Error ? error.name : 'IOException'))
  }
  return { status: 200, headers, body: { kind: 'stream', chunks: after(held, stream) } }
}

async function* cutOff(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let left = limit === 0 ? Infinity : limit
  for await (const chunk of chunks) {
    yield chunk.length > left ? chunk.subarray(0, left) : chunk
    left -= chunk.length
    if (left <= 0) return
  }
}

async function* after(held: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* held
  yield* rest
}

/**
 * What goes into a multi-file archive and what its manifest says of it (Zipper, Access:1219-1417). A file counts as
 * downloaded when its turn comes, one that is over the limit, too.
 */
export function zipEntries(files: readonly DataFile[], visit: Visit, context: Context): readonly ArchiveEntry[] {
  const original = visit.call.query.get('format') === 'original'
  const lines: string[] = []
  const overLimit: DataFile[] = []
  const entries: ArchiveEntry[] = []
  const names = new Set<string>()
  let sum = 0
  for (const file of files) {
    const why = denied(file, visit.user, context)
    if (why === 'NOTAUTHORIZED' && !context.features.strict) {
      // Up to 6.9 such a file breaks the stream instead of being skipped.
      entries.push({
        name: file.label,
        open: () => {
          throw new NotAuthorized()
        },
      })
    } else if (why) lines.push(`${file.label} IS ${reason(file, why, context)} AND CANNOT BE DOWNLOADED`)
    else {
      const form = original && file.spec.store !== 'missing' ? originalForm(file) : mainForm(file)
      const size = original ? (file.tabular?.original.size ?? file.stored.size) : file.stored.size
      if (sum + size >= context.settings.zipLimit) {
        const told = `skipped because the total size of the download bundle exceeded the limit of ${context.settings.zipLimit} bytes.`
        lines.push(`${form.name} (${form.type})  ${told}`)
        overLimit.push(file)
        continue
      }
      sum += size
      const folder = file.directory.replace(/^\/+/, '')
      if (folder !== '' && !names.has(`${folder}/`)) entries.push(folderEntry(folder, names))
      const name = unique(folder === '' ? form.name : `${folder}/${form.name}`, names)
      lines.push(`${name} (${form.type}) ${form.content.size} bytes.`)
      const open = (): Content => {
        countDownload(file, visit)
        return opened(file, form.content, context)
      }
      entries.push({ name, open })
    }
  }
  const last = manifest(lines, names)
  const open = (): Content => {
    for (const file of overLimit) countDownload(file, visit)
    return last.open()
  }
  return [...entries, { ...last, open }]
}

/** Priority: embargo, retention, restriction, anything else. */
function reason(file: DataFile, why: Denial, context: Context): Denial {
  if (embargoed(file, context)) return 'EMBARGOED'
  return retentionExpired(file, context) ? 'RETENTIONEXPIRED' : why
}

function opened(file: DataFile, content: Content, context: Context): Content {
  if (file.spec.store === 'missing' || context.settings.storageAway) throw new NoPhysicalFile()
  return content
}

function folderEntry(folder: string, names: Set<string>): ArchiveEntry {
  names.add(`${folder}/`)
  return { name: `${folder}/`, open: () => bytes('') }
}

/** `_1`, `_2`, … before the last dot of the whole path (Zipper:237-251). */
function unique(name: string, names: Set<string>): string {
  let made = name
  for (let copy = 1; names.has(made); copy += 1) {
    const dot = name.lastIndexOf('.')
    made = dot < 0 ? `${name}_${copy}` : `${name.slice(0, dot)}_${copy}${name.slice(dot)}`
  }
  names.add(made)
  return made
}

function manifest(lines: readonly string[], names: ReadonlySet<string>): ArchiveEntry {
  let name = 'MANIFEST.TXT'
  while (names.has(name)) name = `0${name}`
  return { name, open: () => bytes(lines.map((line) => `${line}\r\n`).join('')) }
}

/** The order of a Java `HashMap<Long, …>`: by bucket; duplicates collapse (note §2.2). */
export function hashOrder(files: readonly DataFile[]): readonly DataFile[] {
  const distinct = [...new Map(files.map((file) => [file.id, file])).values()]
  let capacity = 16
  while (capacity * 0.75 < distinct.length) capacity *= 2
  const bucket = ({ id }: DataFile): number => {
    const folded = (id ^ Math.floor(id / 2 ** 32)) >>> 0
    return ((folded ^ (folded >>> 16)) >>> 0) & (capacity - 1)
  }
  return distinct.sort((a, b) => bucket(a) - bucket(b))
}
