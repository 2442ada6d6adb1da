import { sameChecksum } from '../model/checksum.ts'
import type { Expectation } from '../model/item.ts'
import type { ListedFile } from '../model/listing.ts'
import { isHeld, isShown, type HeldFile } from './state.ts'

/** A file that is to be at a path. */
export interface Wanted {
  /** Relative to the destination. */
  readonly path: string
  readonly file: ListedFile
  readonly version: string
  readonly expect: Expectation
}

interface Move {
  readonly from: string
  readonly to: string
}

interface Link extends Move {
  /** `item` of the file, where it is to be fetched first: without its bytes there is nothing to link. */
  readonly item?: number
}

export interface Arrangement {
  /** What is held, and missing, once all of this is done. */
  readonly files: readonly HeldFile[]
  readonly moves: readonly Move[]
  /** Further paths of files that are held, or will be. */
  readonly links: readonly Link[]
  /** What is not held: `item` of a file counts these, from 0. */
  readonly fetch: readonly Wanted[]
}

export interface ArrangeOptions {
  /** A free path, kept aside, for a file that leaves `path`. */
  readonly aside: (held: HeldFile) => string
  /** Whether a missing file is to be asked for again. */
  readonly isDue: (missing: HeldFile, wanted: Wanted) => boolean
  readonly now: string
  /** Files that stay as they are, and may get further paths. */
  readonly also: readonly HeldFile[]
}

/**
 * How what is held of a dataset becomes what is wanted, without fetching any bytes twice and without dropping any: files stay,
 * move, get a further path, or come; what has no place any more is kept aside.
 */
export function arrange(
  held: readonly HeldFile[],
  wanted: readonly Wanted[],
  { aside, isDue, now, also }: ArrangeOptions,
): Arrangement {
  const files: HeldFile[] = []
  const moves: Move[] = []
  const links: Link[] = []
  const fetch: Wanted[] = []
  const wantedAt = new Map(wanted.map((one) => [one.path, one]))
  const stock = new Stock(held.filter((one) => isHeld(one) && !staysAt(one, wantedAt)))
  /** Where bytes will be that may get a further path. */
  const placed = new Map(also.filter(isHeld).map((one) => [one.file, one]))
  const open: Wanted[] = []
  const heldAt = new Map(held.filter((one) => isHeld(one) && isShown(one)).map((one) => [one.path, one]))
  for (const one of wanted) {
    const here = heldAt.get(one.path)
    if (!here || !isSame(here, one)) {
      open.push(one)
      continue
    }
    const stays = shown(one, here)
    files.push(stays)
    placed.set(one.file.id, stays)
  }
  const missing = new Map(held.filter((one) => !isHeld(one)).map((one) => [`${one.file} ${one.path}`, one]))
  for (const one of open) {
    const twin = placed.get(one.file.id)
    const free = stock.take(one)
    if (free) {
      // The name of a file whose bytes are elsewhere is a record.
      if (free.content === undefined) moves.push({ from: free.path, to: one.path })
      files.push(shown(one, free))
    } else if (twin && isSame(twin, one)) {
      const { path: from, item, content } = twin
      if (content === undefined) links.push({ from, to: one.path, ...(item !== undefined && { item }) })
      files.push({ ...shown(one, twin), ...(item !== undefined && { link: item, item: undefined }) })
      continue
    } else {
      const before = missing.get(`${one.file.id} ${one.path}`)
      if (before && !isDue(before, one)) {
        files.push({ ...before, version: one.version })
        continue
      }
      files.push({ ...absent(one), item: fetch.length })
      fetch.push(one)
    }
    const last = files.at(-1)
    if (last) placed.set(one.file.id, last)
  }
  const replaced = new Set(wanted.flatMap(({ file }) => (file.replaces === undefined ? [] : [file.replaces])))
  for (const one of stock.rest()) {
    if (!isShown(one)) {
      files.push(one)
      continue
    }
    const to = aside(one)
    const state = wantedAt.has(one.path) || replaced.has(one.file) ? 'superseded' : 'removed'
    if (one.content === undefined) moves.push({ from: one.path, to })
    files.push({ ...one, path: to, state, leftAt: now })
  }
  return { files, moves, links, fetch }
}

/** Held files that do not stay where they are, by the id of their bytes. */
class Stock {
  readonly #files = new Map<number, HeldFile[]>()

  constructor(files: readonly HeldFile[]) {
    // Those that are shown go first: they have to leave in any case.
    for (const one of [...files].sort((a, b) => Number(isShown(b)) - Number(isShown(a)))) {
      const same = this.#files.get(one.file)
      if (same) same.push(one)
      else this.#files.set(one.file, [one])
    }
  }

  take(wanted: Wanted): HeldFile | undefined {
    const some = this.#files.get(wanted.file.id)
    const at = some?.findIndex((one) => isSame(one, wanted)) ?? -1
    return at === -1 ? undefined : some?.splice(at, 1)[0]
  }

  rest(): readonly HeldFile[] {
    return [...this.#files.values()].flat()
  }
}

function staysAt(held: HeldFile, wantedAt: ReadonlyMap<string, Wanted>): boolean {
  const wanted = wantedAt.get(held.path)
  return isShown(held) && wanted !== undefined && isSame(held, wanted)
}

/** Whether held bytes are those that are wanted: the same file, with the same promises. */
function isSame(held: HeldFile, { file, expect }: Wanted): boolean {
  if (held.file !== file.id) return false
  if (held.checksum && expect.checksum && held.checksum.algorithm === expect.checksum.algorithm) {
    return sameChecksum(held.checksum, expect.checksum)
  }
  return held.size === undefined || expect.size === undefined || held.size === expect.size
}

function shown({ path, file, version }: Wanted, held: HeldFile): HeldFile {
  const state = file.withheld === undefined ? 'current' : 'restricted-now'
  return { ...held, path, version, state, leftAt: undefined }
}

function absent({ path, file, version, expect }: Wanted): HeldFile {
  return {
    file: file.id,
    path,
    state: 'missing',
    version,
    ...(expect.size !== undefined && { size: expect.size }),
    ...(expect.checksum && { checksum: expect.checksum }),
    ...(file.withheld !== undefined && { withheld: true }),
  }
}
