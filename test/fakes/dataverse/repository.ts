import type { DatasetSpec, FileSpec, VersionSpec } from './specs.ts'
import type { Dataset, World } from './world.ts'

/** Everything that is said of a dataset, with every id. */
type Described = Omit<DatasetSpec, 'files' | 'count' | 'fileAt' | 'versions'> & {
  readonly id: number
  readonly versions: readonly (VersionSpec & { readonly id: number; readonly number: string })[]
}

/** A released version. */
export type Released = Pick<Described['versions'][number], 'number' | 'files'>

/** A file that is deposited: its id is given out where it has none. */
export type Deposit = FileSpec

/**
 * What the people of a repository do while it runs. Each step describes a dataset anew, with the ids that it has.
 * @see the mirroring note §2 for what moves which time
 */
export class Repository {
  readonly #world: World
  readonly #datasets = new Map<string, Described>()
  #seconds = Date.parse('2026-01-01T00:00:00Z') / 1000
  /** Publication leaves the exports as they were, until `reexport`. */
  exportsLag = false

  constructor(world: World) {
    this.#world = world
  }

  /** Publishes a new dataset as version 1.0. @returns its id */
  deposit(
    pid: string,
    files: readonly Deposit[],
    about: Pick<DatasetSpec, 'collection' | 'linkedTo' | 'guestbook'> = {},
  ): number {
    const id = this.#world.freshId()
    const now = this.#tick()
    this.#define(pid, {
      id,
      ...about,
      modifiedAt: now,
      versions: [this.#version('1.0', files, now)],
    })
    return id
  }

  /** The files of the newest version, released or not. */
  files(pid: string): readonly FileSpec[] {
    return this.#described(pid).versions.at(-1)?.files ?? []
  }

  /** Publishes a new version with other files. */
  publish(pid: string, change: (files: readonly FileSpec[]) => readonly Deposit[], minor = false): string {
    const described = this.#described(pid)
    const [major = 0, low = 0] = (described.versions.at(-1)?.number ?? '0.0').split('.').map(Number)
    const number = minor ? `${major}.${low + 1}` : `${major + 1}.0`
    const now = this.#tick()
    const version = this.#version(number, change(this.files(pid)), now)
    const exported = this.exportsLag ? (described.exported ?? described.versions.at(-1)?.number) : undefined
    this.#define(pid, { ...described, modifiedAt: now, versions: [...described.versions, version] }, exported)
    return number
  }

  /** Changes the newest version under its number. Folders stay as they were (mirroring note §2). */
  updateCurrent(pid: string, change: (files: readonly FileSpec[]) => readonly FileSpec[]): void {
    const described = this.#described(pid)
    const now = this.#tick()
    const last = described.versions.length - 1
    const versions = described.versions.map((version, at) =>
      at === last
        ? { ...version, files: change(version.files), lastUpdateTime: now, counter: (version.counter ?? 1) + 1 }
        : version,
    )
    this.#define(pid, { ...described, modifiedAt: now, versions })
  }

  /** A superuser restricts what is released: moves no time, and makes no version. */
  restrict(pid: string): void {
    const described = this.#described(pid)
    const versions = described.versions.map((version) => ({
      ...version,
      files: version.files.map((file) => ({ ...file, restricted: true })),
    }))
    this.#define(pid, { ...described, versions })
  }

  /** Somebody works on a draft: seen by the time of change alone. */
  edit(pid: string): void {
    this.#define(pid, { ...this.#described(pid), modifiedAt: this.#tick() })
  }

  /** Takes versions back: one, or all. Moves no time. */
  deaccession(
    pid: string,
    note: string,
    { number, link }: { readonly number?: string; readonly link?: string } = {},
  ): void {
    const described = this.#described(pid)
    const deaccession = { note, ...(link !== undefined && { link }) }
    const versions = described.versions.map((version) =>
      number === undefined || version.number === number
        ? { ...version, state: 'DEACCESSIONED' as const, deaccession, counter: (version.counter ?? 1) + 1 }
        : version,
    )
    this.#define(pid, { ...described, versions })
  }

  /** Releases again what was deaccessioned, as a curator may in the database. */
  bringBack(pid: string): void {
    const described = this.#described(pid)
    const versions = described.versions.map((version) => ({
      ...version,
      state: 'RELEASED' as const,
      deaccession: undefined,
    }))
    this.#define(pid, { ...described, modifiedAt: this.#tick(), versions })
  }

  destroy(pid: string): void {
    const there = this.#world.datasetByPid(pid, false)
    if (there) this.#world.remove(there)
    this.#datasets.delete(pid)
  }

  /** Moves a dataset to another collection. Moves no time. */
  move(pid: string, collection: string): void {
    this.#define(pid, { ...this.#described(pid), collection })
  }

  link(pid: string, alias: string): void {
    const described = this.#described(pid)
    this.#define(pid, { ...described, linkedTo: [...(described.linkedTo ?? []), alias] })
  }

  /** Brings the exports up to date. */
  reexport(pid: string): void {
    this.#define(pid, { ...this.#described(pid), exported: undefined })
  }

  /** What is released now, or undefined: the newest released version. */
  released(pid: string): Released | undefined {
    return this.releasedVersions(pid).at(-1)
  }

  /** Every version that is released now, oldest first. */
  releasedVersions(pid: string): readonly Released[] {
    const { versions = [] } = this.#datasets.get(pid) ?? {}
    return versions.filter(({ state = 'RELEASED' }) => state === 'RELEASED')
  }

  get pids(): readonly string[] {
    return [...this.#datasets.keys()]
  }

  /** Whose collection a dataset is in now. */
  collectionOf(pid: string): string {
    return this.#described(pid).collection ?? 'root'
  }

  #described(pid: string): Described {
    const found = this.#datasets.get(pid)
    if (!found) throw new Error(`No dataset ${pid}.`)
    return found
  }

  #version(number: string, files: readonly Deposit[], now: string): Described['versions'][number] {
    return {
      id: this.#world.freshVersionId(),
      number,
      lastUpdateTime: now,
      releaseTime: now,
      counter: 1,
      files: files.map((file) => ({ ...file, id: file.id ?? this.#world.freshId() })),
    }
  }

  #define(pid: string, { exported, ...described }: Described, as = exported): Dataset {
    const whole = { ...described, ...(as !== undefined && { exported: as }) }
    const there = this.#world.datasetByPid(pid, false)
    if (there) this.#world.remove(there)
    this.#datasets.set(pid, whole)
    return this.#world.dataset(pid, whole)
  }

  /** Time passes with every step, as servers tell it in whole seconds. */
  #tick(): string {
    this.#seconds += 60
    return new Date(this.#seconds * 1000).toISOString().replace('.000', '')
  }
}
