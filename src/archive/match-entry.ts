import type { Algorithm, Checksum } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import type { Verified } from '../model/receipt.ts'
import { algorithmsOf } from './algorithms.ts'
import { withoutSuffix } from './names.ts'

/** An entry of a bundle whose content is known. */
interface HashedEntry {
  readonly name: string
  readonly size: number
  /** Bytes up to and with the first line feed; undefined: unknown, or there is none. */
  readonly firstLine?: number | undefined
  /** It was found after damage, where something that looks like an entry may be part of a file. */
  readonly doubtful?: boolean
  /** In the algorithms of `BundleMatcher.algorithms`. */
  readonly checksums: readonly Checksum[]
}

export interface Match {
  readonly item: Item
  /** What identified the entry as this item. */
  readonly verified: Extract<Verified, 'checksum' | 'size'>
  readonly note?: string
}

/** Determines which item of a bundle an entry is. */
export interface BundleMatcher {
  /** What an entry must be hashed with before it is matched. */
  readonly algorithms: readonly Algorithm[]
  /** The largest item's size, or undefined if any is unknown: a longer entry need not be held. */
  readonly largest: number | undefined
  /**
   * The item that the entry is, which then matches no other entry; undefined: none, as for the server's manifest and
   * for damaged bytes.
   * An item with a published checksum is found by its content alone: names in an archive are those of the newest
   * metadata, so they only choose between items of equal content. An item without one is found by its name, which must
   * be its only one among the items and not a repeated one, and by its listed size. An entry that is one item by its
   * content and another by its name is neither: one of the two may be withheld, and both can be fetched individually.
   */
  claim(entry: HashedEntry): Match | undefined
  /** Items without an entry: they are fetched as single files. */
  remaining(): readonly Item[]
}

/** Longest header line of an archival form before the entry is no longer held: names of some ten thousand variables. */
const HEADER_ROOM = 1 << 20

/** Prepares to match the entries of one bundle. */
export function bundleMatcher(items: readonly Item[]): BundleMatcher {
  const open = new Set(items)
  return {
    // If none is published, the receipt records SHA-256, as for a file fetched alone.
    algorithms: algorithmsOf(items.map(({ expect }) => expect.checksum ?? { algorithm: 'sha256', hex: '' })),
    largest: largestOf(items),
    claim: (entry) => {
      const match = matchOf(entry, items, open)
      if (match) open.delete(match.item)
      return match
    },
    remaining: () => [...open],
  }
}

function largestOf(items: readonly Item[]): number | undefined {
  return items.reduce<number | undefined>((most, { expect, listedSize }) => {
    const size = expect.size ?? (listedSize === undefined ? undefined : listedSize + HEADER_ROOM)
    return most === undefined || size === undefined ? undefined : Math.max(most, size)
  }, 0)
}

function matchOf(entry: HashedEntry, items: readonly Item[], open: ReadonlySet<Item>): Match | undefined {
  const equal = byContent(entry, open)
  // `f` means the file at the top rather than one of the same name in a folder.
  const [named] = equal
    .filter((candidate) => isNamed(candidate, entry.name))
    .sort((a, b) => a.path.length - b.path.length)
  if (named) return { item: named, verified: 'checksum' }
  const other = byName(entry, items, open)
  const [item] = equal
  if (item) return other ? undefined : { item, verified: 'checksum' }
  return entry.doubtful === true ? undefined : other
}

function byContent(entry: HashedEntry, open: ReadonlySet<Item>): Item[] {
  return [...open].filter(({ expect }) => {
    const own = entry.checksums.find(({ algorithm }) => algorithm === expect.checksum?.algorithm)
    return own !== undefined && own.hex === expect.checksum?.hex && (expect.size ?? entry.size) === entry.size
  })
}

function byName(entry: HashedEntry, items: readonly Item[], open: ReadonlySet<Item>): Match | undefined {
  const [item, ...others] = items.filter((candidate) => isNamed(candidate, entry.name))
  if (!item || others.length > 0 || !open.has(item) || item.expect.checksum) return undefined
  if (isRepeated(item, entry.name, items)) return undefined
  return bySize(entry, item)
}

function bySize({ size, firstLine }: HashedEntry, item: Item): Match | undefined {
  const { expect, listedSize } = item
  if (expect.size !== undefined) return expect.size === size ? { item, verified: 'size' } : undefined
  if (listedSize === size) return { item, verified: 'size' }
  if (listedSize === undefined || firstLine === undefined || size - firstLine !== listedSize) return undefined
  return { item, verified: 'size', note: `${listedSize} bytes as listed, and a header line of ${firstLine}` }
}

/** Whether the name may be another item's numbered one: `x_1.csv` if there is also an `x.csv` in the bundle. */
function isRepeated(item: Item, name: string, items: readonly Item[]): boolean {
  const plain = withoutSuffix(name)
  return plain !== undefined && items.some((other) => other !== item && isNamed(other, plain))
}

/** Whether an item's path, or the server's own if that was unsafe, is this name or ends with it below a folder. */
function isNamed({ path, renamedFrom }: Item, name: string): boolean {
  return [path, renamedFrom].some((own) => own === name || own?.endsWith(`/${name}`) === true)
}
