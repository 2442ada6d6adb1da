import { problemOf, writeAsked, type Asked } from '../batch/asked.ts'
import { allItems, ItemsWriter } from '../batch/items-file.ts'
import type { BatchId, PlanState, PlanTotals } from '../model/batch.ts'
import { FingerprintMap } from '../model/fingerprint-map.ts'
import { itemSchema, NO_REF, type Item } from '../model/item.ts'
import { safeFilePath } from '../model/path.ts'
import { PathRegistry } from '../model/path-registry.ts'
import type { Records } from '../sinks/sink.ts'
import { joined, type Draft } from './file-item.ts'

/** The lines of a plan while they are written: each draft becomes an item with a path of its own, and is counted. */
export class PlanLines {
  readonly #records: Records
  readonly #batch: BatchId
  readonly #writer: ItemsWriter
  readonly #paths = new PathRegistry()
  readonly #seen = new FingerprintMap()
  readonly #totals: Counts
  readonly #guestbooks = new Map<string, MetGuestbook>()
  readonly #terms: Map<string, MetTerms>

  private constructor(records: Records, batch: BatchId, writer: ItemsWriter, { totals, terms = [] }: PlanState) {
    this.#records = records
    this.#batch = batch
    this.#writer = writer
    this.#totals = { ...totals }
    this.#terms = new Map(terms.map((one) => [termsKey(one), one]))
  }

  /** Continues after the lines that count; anything written beyond them is cut off. The caller closes it. */
  static async open(records: Records, batch: BatchId, from: PlanState): Promise<PlanLines> {
    const lines = new PlanLines(records, batch, await ItemsWriter.open(records, batch, from), from)
    try {
      for await (const item of allItems(records, batch, from.items)) lines.#remember(item, from.again)
      return lines
    } catch (error) {
      await lines.close()
      throw error
    }
  }

  /** Lines so far. */
  get items(): number {
    return this.#writer.position.items
  }

  /** How much is written, for the plan's state. */
  get state(): Omit<PlanState, 'entries' | 'complete'> {
    const guestbooks = [...this.#guestbooks.values()].map(({ server, id, n }) => ({ server, id, n }))
    const terms = [...this.#terms.values()]
    return {
      ...this.#writer.position,
      totals: { ...this.#totals },
      ...(guestbooks.length > 0 && { guestbooks }),
      ...(terms.length > 0 && { terms }),
    }
  }

  /** Lines that are not durable yet. */
  get buffered(): number {
    return this.#writer.buffered
  }

  /**
   * Adds a line, unless an earlier one requests the same thing at the same place. A refused line never replaces
   * one that was not.
   */
  async add({ wanted, asked, hasTerms, ...given }: Draft): Promise<void> {
    const draft = usable(given, asked, this.#totals.size)
    const asWanted = wanted.given ?? joined(wanted.directory, wanted.name)
    if (!this.#isNew(draft, asWanted)) return
    const path = this.#paths.claim(safeFilePath(wanted.directory, wanted.name).path)
    const item = { ...draft, path, ...(path !== asWanted && { renamedFrom: asWanted }) }
    if (asked && !item.problem) await writeAsked(this.#records, this.#batch, this.items, asked)
    countItem(this.#totals, item)
    this.#meet(this.#writer.add(item))
    if (hasTerms) this.#meetTerms(given)
  }

  countDataset(): void {
    this.#totals.datasets++
  }

  countFiltered(): void {
    this.#totals.filtered++
  }

  /** Makes everything added so far durable. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  close(): Promise<void> {
    return this.#writer.close()
  }

  #isNew(draft: Pick<Item, 'server' | 'ref' | 'problem'>, wanted: string): boolean {
    const key = keyOf(draft, wanted)
    const known = this.#seen.add(key, KNOWN)
    if (known === KNOWN) this.#totals.duplicates++
    if (known === PLANNED_AGAIN) this.#seen.set(key, KNOWN)
    return known === undefined
  }

  /** Keeps a line of each guestbook: better of a file that the server does not withhold anyway. */
  #meet({ server, guestbook: id, n, withheld }: Item): void {
    if (id === undefined) return
    const key = `${id} ${server}`
    const known = this.#guestbooks.get(key)
    const isBetter = known ? known.isWithheld && withheld === undefined : this.#guestbooks.size < MOST_GUESTBOOKS
    if (isBetter) this.#guestbooks.set(key, { server, id, n, isWithheld: withheld !== undefined })
  }

  #meetTerms({ server, origin: { dataset, version } = {} }: Pick<Item, 'server' | 'origin'>): void {
    if (dataset === undefined || version === undefined || this.#terms.size >= MOST_TERMS) return
    const met = { server, dataset, version }
    this.#terms.set(termsKey(met), met)
  }

  /** Restores what later lines are compared with from an existing line. */
  #remember(item: Item, again = Infinity): void {
    this.#paths.claim(item.path)
    this.#meet(item)
    this.#seen.add(keyOf(item, item.renamedFrom ?? item.path), (item.line ?? 0) < again ? KNOWN : PLANNED_AGAIN)
  }
}

/** Guestbooks that a plan counts; what more there are is found when their files are fetched. */
const MOST_GUESTBOOKS = 1_000

/** Versions with terms of their own that a plan names. */
const MOST_TERMS = 10_000

type MetTerms = NonNullable<PlanState['terms']>[number]

function termsKey({ dataset, version }: MetTerms): string {
  return `${dataset} ${version}`
}

type MetGuestbook = NonNullable<PlanState['guestbooks']>[number] & { readonly isWithheld: boolean }

const KNOWN = 1
/** From an earlier run of planning that is repeated for its entry: not a duplicate. */
const PLANNED_AGAIN = 2

function keyOf({ server, ref, problem }: Pick<Item, 'server' | 'ref' | 'problem'>, wanted: string): string {
  return JSON.stringify([server, ref, wanted, problem?.message])
}

type Counts = { -readonly [K in keyof PlanTotals]: PlanTotals[K] }

/** Counts a line in. */
export function countItem(totals: Counts, { problem, expect, withheld, renamedFrom }: Omit<Item, 'n'>): void {
  if (problem) totals.problems++
  else if (expect.size === undefined) totals.unknownSize++
  else totals.size += expect.size
  if (!problem && !expect.checksum) totals.noChecksum++
  if (withheld === 'restricted') totals.restricted++
  if (withheld === 'embargoed') totals.embargoed++
  if (withheld === 'retention-expired') totals.retentionExpired++
  if (renamedFrom !== undefined) totals.renamed++
}

const lineSchema = itemSchema.omit({ n: true, path: true, renamedFrom: true })
/** Files in a ZIP; more would make a line of several MiB. */
const MOST_FILES = 500_000

type Unplaced = Omit<Item, 'n' | 'path'>

/** A draft that the line's reader will accept; any other is reported and fails, and the rest continues. */
function usable(draft: Unplaced, asked: Asked | undefined, plannedBytes: number): Unplaced {
  const [issue] = lineSchema.safeParse(draft).error?.issues ?? []
  const { ref, expect } = draft
  if (issue) return refused(draft, `${issue.path.join('.')}: ${issue.message}`)
  const problem = asked && problemOf(asked)
  if (problem !== undefined) return refused(draft, problem)
  if (!Number.isSafeInteger(plannedBytes + (expect.size ?? 0))) {
    return refused(draft, `${expect.size ?? 0} bytes are more than can be counted`)
  }
  if (ref.kind === 'zip' && ref.files.length > MOST_FILES)
    return refused(draft, `more than ${MOST_FILES} files in one ZIP`)
  return draft
}

function refused({ server, line, ref }: Unplaced, why: string): Unplaced {
  const what = 'file' in ref ? `file ${ref.file}` : ref.kind
  return {
    server,
    ...(line !== undefined && { line }),
    ref: NO_REF,
    expect: {},
    problem: { code: 'SOURCE_MISLISTED', message: `The description of ${what} cannot be right: ${why}.` },
  }
}
