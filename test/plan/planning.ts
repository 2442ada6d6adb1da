import { EMPTY_PLAN, names, readPlanState } from '../../src/batch/folder.ts'
import { allItems } from '../../src/batch/items-file.ts'
import type { PlanState } from '../../src/model/batch.ts'
import type { Entry } from '../../src/model/entry.ts'
import type { Item } from '../../src/model/item.ts'
import type { Catalogue } from '../../src/model/listing.ts'
import type { PlacedEntry } from '../../src/plan/intake.ts'
import { plan, type PlanRequest } from '../../src/plan/planner.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { never } from '../contracts/sink-bytes.ts'

export const SERVER = 'https://demo.invalid'
export const BATCH = 'b1'

export interface Planned {
  readonly items: readonly Item[]
  readonly state: PlanState
  readonly records: Records
}

/** Plans from where the records say that planning got to. */
export async function planFrom(
  records: Records,
  entries: readonly Entry[],
  catalogue: Catalogue | ((server: string) => Catalogue),
  more: Partial<PlanRequest> = {},
): Promise<PlanState> {
  return plan({
    batch: BATCH,
    entries: numbered(entries),
    defaultServer: SERVER,
    format: 'original',
    records,
    catalogue: typeof catalogue === 'function' ? catalogue : () => catalogue,
    from: await readPlanState(records, BATCH),
    signal: never,
    ...more,
  })
}

/** Plans everything, undisturbed. */
export async function planAll(
  entries: readonly Entry[],
  catalogue: Catalogue,
  more: Partial<PlanRequest> = {},
): Promise<Planned> {
  const { records } = memorySink()
  const state = await planFrom(records, entries, catalogue, { from: EMPTY_PLAN, ...more })
  return { items: await itemsIn(records, state.items), state, records }
}

export async function itemsIn(records: Records, count: number): Promise<readonly Item[]> {
  const items: Item[] = []
  for await (const item of allItems(records, BATCH, count)) items.push(item)
  return items
}

/** `items.ndjson` as far as it counts. */
export async function textIn(records: Records): Promise<string> {
  const { bytes } = await readPlanState(records, BATCH)
  return Buffer.from(await records.readLog(names.items(BATCH), 0, bytes)).toString()
}

async function* numbered(entries: readonly Entry[]): AsyncGenerator<PlacedEntry> {
  for (const [index, entry] of entries.entries()) {
    yield await Promise.resolve({ line: index + 1, entry, manifest: 'm.csv' })
  }
}
