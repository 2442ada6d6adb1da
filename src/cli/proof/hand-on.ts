import { hash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { every } from '../../async/every.ts'
import { DataferryError } from '../../errors.ts'
import { NO_PROGRESS } from '../../model/progress-snapshot.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Holding, HoldingFile } from '../../proof/holding.ts'
import { oreFiles, withOre } from '../../proof/ore-files.ts'
import type { PackEntry, Serialization } from '../../proof/pack/pack-entry.ts'
import { isWritten } from '../../proof/pack/is-written.ts'
import { packPath, tidy, writePack, type PackTarget } from '../../proof/pack/write-pack.ts'
import { heldIn, type ReadHeld } from '../../proof/verified-bytes.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { isWithin, openDestination } from '../destination.ts'
import { reportError } from '../failure.ts'
import { formatBytes, plural } from '../../model/format.ts'
import { startProgress } from '../terminal/progress.ts'
import { MetadataGatherer } from './gather-metadata.ts'
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
  readonly marker: string
  readonly stamped: string
  readonly allowMissing: boolean
  /** What else the flags say of how it is made, as JSON has it. */
  readonly how: unknown
  /** All of it, read once. Rejects with `BAG_REFUSED` before the first entry where it cannot be made. */
  entries(subject: Subject): AsyncIterable<PackEntry>
}

/** Packs each holding in a form: 0 every one is there, 1 some could not be made. */
export async function handOn(context: Context, request: HandOnRequest, form: Form): Promise<ExitCode> {
  const { config, signal, out } = context
  const { what, per, serialization } = request
  const from = await openDestination(config, request.from)
  const to = await openDestination(config)
  const gatherer = new MetadataGatherer(context, request.offline)
  try {
    refuseInside(from, to)
    const linkFrom = request.link ? folderToLink(from, to) : undefined
    const { marker, stamped } = form
    const target = { sink: to, serialization, marker, stamped, linkFrom, now: new Date(), signal }
    const counts = { written: 0, there: 0, refused: 0 }
    for await (const holding of holdingsOf({ sink: from, what, per, signal })) {
      counts[await packOne(context, { form, from, target, gatherer }, holding)]++
    }
    out.record({ event: `${form.noun}s`, from: from.url, to: to.url, ...counts })
    const parts = [
      `${plural(counts.written, form.noun)} written`,
      ...(counts.there > 0 ? [`${counts.there} there already`] : []),
      ...(counts.refused > 0 ? [`${counts.refused} could not be made`] : []),
    ]
    out.paragraph(`${shownUrl(to.url)}: ${parts.join(', ')}`, counts.refused === 0 ? 'good' : 'bad')
    return counts.refused === 0 ? 0 : 1
  } finally {
    await gatherer.close()
    await from.close()
    await tidy(to)
  }
}

interface Packing {
  readonly form: Form
  readonly from: Sink
  readonly target: Omit<PackTarget, 'stamp'>
  readonly gatherer: MetadataGatherer
}

const OF_ONE: readonly string[] = [
  'BAG_REFUSED',
  'OCFL_REFUSED',
  'CHECKSUM_MISMATCH',
  'SINK_FAILED',
  'SINK_BUSY',
  'SINK_EXISTS',
]

/** Whether an error is about one holding: the others can still be handed on. A server that cannot be asked is about all. */
export function isOfOne(error: unknown): error is DataferryError {
  if (!(error instanceof DataferryError)) return false
  return OF_ONE.includes(error.code) || (error.code.startsWith('SOURCE_') && error.remedy === 'fail')
}

/** The same for the same version of a dataset without the same files, made in the same way. */
function stampOf({ noun, allowMissing, how }: Form, { name, dataset, missing }: Holding): string {
  const { pid, server, number } = dataset ?? {}
  const without = allowMissing ? missing.map(({ path }) => path) : []
  return hash('sha256', JSON.stringify([noun, how, name, pid?.toLowerCase(), server, number, without])).slice(0, 32)
}

async function packOne(
  context: Context,
  { form, from, target: all, gatherer }: Packing,
  holding: Holding,
): Promise<'written' | 'there' | 'refused'> {
  const { out, signal, has } = context
  const { name } = holding
  const target = { ...all, stamp: stampOf(form, holding) }
  const place = `${shownUrl(target.sink.url)}/${packPath(name, target.serialization)}`
  const seen = { files: 0, bytes: 0 }
  const shown = showProgress(context, form.noun, seen)
  try {
    if (await isWritten(name, target)) {
      await shown.stop()
      out.result({ event: form.noun, state: 'there', path: place }, `${place}: there already`)
      return 'there'
    }
    const metadata = await gatherer.of(holding)
    const files = withOre(holding.files, oreFiles(metadata.get('oai-ore.jsonld')))
    const onFile = ({ size }: HoldingFile): void => {
      seen.files++
      seen.bytes += size
    }
    const subject = {
      holding: { ...holding, files },
      metadata,
      read: heldIn(from, signal),
      onFile,
      now: target.now,
      stamp: target.stamp,
    }
    await writePack(name, form.entries(subject), target)
  } catch (error) {
    await shown.stop()
    if (!isOfOne(error)) throw error
    reportError(error, out, has('verbose'))
    return 'refused'
  }
  await shown.stop()
  const text = `${place}: ${plural(seen.files, 'file')}, ${formatBytes(seen.bytes)}`
  out.result({ event: form.noun, state: 'written', path: place, ...seen }, text)
  return 'written'
}

const LOOK_MS = 200

/** Counts files and bytes until it is stopped. */
export function showProgress(
  { out, logsToTerminal }: Context,
  noun: string,
  seen: { readonly files: number; readonly bytes: number },
): { stop(): Promise<void> } {
  const shown = startProgress({ out, label: 'files', logsToTerminal })
  const look = (): void => {
    const { files, bytes } = seen
    shown.update({ ...NO_PROGRESS, phase: noun, planned: files, done: files, bytes, plannedBytes: bytes })
  }
  const timer = every(LOOK_MS, look, () => undefined)
  return {
    stop: async () => {
      await timer.stop()
      shown.stop()
    },
  }
}

/** A bag among the data would be taken for data. Throws `ARGUMENT_INVALID`. */
export function refuseInside(from: Pick<Sink, 'url'>, to: Pick<Sink, 'url'>): void {
  if (!isWithin(to.url, [from.url])) return
  throw new DataferryError('ARGUMENT_INVALID', '--to is the place of the data itself, or in it: give another one.')
}

function folderToLink(from: Sink, to: Sink): string {
  if (from.url.startsWith('file:') && to.url.startsWith('file:')) return fileURLToPath(from.url)
  throw new DataferryError(
    'ARGUMENT_INVALID',
    '--link needs the data and what is made of it in folders of this machine.',
  )
}
