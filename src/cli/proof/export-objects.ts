import { DataferryError } from '../../errors.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { DatasetVersion, Holding } from '../../proof/holding.ts'
import { MISSING_FILE, missingProblem, missingText } from '../../proof/missing-problem.ts'
import { ADDRESSING, type Addressing } from '../../proof/ocfl/inventory.ts'
import { LAYOUT_NAMES, layoutNamed, type Layout } from '../../proof/ocfl/layout.ts'
import { openStorageRoot, type StorageRoot } from '../../proof/ocfl/storage-root.ts'
import { writeVersion, type OcflOptions, type Written } from '../../proof/ocfl/write-version.ts'
import { heldIn } from '../../proof/verified-bytes.ts'
import type { Context, ExitCode } from '../command.ts'
import { formatBytes, plural } from '../../model/format.ts'
import { handOnOne, tellLeft, withHandingOn, type HandedOn, type HandingOn, type Seen } from './hand-on-frame.ts'
import { holdingsOf } from './holdings.ts'
import { readHandOn } from './read-hand-on.ts'

/** `dataferry export ocfl WHAT`: 0 every version is in its object, 1 some could not be added. */
export async function exportObjects(context: Context, what: string): Promise<ExitCode> {
  const { signal, out } = context
  const request = readHandOn(context, what)
  const { layout, options } = readOptions(context)
  return withHandingOn(context, request, async (places) => {
    const { from, to } = places
    const root = await openStorageRoot({ sink: to, folder: '', layout, signal })
    const counts = { written: 0, there: 0, older: 0, refused: 0 }
    for await (const holding of holdingsOf({ sink: from, what, per: 'dataset', signal })) {
      tellLeft(context, holding)
      const writing = { ...places, root, options }
      counts[await handOnOne(context, 'version', (seen) => writeOne(context, writing, holding, seen))]++
    }
    out.record({ event: 'objects', from: from.url, to: to.url, ...counts })
    const parts = [
      `${plural(counts.written, 'version')} written`,
      ...(counts.there > 0 ? [`${counts.there} there already`] : []),
      ...(counts.older > 0 ? [`${counts.older} older than what is there`] : []),
      ...(counts.refused > 0 ? [`${counts.refused} could not be written`] : []),
    ]
    const isAll = counts.refused + counts.older === 0
    out.paragraph(`${shownUrl(to.url)}: ${parts.join(', ')}`, isAll ? 'good' : 'bad')
    return isAll ? 0 : 1
  })
}

interface Writing extends HandingOn {
  readonly root: StorageRoot
  readonly options: OcflOptions
}

async function writeOne(
  { has, signal }: Context,
  { root, gatherer, from, to, options }: Writing,
  holding: Holding,
  seen: Seen,
): Promise<HandedOn<Written>> {
  const { dataset } = holding
  if (!isOfDataset(holding) || !dataset) {
    throw new DataferryError(
      'BAG_REFUSED',
      `${holding.name} has files of which no dataset is known: no object was made.`,
    )
  }
  const problem = has('allow-missing') ? undefined : missingProblem(holding)
  if (problem !== undefined) throw new DataferryError('BAG_REFUSED', `${holding.name} was not written: ${problem}.`)
  const metadata = new Map(await gatherer.of(holding))
  if (holding.missing.length > 0) metadata.set(MISSING_FILE, Buffer.from(missingText(holding)))
  const { onFile } = seen
  const state = await writeVersion(root, { holding, metadata, read: heldIn(from, signal), onFile }, options)
  const path = `${shownUrl(to.url)}/${root.layout.pathOf(dataset.pid)}`
  const { files, bytes } = seen
  const record = { event: 'object', dataset: dataset.pid, version: dataset.number, path, files, bytes }
  return { state, record, text: textOf(dataset, path, state, seen) }
}

function isOfDataset(holding: Holding): holding is Holding & { readonly dataset: DatasetVersion } {
  return holding.dataset !== undefined
}

function textOf(
  { pid, number = '' }: DatasetVersion,
  place: string,
  written: Written,
  { files, bytes }: { readonly files: number; readonly bytes: number },
): string {
  const what = `${pid} ${number}`.trim()
  if (written === 'there') return `${what}: there already`
  if (written === 'older') return `${what}: left out, since its object has a newer version and not this one`
  return `${what}: ${plural(files, 'file')}, ${formatBytes(bytes)}, in ${place}`
}

/** Reads the flags of this form. Throws `ARGUMENT_INVALID`. */
function readOptions({ text, config, signal }: Context): {
  readonly layout: Layout | undefined
  readonly options: OcflOptions
} {
  const name = text('layout')
  const layout = name === undefined ? undefined : layoutNamed(name)
  if (name !== undefined && !layout) {
    throw new DataferryError('ARGUMENT_INVALID', `--layout ${name} is none of ${LAYOUT_NAMES.join(', ')}.`)
  }
  const user = objectUser(config)
  return { layout, options: { algorithm: algorithmOf(text('algorithm')), user, now: new Date(), signal } }
}

/** Whom objects name as the one who made their versions. */
export function objectUser({ settings }: Context['config']): OcflOptions['user'] {
  const { sourceOrganization, organizationEmail } = settings
  const address = organizationEmail === undefined ? undefined : `mailto:${organizationEmail}`
  return { name: sourceOrganization ?? 'dataferry', ...(address !== undefined && { address }) }
}

function algorithmOf(text = 'sha512'): Addressing {
  const algorithm = ADDRESSING.find((one) => one === text)
  if (algorithm) return algorithm
  throw new DataferryError('ARGUMENT_INVALID', `--algorithm ${text} is none of ${ADDRESSING.join(', ')}.`)
}
