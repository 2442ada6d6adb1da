import { createHash, hash } from 'node:crypto'
import { LIST, type RecordSum } from '../../batch/record-sums.ts'
import { DataferryError } from '../../errors.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { inMemory, type PackEntry, type Serialization } from '../../proof/pack/pack-entry.ts'
import { packPath, tidy, writePack, type PackTarget } from '../../proof/pack/write-pack.ts'
import { storedTree, wholeFile } from '../../proof/tree.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import type { Sums } from './check-statement.ts'
import { openTarget } from './open-target.ts'
import type { Subject } from './statement-subject.ts'

export interface Stated {
  readonly subject: Subject
  readonly sums: Sums
}

/** Copies the statement with every record that it names. @returns where to */
export async function copyTo(
  context: Context,
  serialization: Serialization,
  from: Sink,
  { subject: { folder, name }, sums }: Stated,
): Promise<string> {
  const { signal } = context
  const { records } = from
  const to = await openTarget(context, from)
  try {
    const path = packPath(name, serialization)
    const place = `${shownUrl(to.url)}/${path}`
    const seals = await sealsOf((file) => records.read(`${folder}/${file}`))
    const there =
      serialization === 'folder' ? await sealsOf((file) => readAt(to, `${path}/${file}`, signal)) : [undefined]
    const isFile = serialization !== 'folder' && (await to.stat(path, KEY, signal)) !== undefined
    if (isFile || there.some((bytes) => bytes !== undefined)) {
      if (seals.every((bytes, at) => Buffer.from(bytes ?? []).equals(there[at] ?? Buffer.from([])))) return place
      throw new DataferryError('SINK_EXISTS', `${place} is there, and is another statement.`, {
        advice: 'Move it away, or give another place with --to.',
      })
    }
    const stamp = hash('sha256', Buffer.concat(seals.map((bytes) => bytes ?? new Uint8Array()))).slice(0, 32)
    const target: PackTarget = { sink: to, serialization, marker: LIST, stamp, stamped: LIST, now: new Date(), signal }
    await writePack(name, entriesOf(records, folder, sums, seals), target)
    return place
  } finally {
    await tidy(to)
  }
}

/** For looks at paths that belong to no batch. */
const KEY = 'statement-0'
/** What a statement has besides the records that its list names; the list last. */
const SEALS = ['allowed_signers', `${LIST}.sig`, LIST]

async function sealsOf(
  read: (file: string) => Promise<Uint8Array | undefined>,
): Promise<readonly (Uint8Array | undefined)[]> {
  const seals: (Uint8Array | undefined)[] = []
  for (const file of SEALS) seals.push(await read(file))
  return seals
}

async function readAt(sink: Sink, path: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const chunks = await storedTree(sink, KEY, signal).read(path)
  return chunks && wholeFile(chunks)
}

// eslint-disable-next-line @typescript-eslint/require-await -- their bytes are read with awaits
async function* entriesOf(
  records: Records,
  folder: string,
  sums: Sums,
  seals: readonly (Uint8Array | undefined)[],
): AsyncGenerator<PackEntry, void> {
  for (const sum of sums.values()) {
    yield { path: sum.name, size: sum.size, chunks: listedBytes(records, folder, sum) }
  }
  for (const [at, path] of SEALS.entries()) {
    const bytes = seals[at]
    if (bytes) yield { path, size: bytes.length, chunks: inMemory(bytes) }
  }
}

/** The bytes of a record. Rejects with `CHECKSUM_MISMATCH` where they are not, or no longer, those that the list names. */
async function* listedBytes(records: Records, folder: string, { name, sha256 }: RecordSum): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of records.streamLog(`${folder}/${name}`, 0)) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') === sha256) return
  throw new DataferryError('CHECKSUM_MISMATCH', `.dataferry/${folder}/${name} was changed while it was copied.`, {
    advice: 'See with the same command and --check, without --to and --sign, what does not fit.',
  })
}
