import type { Algorithm, Checksum } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import type { Verified } from '../model/receipt.ts'
import { algorithmsOf } from './algorithms.ts'
import { withoutSuffix } from './names.ts'

/** An entry of a bundle, its content known. */
interface HashedEntry {
  readonly name: string
  readonly size: number
  /** In the algorithms of `BundleMatcher.algorithms`. */
  readonly checksums: readonly Checksum[]
}

interface Match {
  readonly item: Item
  /** What the entry was compared with to be this item. */
  readonly verified: Extract<Verified, 'checksum' | 'size' | 'structure'>
}

/** Tells which item of a bundle an entry is. */
export interface BundleMatcher {
  /** What an entry must be hashed with before it is matched. */
  readonly algorithms: readonly Algorithm[]
  /** The largest item's size, or undefined when one's is unknown: a longer entry need not be held. */
  readonly largest: number | undefined
  /**
   * The item that the entry is, which then stands for no other entry; undefined: none, as for the server's manifest and
   * for damaged bytes.
   * An item with a published checksum is found by its content alone: names in an archive are those of the newest
   * metadata, so they only choose between items of equal content. An item without one is found by its name, which must
   * be its only one among the items and not a repeated one, and by its size where that is known.
   */
  claim(entry: HashedEntry): Match | undefined
  /** Items that no entry was found for: they go on as single files. */
  remaining(): readonly Item[]
}

/** Prepares to match the entries of one bundle's archive. */
export function bundleMatcher(items: readonly Item[]): BundleMatcher {
  const open = new Set(items)
  const sizes = items.map(({ expect }) => expect.size)
  return {
    algorithms: algorithmsOf(items.map(({ expect }) => expect.checksum)),
    largest: sizes.reduce(
      (most, size) => (most === undefined || size === undefined ? undefined : Math.max(most, size)),
      0,
    ),
    claim: (entry) => {
      const match = byContent(entry, open) ?? byName(entry, items, open)
      if (match) open.delete(match.item)
      return match
    },
    remaining: () => [...open],
  }
}

function byContent(entry: HashedEntry, open: ReadonlySet<Item>): Match | undefined {
  const equal = [...open].filter(({ expect }) => {
    const own = entry.checksums.find(({ algorithm }) => algorithm === expect.checksum?.algorithm)
    return own !== undefined && own.hex === expect.checksum?.hex && (expect.size ?? entry.size) === entry.size
  })
  const item = equal.find((candidate) => isNamed(candidate, entry.name)) ?? equal[0]
  return item && { item, verified: 'checksum' }
}

function byName(entry: HashedEntry, items: readonly Item[], open: ReadonlySet<Item>): Match | undefined {
  const [item, ...others] = items.filter((candidate) => isNamed(candidate, entry.name))
  if (!item || others.length > 0 || !open.has(item) || item.expect.checksum) return undefined
  if (isRepeated(item, entry.name, items)) return undefined
  if (item.expect.size === undefined) return { item, verified: 'structure' }
  return item.expect.size === entry.size ? { item, verified: 'size' } : undefined
}

/** Whether the name may be the numbered one of another item: `x_1.csv` where an `x.csv` is in the bundle as well. */
function isRepeated(item: Item, name: string, items: readonly Item[]): boolean {
  const plain = withoutSuffix(name)
  return plain !== undefined && items.some((other) => other !== item && isNamed(other, plain))
}

/** Whether an item's path, or the server's own where that was unsafe, is this name or ends with it below a folder. */
function isNamed({ path, renamedFrom }: Item, name: string): boolean {
  return [path, renamedFrom].some((own) => own === name || own?.endsWith(`/${name}`) === true)
}
