import type { Checksum } from '../model/checksum.ts'
import type { ArchiveEntry } from './archive-report.ts'
import { withoutSuffix } from './names.ts'

type Index<K> = Map<K, Set<ArchiveEntry>>

/** The entries of an archive that match no file yet, indexed for lookup. */
export class EntryPool {
  readonly #free: Set<ArchiveEntry>
  readonly #byName: Index<string>
  readonly #byNumbered: Index<string | undefined>
  readonly #byChecksum: Index<string> = new Map()

  constructor(entries: readonly ArchiveEntry[]) {
    this.#free = new Set(entries)
    this.#byName = asIndex(groupBy(entries, ({ name }) => name))
    this.#byNumbered = asIndex(groupBy(entries, ({ name }) => withoutSuffix(name)))
    for (const entry of entries) {
      for (const { hex } of entry.checksums) {
        const known = this.#byChecksum.get(hex)
        if (known) known.add(entry)
        else this.#byChecksum.set(hex, new Set([entry]))
      }
    }
  }

  /** Removes an entry that matches a file. */
  take(entry: ArchiveEntry): void {
    this.#free.delete(entry)
    this.#byName.get(entry.name)?.delete(entry)
    this.#byNumbered.get(withoutSuffix(entry.name))?.delete(entry)
    for (const { hex } of entry.checksums) this.#byChecksum.get(hex)?.delete(entry)
  }

  left(): readonly ArchiveEntry[] {
    return [...this.#free]
  }

  named(name: string, accept: (entry: ArchiveEntry) => boolean = () => true): ArchiveEntry | undefined {
    return first(this.#byName.get(name), accept)
  }

  /** An entry called `name` with the number of a repeated name. */
  numbered(name: string, accept: (entry: ArchiveEntry) => boolean = () => true): ArchiveEntry | undefined {
    return first(this.#byNumbered.get(name), accept)
  }

  like(name: string): ArchiveEntry | undefined {
    return this.named(name) ?? this.numbered(name)
  }

  withChecksum({ hex }: Checksum, accept: (entry: ArchiveEntry) => boolean): ArchiveEntry | undefined {
    return first(this.#byChecksum.get(hex), accept)
  }
}

/** Groups values by a key, in order. */
export function groupBy<K, V>(values: Iterable<V>, keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return groups
}

function asIndex<K>(groups: Map<K, ArchiveEntry[]>): Index<K> {
  return new Map([...groups].map(([key, entries]) => [key, new Set(entries)]))
}

function first(
  entries: Iterable<ArchiveEntry> = [],
  accept: (entry: ArchiveEntry) => boolean,
): ArchiveEntry | undefined {
  for (const entry of entries) if (accept(entry)) return entry
  return undefined
}
