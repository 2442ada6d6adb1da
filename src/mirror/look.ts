import { createHash } from 'node:crypto'
import { basename } from 'node:path/posix'
import { isDay } from '../model/calendar.ts'
import type { ListedFile, MislistedFile } from '../model/listing.ts'
import type { FoundDataset, ReleasedVersion } from '../model/mirror-source.ts'
import { PathRegistry } from '../model/path-registry.ts'
import { fileFilter, type FileFilter } from '../plan/file-filter.ts'
import { originalName } from '../plan/file-item.ts'
import { published } from '../plan/promises.ts'
import { arrange, type Arrangement, type Wanted } from './arrange.ts'
import { fileChanges, type Change, type ShownFile } from './changes.ts'
import { isDescribedAnew, withSidecars } from './croissant.ts'
import { keepMetadata, type LookOptions } from './metadata.ts'
import { places } from './order.ts'
import { shownPath, versionFolder } from './shown-path.ts'
import { countsOf, isHeld, isShown, readFiles, type HeldFile, type HeldVersion, type MirroredDataset } from './state.ts'

const FORMAT = 'original'

/** What a look at a dataset has shown. */
export interface Looked {
  readonly dataset: MirroredDataset
  readonly changes: readonly Change[]
  /** Entries of its listings that cannot be files, one sentence each. */
  readonly mislisted: readonly string[]
  /** The guestbook of its files. */
  readonly guestbook?: number | undefined
  /** Absent: its files stay as they are. */
  readonly arrangement?: Arrangement
}

/** What a server lists of a dataset. */
interface Listed {
  readonly folder: string
  readonly versions: readonly HeldVersion[]
  /** The files of versions that were listed now, by the id of the version. */
  readonly listed: ReadonlyMap<number, readonly ListedFile[]>
  /** Numbers of versions whose withheld files are asked for again. */
  readonly asked: ReadonlySet<string>
}

/** Asks a server what became of a dataset, and finds what is to be done so that the mirror has the same. */
export class Looker {
  readonly #options: LookOptions
  readonly #filter: FileFilter

  constructor(options: LookOptions) {
    this.#options = options
    this.#filter = fileFilter(options.order.filters ?? {})
  }

  /**
   * @param old what is held of it; undefined: nothing yet
   * @param folder its folder at the destination
   * @param inFull list the files of its newest version whatever the versions say
   */
  async look(
    found: FoundDataset,
    old: MirroredDataset | undefined,
    folder: string,
    inFull: boolean,
  ): Promise<Looked | undefined> {
    const { source, order, records, signal, now, asksAgain, answers } = this.#options
    const released = await source.versions(found.id, signal)
    const [newest] = released
    // It was released a moment ago: what became of it is asked when it is not found any more.
    if (!newest) return undefined
    const mirrored = order.versions === 'all' ? released : [newest]
    const known = new Map(old?.versions.map((version) => [version.id, version]))
    const returned = old !== undefined && old.state !== 'current' && old.state !== 'linked'
    const isGuarded = old?.guarded === true && answers
    const isDue = returned || asksAgain || isGuarded || (old?.due !== undefined && isDay(old.due, now))
    const isListedAnew = isDue || old?.retry === true
    const listed = new Map<number, readonly ListedFile[]>()
    const versions: HeldVersion[] = []
    const mislisted: string[] = []
    /** Numbers of versions whose withheld files are asked for again. */
    const asked = new Set<string>()
    for (const version of mirrored) {
      const before = known.get(version.id)
      const isChanged = !before || changed(before, version)
      const isListed = isListedAnew || isChanged || (inFull && version === newest) || before.listing === undefined
      const files = isListed ? await collected(source.files(found.id, version.number, signal), mislisted) : undefined
      if (files) listed.set(version.id, files)
      const listing = files ? fingerprint(files) : before?.listing
      if (isDue || isChanged || listing !== before.listing) asked.add(version.number)
      versions.push({
        ...plain(version),
        listing,
        ...(before?.metadata && { metadata: before.metadata }),
      })
    }
    for (const version of old?.versions ?? []) {
      const isThere = released.some(({ id }) => id === version.id)
      if (order.versions === 'all' && !isThere) versions.push({ ...version, withdrawn: true })
      if (order.versions === 'latest' && version.id !== newest.id && version.metadata) {
        versions.push({ ...version, past: true })
      }
    }
    const metadata = await keepMetadata(this.#options, { found, folder, versions, newest: newest.id, known })
    const held = old ? await readFiles(records, order.name, found.id) : []
    const isSaidAnew = metadata.versions.some((version) => !isSaid(version, known.get(version.id)))
    // The one that was shown may have been withdrawn, and nothing else have changed.
    const isHeadAnew = old !== undefined && old.versions[0]?.id !== newest.id
    const arrangement =
      this.#arrangement(held, { folder, versions, listed, asked }) ??
      // An object has what is said of a version, too, and which is the newest.
      (order.layout === 'ocfl' && (isSaidAnew || isHeadAnew || old?.unstored)
        ? { files: held, moves: [], links: [], fetch: [] }
        : undefined)
    const files = arrangement?.files
    // Where files come or go, they are described once they are here.
    const isDescribed = !files && isDescribedAnew(metadata.versions, known)
    const described = { folder, versions: metadata.versions }
    const isUpToDate = found.seen === undefined || found.seen.versionId === newest.id
    const again = !isUpToDate || metadata.again || isFresh(newest, now)
    const dataset: MirroredDataset = {
      id: found.id,
      pid: found.pid,
      folder,
      state: 'current',
      ...((found.owner ?? old?.owner) !== undefined && { owner: found.owner ?? old?.owner }),
      ...(found.seen && isUpToDate && { seen: found.seen }),
      versions: isDescribed ? await withSidecars(records, order, described, held) : metadata.versions,
      files: files ? countsOf(files) : (old?.files ?? countsOf([])),
      ...(!files && old?.filesSha256 !== undefined && { filesSha256: old.filesSha256 }),
      ...due(listed, old, now),
      ...(again && { again: true as const }),
      ...(old?.guarded && { guarded: true as const }),
    }
    const changes = this.#changes(old, dataset, files, held, metadata.changed)
    const { guestbookId: guestbook } = newest
    return { dataset, changes, mislisted, guestbook, ...(arrangement && { arrangement }) }
  }

  /** The files of a dataset where any of them was listed anew. */
  #arrangement(held: readonly HeldFile[], { folder, versions, listed, asked }: Listed): Arrangement | undefined {
    if (listed.size === 0) return undefined
    const { order, now } = this.#options
    const wanted: Wanted[] = []
    const kept: HeldFile[] = []
    for (const version of versions.filter(({ past }) => !past)) {
      const files = listed.get(version.id)
      if (files) wanted.push(...this.#wanted(folder, version.number, files))
      else kept.push(...held.filter((file) => file.version === version.number && (isShown(file) || !isHeld(file))))
    }
    const isKept = new Set(kept)
    const asides = new Asides((version) => places.superseded(order.name, folder, version))
    for (const file of held) if (isHeld(file) && !isShown(file)) asides.add(file)
    const aside = ({ path, version }: HeldFile): string => asides.claim(version, this.#inDataset(path, folder, version))
    const arrangement = arrange(
      held.filter((file) => !isKept.has(file)),
      wanted,
      {
        aside,
        isDue: (missing, { version }) => missing.withheld !== true || asked.has(version),
        now: now.toISOString(),
        also: kept,
      },
    )
    return { ...arrangement, files: [...kept, ...arrangement.files] }
  }

  /** The files of a version that are wanted, each with its place. */
  #wanted(folder: string, version: string, files: readonly ListedFile[]): readonly Wanted[] {
    const registry = new PathRegistry()
    const top = versionFolder(this.#options.order, folder, version)
    // By id, so that a file keeps its name when another one of that name comes.
    const sorted = files.filter((file) => this.#filter(file, FORMAT)).sort((a, b) => a.id - b.id)
    return sorted.map((file) => {
      const name = file.tabular ? originalName(file) : file.label
      const path = registry.claim(shownPath(top, file.directory, name))
      return { path, file, version, expect: published(file, FORMAT) }
    })
  }

  #inDataset(path: string, folder: string, version: string): string {
    return path.slice(versionFolder(this.#options.order, folder, version).length + 1)
  }

  #changes(
    old: MirroredDataset | undefined,
    dataset: MirroredDataset,
    files: readonly HeldFile[] | undefined,
    before: readonly HeldFile[],
    metadata: readonly string[],
  ): readonly Change[] {
    const { pid, folder } = dataset
    if (!old || old.state === 'linked') return [{ change: 'dataset-added', dataset: pid, ...newestNumber(dataset) }]
    const changes: Change[] = []
    if (old.state !== 'current') changes.push({ change: 'dataset-returned', dataset: pid, ...newestNumber(dataset) })
    const known = new Map(old.versions.map((version) => [version.id, version]))
    for (const version of dataset.versions) {
      const was = known.get(version.id)
      if (version.withdrawn && !was?.withdrawn) {
        changes.push({ change: 'version-withdrawn', dataset: pid, version: version.number })
      }
      if (version.withdrawn || version.past) continue
      if (!was) changes.push({ change: 'version-added', dataset: pid, version: version.number })
      else if (changed(was, version)) changes.push({ change: 'version-updated', dataset: pid, version: version.number })
      if (was && metadata.includes(version.number)) {
        changes.push({ change: 'metadata-updated', dataset: pid, version: version.number })
      }
    }
    if (!files) return changes
    const [was, is] = [old.versions[0]?.number, dataset.versions[0]?.number]
    const shown = (some: readonly HeldFile[], version: string | undefined): readonly ShownFile[] =>
      some
        .filter((file) => file.version === version && (isShown(file) || !isHeld(file)))
        .map(({ file, path }) => ({ file, path: this.#inDataset(path, folder, version ?? '') }))
    const rows = fileChanges(shown(before, was), shown(files, is))
    return [...changes, ...rows.map((row) => ({ ...row, dataset: pid, ...newestNumber(dataset) }))]
  }
}

/** Bytes of a path in a dataset that is kept aside: with all that stands before it, it has to fit into a key of a store. */
const LONGEST_ASIDE = 600

/** Free paths for files that are kept aside, in a folder for each version. */
class Asides {
  readonly #folderOf: (version: string) => string
  readonly #taken = new Map<string, PathRegistry>()

  constructor(folderOf: (version: string) => string) {
    this.#folderOf = folderOf
  }

  add({ path, version }: HeldFile): void {
    const folder = `${this.#folderOf(version)}/`
    if (path.startsWith(folder)) this.#of(version).claim(path.slice(folder.length))
  }

  claim(version: string, path: string): string {
    const isLong = Buffer.byteLength(path) > LONGEST_ASIDE
    const fitting = isLong ? `${createHash('sha256').update(path).digest('hex').slice(0, 16)}/${basename(path)}` : path
    return `${this.#folderOf(version)}/${this.#of(version).claim(fitting)}`
  }

  #of(version: string): PathRegistry {
    const known = this.#taken.get(version) ?? new PathRegistry()
    this.#taken.set(version, known)
    return known
  }
}

function newestNumber({ versions: [newest] }: MirroredDataset): { readonly version?: string } {
  return newest ? { version: newest.number } : {}
}

function plain({ id, number, lastUpdateTime, releaseTime, counter }: ReleasedVersion): HeldVersion {
  return {
    id,
    number,
    ...(lastUpdateTime !== undefined && { lastUpdateTime }),
    ...(releaseTime !== undefined && { releaseTime }),
    ...(counter !== undefined && { counter }),
  }
}

/** Whether the same metadata is kept of a version as before. */
function isSaid({ metadata = {} }: HeldVersion, before: HeldVersion | undefined): boolean {
  const known = Object.entries(before?.metadata ?? {})
  return known.length === Object.keys(metadata).length && known.every(([file, digest]) => metadata[file] === digest)
}

/** Whether a version was changed under its number, or is another one. */
function changed(before: HeldVersion, now: ReleasedVersion): boolean {
  return (
    before.number !== now.number ||
    before.lastUpdateTime !== now.lastUpdateTime ||
    before.releaseTime !== now.releaseTime ||
    before.withdrawn === true ||
    before.past === true ||
    before.counter !== now.counter
  )
}

/** Two changes within one second look like one: a version that was changed just now is looked at again. */
function isFresh({ lastUpdateTime }: ReleasedVersion, now: Date): boolean {
  const at = Date.parse(lastUpdateTime ?? '')
  return !Number.isNaN(at) && Math.abs(now.getTime() - at) < 2_000
}

/** The first day on which something may be had that may not now. */
function due(
  listed: ReadonlyMap<number, readonly ListedFile[]>,
  old: MirroredDataset | undefined,
  now: Date,
): { readonly due?: string } {
  const days = [...listed.values()].flat().flatMap(({ embargoEnds }) => embargoEnds ?? [])
  if (old?.due !== undefined) days.push(old.due)
  const [first] = days.filter((day) => !isDay(day, now)).sort()
  return first === undefined ? {} : { due: first }
}

/** @param mislisted is given the sentence about each entry that cannot be a file */
async function collected(
  files: AsyncIterable<ListedFile | MislistedFile>,
  mislisted: string[],
): Promise<readonly ListedFile[]> {
  const all: ListedFile[] = []
  for await (const file of files) {
    if ('mislisted' in file) mislisted.push(file.mislisted)
    else all.push(file)
  }
  return all
}

/** Of all that a listing says, in any order, but for what a day alone changes: the calendar sees to that. */
function fingerprint(files: readonly ListedFile[]): string {
  const hash = createHash('sha256')
  for (const file of [...files].sort((a, b) => a.id - b.id)) {
    const isRestricted = file.embargoEnds === undefined && file.withheld === 'restricted'
    const ofToday = { withheld: undefined, availableFrom: undefined, availableUntil: undefined }
    hash.update(JSON.stringify({ ...file, ...ofToday, isRestricted }))
  }
  return hash.digest('hex')
}
