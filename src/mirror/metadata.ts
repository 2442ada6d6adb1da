import { createHash } from 'node:crypto'
import type { FoundDataset, MirrorSource } from '../model/mirror-source.ts'
import type { Records } from '../sinks/sink.ts'
import { names, type MirrorOrder } from './order.ts'
import type { HeldVersion } from './state.ts'

/** What a look at a dataset needs. */
export interface LookOptions {
  readonly order: MirrorOrder
  readonly source: MirrorSource
  readonly records: Records
  readonly now: Date
  /** Whether files that were withheld are asked for again, whatever the calendar says. */
  readonly asksAgain: boolean
  /** Whether metadata is kept on the way. */
  readonly keeps: boolean
  /** Whether guestbooks are answered: then what stood behind one is asked for again. */
  readonly answers: boolean
  readonly signal: AbortSignal
}

/** Forms that a server exports, by its names for them, and the files that they are kept in. */
const EXPORTS: readonly (readonly [exporter: string, file: string])[] = [
  ['OAI_ORE', 'oai-ore.jsonld'],
  ['Datacite', 'datacite.xml'],
  ['ddi', 'ddi.xml'],
  ['schema.org', 'schema-org.json'],
  ['croissant', 'croissant.json'],
]
const EXPORTED_FILES = EXPORTS.map(([, file]) => file)
/** The version's own JSON. */
export const OWN_FORM = 'dataset.json'

interface Subject {
  readonly found: FoundDataset
  readonly folder: string
  readonly versions: readonly HeldVersion[]
  /** Id of the newest version: the only one that is exported. */
  readonly newest: number
  /** Versions as they were held, by id. */
  readonly known: ReadonlyMap<number, HeldVersion>
}

interface Kept {
  readonly versions: readonly HeldVersion[]
  /** Numbers of versions whose metadata is not what it was. */
  readonly changed: readonly string[]
  /** An export of the newest version was not there yet. */
  readonly again: boolean
}

/**
 * Keeps the metadata of versions that are new or were changed: the version's own JSON, and of the newest one what the server
 * exports. An export is kept only if the version that it names is the newest: for a while after a release the server still has
 * the one before.
 */
export async function keepMetadata(options: LookOptions, subject: Subject): Promise<Kept> {
  const { order, keeps } = options
  if (order.metadata === 'none' || !keeps) return { versions: subject.versions, changed: [], again: false }
  const versions: HeldVersion[] = []
  const changed: string[] = []
  let again = false
  for (const version of subject.versions) {
    const before = subject.known.get(version.id)
    if (version.past || version.withdrawn) {
      versions.push(version)
      continue
    }
    const isNew = before === undefined || isChanged(before, version) || before.metadata === undefined
    const metadata: Record<string, string> = isNew ? {} : { ...before.metadata }
    if (isNew) metadata[OWN_FORM] = await own(options, subject, version)
    if (order.metadata === 'all' && version.id === subject.newest) {
      again = !(await keepExports(options, subject, version, metadata))
    }
    if (before?.metadata && before.metadata[OWN_FORM] !== metadata[OWN_FORM]) changed.push(version.number)
    versions.push({ ...version, metadata })
  }
  return { versions, changed, again }
}

async function own(options: LookOptions, subject: Subject, { number }: HeldVersion): Promise<string> {
  const { source, signal } = options
  return keep(options, subject, number, OWN_FORM, await source.metadata(subject.found.id, number, signal))
}

/** @returns whether there is nothing more to wait for */
async function keepExports(
  options: LookOptions,
  subject: Subject,
  { number }: HeldVersion,
  metadata: Record<string, string>,
): Promise<boolean> {
  const { source, signal } = options
  const open = EXPORTED_FILES.filter((file) => metadata[file] === undefined)
  const { pid } = subject.found
  let complete = true
  for await (const { file, bytes } of exportsOf(source, { pid, number }, open, signal)) {
    if (bytes) metadata[file] = await keep(options, subject, number, file, bytes)
    else complete = false
  }
  return complete
}

/**
 * What a server exports of the newest version, form by form: those that it refuses are left out, and of those that are still of
 * another version the bytes.
 */
export async function* exportsOf(
  source: Pick<MirrorSource, 'export'>,
  { pid, number }: { readonly pid: string; readonly number: string },
  files: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<{ readonly file: string; readonly bytes: Uint8Array | undefined }, void> {
  const open = EXPORTS.filter(([, file]) => files.includes(file))
  if (open.length === 0) return
  // Forms that name the major number alone are trusted when the one that names both has come as far.
  const witness = number.endsWith('.0') ? number : (await source.export(pid, 'dataverse_json', signal))?.version
  for (const [exporter, file] of open) {
    const exported = await source.export(pid, exporter, signal)
    // One that the server refuses is asked for again when the dataset is looked at again.
    if (exported) yield { file, bytes: isOf(exported.version, number, witness) ? exported.bytes : undefined }
  }
}

function isOf(named: string | undefined, number: string, witness: string | undefined): boolean {
  if (named === undefined || named.includes('.')) return named === number
  return named === number.split('.', 1)[0] && witness === number
}

async function keep(
  { records, order }: LookOptions,
  { folder }: Subject,
  version: string,
  file: string,
  bytes: Uint8Array,
): Promise<string> {
  await records.write(names.metadata(order.name, folder, version, file), bytes)
  return createHash('sha256').update(bytes).digest('hex')
}

function isChanged(before: HeldVersion, now: HeldVersion): boolean {
  return before.lastUpdateTime !== now.lastUpdateTime || before.counter !== now.counter || before.number !== now.number
}
