import type { Item } from '../model/item.ts'

export interface BundleOptions {
  /** The server's `zipDownloadLimit`, bytes: a bundle stays below it. @see the protocol note §2.7 */
  readonly limit: number
  /** Larger items are fetched individually. */
  readonly maxFileBytes: number
  readonly maxFiles: number
  /** Bytes of a bundle even where the server allows more: the most that a ZIP cut off early costs. */
  readonly maxBytes?: number
  /** Fewer items than this are fetched individually. Default: 2. */
  readonly minFiles?: number
  /** Also bundle items without a published checksum, if their listing gives a size. Default: no. */
  readonly unverified?: boolean
}

/** One job: a single item, or several in one bundle. */
export type Planned =
  { readonly kind: 'single'; readonly item: Item } | { readonly kind: 'bundle'; readonly items: readonly Item[] }

/** A bundle that still has room. */
interface OpenBundle {
  readonly key: string
  readonly items: Item[]
  readonly files: Set<number>
  bytes: number
}

/**
 * Splits a run of items into bundles and singles, in the order of their first items; each item is in exactly one. A
 * bundle holds small files of one dataset, server and form, each file once, and their sizes together are strictly below
 * the limit, so the server leaves none out because of it. Items that the server may refuse are fetched individually: in a bundle they
 * would be left out, or would make the server refuse all of it.
 */
export function planBundles(items: Iterable<Item>, options: BundleOptions): Planned[] {
  const planned: Planned[] = []
  let open: OpenBundle | undefined
  for (const item of items) {
    const candidate = candidateOf(item, options)
    if (!candidate) {
      planned.push({ kind: 'single', item })
      continue
    }
    if (!open || !hasRoom(open, candidate, options)) {
      open = { key: candidate.key, items: [], files: new Set(), bytes: 0 }
      planned.push({ kind: 'bundle', items: open.items })
    }
    open.items.push(item)
    open.files.add(candidate.file)
    open.bytes += candidate.bytes
  }
  return planned.flatMap((one) => withoutTinyBundle(one, options.minFiles ?? 2))
}

interface Candidate {
  readonly key: string
  readonly file: number
  readonly bytes: number
}

/** The facts that a bundle needs of an item; undefined: it is fetched individually. */
function candidateOf(item: Item, options: BundleOptions): Candidate | undefined {
  const { ref, origin, expect, listedSize } = item
  // The server takes database ids only, and since 6.10 only those of one dataset (§1.4).
  if (ref.kind !== 'file' || typeof ref.file !== 'number' || origin?.dataset === undefined) return undefined
  if (item.withheld !== undefined || item.problem !== undefined) return undefined
  if (!expect.checksum && options.unverified !== true) return undefined
  // Of a tabular file the server counts only the rows, as it lists them (§2.7).
  const bytes = expect.size ?? listedSize
  if (bytes === undefined || bytes > options.maxFileBytes || bytes >= bytesAllowed(options)) return undefined
  return { key: JSON.stringify([item.server, origin.dataset, ref.format]), file: ref.file, bytes }
}

function hasRoom(open: OpenBundle, { key, file, bytes }: Candidate, options: BundleOptions): boolean {
  return (
    open.key === key &&
    open.items.length < options.maxFiles &&
    !open.files.has(file) &&
    open.bytes + bytes < bytesAllowed(options)
  )
}

/** The server adds a file while the sum stays strictly below its limit; our own cap works the same way. */
function bytesAllowed({ limit, maxBytes }: BundleOptions): number {
  return Math.min(limit, maxBytes ?? Infinity)
}

function withoutTinyBundle(planned: Planned, minFiles: number): Planned[] {
  if (planned.kind === 'single' || planned.items.length >= minFiles) return [planned]
  return planned.items.map((item) => ({ kind: 'single', item }))
}
