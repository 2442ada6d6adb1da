import type { Repository } from '../fakes/dataverse/repository.ts'
import type { FileSpec } from '../fakes/dataverse/specs.ts'

/** A repeatable series of numbers: the same seed gives the same history. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  /** 0 … below − 1. @see Marsaglia, Xorshift RNGs (2003) */
  next(below: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state % below
  }

  pick<T>(values: readonly T[]): T | undefined {
    return values.length === 0 ? undefined : values[this.next(values.length)]
  }
}

const COLLECTIONS = ['climate', 'ice', 'other']
/** Few, so that files take over one another's. */
const NAMES = ['n0', 'n1', 'n2.csv', '100%', 'a%2Fb%0A', 'Gru\u0308\u00dfe.txt']
/** Contents that many files have; no other contents are those of two files. */
export const SHARED: readonly string[] = ['', 'the same']

/** Random work of the people of a repository. */
export class History {
  readonly #repository: Repository
  readonly #chance: Chance
  /** Files that were deleted, by dataset. */
  readonly #deleted = new Map<string, FileSpec[]>()
  #files = 0
  #datasets = 0

  constructor(repository: Repository, chance: Chance) {
    this.#repository = repository
    this.#chance = chance
  }

  deposit(): void {
    const files = distinct(Array.from({ length: this.#chance.next(4) }, () => this.#file()))
    const collection = this.#chance.pick(COLLECTIONS) ?? 'climate'
    this.#repository.deposit(`doi:10.5072/FK2/D${++this.#datasets}`, files, { collection })
  }

  /** Anything that may happen. */
  step(): void {
    const pid = this.#chance.pick(this.#repository.pids)
    if (pid === undefined) {
      this.deposit()
      return
    }
    const repository = this.#repository
    const isReleased = repository.released(pid) !== undefined
    switch (this.#chance.next(10)) {
      case 0:
        this.deposit()
        return
      case 1:
        if (isReleased) repository.deaccession(pid, 'taken back', this.#oneOrAll(pid))
        return
      case 2:
        if (isReleased) repository.bringBack(pid)
        return
      case 3:
        if (this.#chance.next(3) === 0) repository.destroy(pid)
        return
      case 4:
        repository.move(pid, this.#chance.pick(COLLECTIONS) ?? 'climate')
        return
      case 5:
        if (isReleased) repository.edit(pid)
        // A new version of the description alone.
        if (isReleased && this.#chance.next(2) === 0) repository.publish(pid, (files) => files, true)
        return
      case 6:
        if (isReleased) repository.updateCurrent(pid, (files) => distinct(files.map((file) => this.#renamed(file))))
        return
      default:
        if (isReleased) repository.publish(pid, (files) => this.#next(pid, files), this.#chance.next(2) === 0)
    }
  }

  #oneOrAll(pid: string): { readonly number?: string } {
    const all = this.#repository.releasedVersions(pid)
    const number = this.#chance.pick(all)?.number
    return all.length > 1 && number !== undefined && this.#chance.next(2) === 0 ? { number } : {}
  }

  #next(pid: string, files: readonly FileSpec[]): readonly FileSpec[] {
    const deleted = this.#deleted.get(pid) ?? []
    this.#deleted.set(pid, deleted)
    const back = this.#chance.next(3) === 0 ? deleted.splice(0, 1) : []
    const kept = files.flatMap((file): FileSpec[] => {
      switch (this.#chance.next(6)) {
        case 0:
          deleted.push(file)
          return []
        case 1:
          return [{ ...this.#file(), label: file.label, replaces: file.id ?? 0 }]
        case 2:
          return [this.#renamed(file)]
        case 3:
          return [{ ...file, directory: `d${this.#chance.next(3)}` }]
        default:
          return [file]
      }
    })
    return distinct([...kept, ...back, ...(this.#chance.next(2) === 0 ? [this.#file()] : [])])
  }

  #renamed(file: FileSpec): FileSpec {
    return { ...file, label: this.#name() }
  }

  #file(): FileSpec {
    const shared = this.#chance.next(5) === 0 ? this.#chance.pick(SHARED) : undefined
    return { label: this.#name(), content: shared ?? `content ${++this.#files}` }
  }

  #name(): string {
    return this.#chance.pick(NAMES) ?? ''
  }
}

/** A file's path in its dataset, as it is kept. */
export function pathOf({ directory = '', label }: FileSpec): string {
  return (directory === '' ? label : `${directory}/${label}`).normalize()
}

/** No server lets two files of a version have the same path: the later one gets a name that nobody has. */
function distinct(files: readonly FileSpec[]): readonly FileSpec[] {
  const taken = new Set<string>()
  return files.map((file) => {
    let named = file
    for (let n = 6; taken.has(pathOf(named)); n++) named = { ...file, label: `n${n}` }
    taken.add(pathOf(named))
    return named
  })
}
