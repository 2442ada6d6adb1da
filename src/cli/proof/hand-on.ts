import { hash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { DataferryError } from '../../errors.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Holding, HoldingFile } from '../../proof/holding.ts'
import { OreFiles, withOre } from '../../proof/ore-files.ts'
import type { PackEntry, Serialization } from '../../proof/pack/pack-entry.ts'
import { isWritten } from '../../proof/pack/is-written.ts'
import { packPath, writePack, type PackTarget } from '../../proof/pack/write-pack.ts'
import { heldIn, type ReadHeld } from '../../proof/verified-bytes.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { formatBytes, plural } from '../../model/format.ts'
import type { MetadataGatherer } from './gather-metadata.ts'
import { handOnOne, tellLeft, withHandingOn, type HandedOn, type Seen } from './hand-on-frame.ts'
import { holdingsOf } from './holdings.ts'

/** What the flags say of every form in which data is handed on. */
export interface HandOnRequest {
  readonly what: string
  readonly from: string
  readonly per: 'dataset' | 'batch'
  readonly serialization: Serialization
  readonly link: boolean
  readonly offline: boolean
}

/** What is to be packed of a holding. */
export interface Subject {
  readonly holding: Holding
  /** By file name. */
  readonly metadata: ReadonlyMap<string, Uint8Array>
  readonly read: ReadHeld
  readonly onFile: (file: HoldingFile) => void
  readonly now: Date
  /** Stands for what it is made of, and how: it is to be in the file that `Form#stamped` names. */
  readonly stamp: string
}

/** A form in which data is handed on. */
export interface Form {
  readonly noun: 'bag' | 'crate'
  /** The file without which it is none; it comes last. */
  readonly marker: PackTarget['marker']
  readonly stamped: string
  readonly allowMissing: boolean
  /** What else the flags say of how it is made, as JSON has it. */
  readonly how: unknown
  /** All of it, read once. Rejects with `BAG_REFUSED` before the first entry where it cannot be made. */
  entries(subject: Subject): AsyncIterable<PackEntry>
}

/** Packs each holding in a form: 0 every one is there, 1 some could not be made. */
export async function handOn(context: Context, request: HandOnRequest, form: Form): Promise<ExitCode> {
  const { signal, out } = context
  const { what, per, serialization } = request
  return withHandingOn(context, request, async ({ from, to, gatherer }) => {
    const linkFrom = request.link ? folderToLink(from, to) : undefined
    const { marker, stamped } = form
    const target = { sink: to, serialization, marker, stamped, linkFrom, now: new Date(), signal }
    const counts = { written: 0, there: 0, refused: 0 }
    for await (const holding of holdingsOf({ sink: from, what, per, signal })) {
      tellLeft(context, holding)
      const packing = { form, from, target, gatherer }
      counts[await handOnOne(context, form.noun, (seen) => packOne(context, packing, holding, seen))]++
    }
    out.record({ event: `${form.noun}s`, from: from.url, to: to.url, ...counts })
    const parts = [
      `${plural(counts.written, form.noun)} written`,
      ...(counts.there > 0 ? [`${counts.there} there already`] : []),
      ...(counts.refused > 0 ? [`${counts.refused} could not be made`] : []),
    ]
    out.paragraph(`${shownUrl(to.url)}: ${parts.join(', ')}`, counts.refused === 0 ? 'good' : 'bad')
    return counts.refused === 0 ? 0 : 1
  })
}

interface Packing {
  readonly form: Form
  readonly from: Sink
  readonly target: Omit<PackTarget, 'stamp'>
  readonly gatherer: MetadataGatherer
}

/** The same for the same version of a dataset without the same files, made in the same way. */
function stampOf({ noun, allowMissing, how }: Form, { name, dataset, missing }: Holding): string {
  const { pid, server, number } = dataset ?? {}
  const without = allowMissing ? missing.map(({ path }) => path) : []
  return hash('sha256', JSON.stringify([noun, how, name, pid?.toLowerCase(), server, number, without])).slice(0, 32)
}

async function packOne(
  { signal }: Context,
  { form, from, target: all, gatherer }: Packing,
  holding: Holding,
  seen: Seen,
): Promise<HandedOn<'written' | 'there'>> {
  const { name } = holding
  const target = { ...all, stamp: stampOf(form, holding) }
  const place = `${shownUrl(target.sink.url)}/${packPath(name, target.serialization)}`
  const record = { event: form.noun, path: place }
  if (await isWritten(name, target)) return { state: 'there', record, text: `${place}: there already` }
  const metadata = await gatherer.of(holding)
  const files = withOre(holding.files, new OreFiles(metadata.get('oai-ore.jsonld')))
  const { now, stamp } = target
  const { onFile } = seen
  const subject = { holding: { ...holding, files }, metadata, read: heldIn(from, signal), onFile, now, stamp }
  await writePack(name, form.entries(subject), target)
  const { files: count, bytes } = seen
  const text = `${place}: ${plural(count, 'file')}, ${formatBytes(bytes)}`
  return { state: 'written', record: { ...record, files: count, bytes }, text }
}

function folderToLink(from: Sink, to: Sink): string {
  if (from.url.startsWith('file:') && to.url.startsWith('file:')) return fileURLToPath(from.url)
  throw new DataferryError(
    'ARGUMENT_INVALID',
    '--link needs the data and what is made of it in folders of this machine.',
  )
}
