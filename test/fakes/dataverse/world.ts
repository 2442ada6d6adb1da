import { dataFile } from './datafile.ts'
import type { DataFile } from './datafile.ts'
import type { DatasetSpec, FileSpec, GuestbookSpec, VersionSpec, VersionState } from './specs.ts'

/** A file as one version names it. */
export interface FileMeta {
  readonly file: DataFile
  readonly label: string
  readonly directory: string
  /** The version-level flag; the gate uses the data file's own. */
  readonly restricted: boolean
}

/** Files by position; may be made on demand. */
interface FileList {
  readonly length: number
  readonly at: (index: number) => FileMeta
  /** Already in ascending order of labels, so that a page is a slice. */
  readonly sorted: boolean
}

export interface Version {
  readonly id: number
  readonly number: string
  readonly state: VersionState
  readonly deaccession: VersionSpec['deaccession']
  readonly files: FileList
  readonly lastUpdateTime: string
  readonly releaseTime: string
  readonly counter: number
}

/** When everything happened of which nothing else is said. */
export const LONG_AGO = '2025-02-10T09:00:00Z'

export interface Dataset {
  readonly id: number
  readonly pid: string
  readonly title: string
  readonly collection: Collection
  /** Oldest first; a draft comes last. */
  readonly versions: readonly Version[]
  readonly guestbook: GuestbookSpec | undefined
  readonly guestbookAtRequest: boolean
  readonly terms: Readonly<Record<string, string>> | undefined
  readonly harvested: boolean
  readonly fileAccessRequest: boolean
  readonly linkedTo: readonly string[]
  readonly modifiedAt: string
  readonly exported: string | undefined
}

export interface Collection {
  readonly id: number
  readonly alias: string
  readonly title: string
  readonly parent: Collection | undefined
}

interface LazyRange {
  readonly first: number
  readonly count: number
  readonly fileAt: (index: number) => DataFile
}

/** Everything an installation holds. Built once, then only read; lazy datasets cost nothing per file. */
export class World {
  readonly collections = new Map<string, Collection>()
  readonly datasets = new Map<number, Dataset>()
  readonly #byPid = new Map<string, Dataset>()
  readonly #byFolded = new Map<string, Dataset>()
  readonly #files = new Map<number, DataFile>()
  readonly #filesByPid = new Map<string, DataFile>()
  readonly #filesByFolded = new Map<string, DataFile>()
  readonly #lazy: LazyRange[] = []
  #index: readonly Dataset[] | undefined
  #lastVersionId = 0
  #nextId = 1

  constructor() {
    this.collection('root', { title: 'Root' })
  }

  /** Adds a collection below `parent`, by default below the root. */
  collection(alias: string, options: { readonly title?: string; readonly parent?: string } = {}): Collection {
    const parent = alias === 'root' ? undefined : this.collections.get(options.parent ?? 'root')
    const made = { id: this.#takeId(), alias, title: options.title ?? alias, parent }
    this.collections.set(alias, made)
    return made
  }

  /** Adds a dataset. File ids count up from the dataset's own unless the files name theirs. */
  dataset(pid: string, spec: DatasetSpec): Dataset {
    const collection = this.collections.get(spec.collection ?? 'root')
    if (!collection) throw new Error(`No collection ${spec.collection ?? 'root'} for ${pid}.`)
    const versions: Version[] = []
    const made: Dataset = {
      id: this.#takeId(spec.id),
      pid,
      title: spec.title ?? `Dataset ${pid}`,
      collection,
      versions,
      guestbook: spec.guestbook,
      guestbookAtRequest: spec.guestbookAtRequest ?? false,
      terms: spec.terms,
      harvested: spec.harvested ?? false,
      fileAccessRequest: spec.fileAccessRequest ?? true,
      linkedTo: spec.linkedTo ?? [],
      modifiedAt: spec.modifiedAt ?? LONG_AGO,
      exported: spec.exported,
    }
    if ('count' in spec) versions.push(this.#lazyVersion(made, spec.count, spec.fileAt))
    else versions.push(...this.#eagerVersions(made, 'versions' in spec ? spec.versions : [{ files: spec.files }]))
    this.datasets.set(made.id, made)
    this.#byPid.set(pid, made)
    this.#byFolded.set(foldedDoi(pid), made)
    return made
  }

  /** An id that nothing has yet. */
  freshId(): number {
    return this.#takeId()
  }

  /** Takes a dataset out, with all its files. */
  remove(dataset: Dataset): void {
    this.datasets.delete(dataset.id)
    this.#byPid.delete(dataset.pid)
    this.#byFolded.delete(foldedDoi(dataset.pid))
    for (const [id, file] of this.#files) if (file.dataset === dataset) this.#files.delete(id)
  }

  /** @param folded compares DOIs without case */
  datasetByPid(pid: string, folded: boolean): Dataset | undefined {
    return this.#byPid.get(pid) ?? (folded ? this.#byFolded.get(foldedDoi(pid)) : undefined)
  }

  file(id: number): DataFile | undefined {
    const eager = this.#files.get(id)
    if (eager) return eager
    const range = this.#lazy.find(({ first, count }) => id >= first && id < first + count)
    return range?.fileAt(id - range.first)
  }

  /** Knows eager files only: lazy ones would have to be walked. */
  fileByPid(pid: string, folded: boolean): DataFile | undefined {
    return this.#filesByPid.get(pid) ?? (folded ? this.#filesByFolded.get(foldedDoi(pid)) : undefined)
  }

  /** An id for a version. They, and what else is no object of the repository, have a series of their own. */
  freshVersionId(): number {
    return this.#takeVersionId()
  }

  /** What the search index holds: the datasets as they were when it was last brought up to date, if it is not. */
  get indexed(): Iterable<Dataset> {
    return this.#index ?? this.datasets.values()
  }

  /** Lets the index fall behind, or brings it up to date. */
  freezeIndex(frozen: boolean): void {
    this.#index = frozen ? (this.#index ?? [...this.datasets.values()]) : undefined
  }

  #takeVersionId(): number {
    return (this.#lastVersionId += 1)
  }

  #takeId(wanted?: number): number {
    const id = wanted ?? this.#nextId
    this.#nextId = Math.max(this.#nextId, id + 1)
    return id
  }

  #lazyVersion(dataset: Dataset, count: number, describe: (index: number) => FileSpec): Version {
    const first = this.#nextId
    this.#nextId += count
    const fileAt = (index: number): DataFile => {
      const spec = describe(index)
      return dataFile(spec, { id: first + index, dataset, released: true, newest: spec })
    }
    this.#lazy.push({ first, count, fileAt })
    const files = { length: count, at: (index: number) => metaOf(fileAt(index)), sorted: true }
    const times = { lastUpdateTime: LONG_AGO, releaseTime: LONG_AGO, counter: 1 }
    return { id: this.#takeVersionId(), number: '1.0', state: 'RELEASED', deaccession: undefined, files, ...times }
  }

  #eagerVersions(dataset: Dataset, specs: readonly VersionSpec[]): Version[] {
    const ids = this.#idsOf(specs)
    const newest = new Map<number, FileSpec>()
    const released = new Set<number>()
    for (const version of specs)
      for (const spec of version.files) {
        newest.set(idOf(ids, spec), spec)
        if ((version.state ?? 'RELEASED') === 'RELEASED') released.add(idOf(ids, spec))
      }
    const file = (spec: FileSpec): DataFile => {
      const id = idOf(ids, spec)
      const known = this.#files.get(id)
      if (known && known.dataset !== dataset) throw new Error(`Two files have the id ${id}.`)
      if (known) return known
      const made = dataFile(spec, { id, dataset, released: released.has(id), newest: newest.get(id) ?? spec })
      this.#files.set(id, made)
      if (spec.pid !== undefined) {
        this.#filesByPid.set(spec.pid, made)
        this.#filesByFolded.set(foldedDoi(spec.pid), made)
      }
      return made
    }
    return specs.map((version, index) => {
      const metas = version.files.map((spec) => metaOf(file(spec), spec))
      const files = { length: metas.length, at: (at: number) => inBounds(metas, at), sorted: false }
      const state = version.state ?? 'RELEASED'
      const number = version.number ?? `${index + 1}.0`
      const { id = this.#takeVersionId(), deaccession, lastUpdateTime = LONG_AGO, counter = 1 } = version
      const releaseTime = version.releaseTime ?? lastUpdateTime
      return { id, number, state, deaccession, files, lastUpdateTime, releaseTime, counter }
    })
  }

  /** The id of each description, all taken before any is used, so that explicit ones are never handed out twice. */
  #idsOf(specs: readonly VersionSpec[]): Map<FileSpec, number> {
    const all = specs.flatMap((version) => version.files)
    for (const spec of all) if (spec.id !== undefined) this.#takeId(spec.id)
    const ids = new Map<FileSpec, number>()
    for (const spec of all) if (!ids.has(spec)) ids.set(spec, spec.id ?? this.#takeId())
    return ids
  }
}

/** DOIs are compared without case, others letter by letter. */
function foldedDoi(pid: string): string {
  return pid.startsWith('doi:') ? pid.toUpperCase() : pid
}

function idOf(ids: ReadonlyMap<FileSpec, number>, spec: FileSpec): number {
  const id = ids.get(spec)
  if (id === undefined) throw new Error(`No id for ${spec.label}.`)
  return id
}

function metaOf(file: DataFile, spec: FileSpec = file.spec): FileMeta {
  return { file, label: spec.label, directory: spec.directory ?? '', restricted: spec.restricted ?? false }
}

function inBounds(metas: readonly FileMeta[], index: number): FileMeta {
  const meta = metas[index]
  if (!meta) throw new Error(`No file at position ${index}.`)
  return meta
}

/** Released versions, oldest first. */
export function releasedVersions(dataset: Dataset): readonly Version[] {
  return dataset.versions.filter(({ state }) => state === 'RELEASED')
}

export function draftOf(dataset: Dataset): Version | undefined {
  return dataset.versions.find(({ state }) => state === 'DRAFT')
}
