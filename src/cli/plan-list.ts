import { pMapIterable } from 'p-map'
import type { BegunBatch } from '../plan/begin-batch.ts'
import { EarlierBatches } from '../batch/earlier-batches.ts'
import { allItems } from '../batch/items-file.ts'
import { DataferryError } from '../errors.ts'
import type { PlanState } from '../model/batch.ts'
import { itemKey } from '../model/item-key.ts'
import type { Item } from '../model/item.ts'
import type { Sink } from '../sinks/sink.ts'
import { keepExisting } from '../transfer/existing.ts'
import type { Context } from './command.ts'
import { formatBytes, formatCount } from '../model/format.ts'
import type { Output } from './terminal/output.ts'
import { pad } from './terminal/text.ts'

/** What would happen to a file if the plan were carried out now, in the order of the totals. */
const OUTLOOKS = ['fetch', 'withheld', 'already there', 'in the way', 'cannot be planned'] as const
type Outlook = (typeof OUTLOOKS)[number]

interface Sum {
  files: number
  /** Of the known sizes. */
  bytes: number
}
type Sums = Readonly<Record<Outlook, Sum>>

/** Files looked up at the same time: an object store takes a while for each. */
const CONCURRENCY = 8

/**
 * Prints every file of a plan with what would happen to it, in the order of the plan, and the totals. What is at the
 * destination is compared as `run` would do it, so existing files are read. @returns whether all could be fetched
 */
export async function printList(
  { out, signal }: Pick<Context, 'out' | 'signal'>,
  sink: Sink,
  begun: BegunBatch,
  { items }: PlanState,
): Promise<boolean> {
  const { batch } = begun
  const earlier = new EarlierBatches(sink.records, batch.id)
  const sums = Object.fromEntries(OUTLOOKS.map((outlook) => [outlook, { files: 0, bytes: 0 }])) as Record<Outlook, Sum>
  const look = async (item: Item): Promise<readonly [Item, Outlook]> => {
    const key = itemKey(batch.id, item.n)
    const run = { key, policy: batch.existing, earlier: (one: Item) => earlier.find(one), signal }
    return [item, await outlookOf(item, () => keepExisting(item, sink, run))]
  }
  const looked = pMapIterable(allItems(sink.records, batch.id, items), look, { concurrency: CONCURRENCY })
  for await (const [item, outlook] of looked) {
    sums[outlook].files++
    sums[outlook].bytes += item.expect.size ?? 0
    printItem(out, item, outlook)
  }
  printSums(out, sums)
  return sums['in the way'].files === 0 && sums['cannot be planned'].files === 0
}

async function outlookOf(item: Item, look: () => Promise<unknown>): Promise<Outlook> {
  if (item.problem) return 'cannot be planned'
  try {
    if (await look()) return 'already there'
  } catch (error) {
    if (error instanceof DataferryError && IN_THE_WAY.has(error.code)) return 'in the way'
    throw error
  }
  return item.withheld ? 'withheld' : 'fetch'
}

const IN_THE_WAY: ReadonlySet<string> = new Set(['SINK_EXISTS', 'SINK_DENIED'])

/** Columns of the words and of a size. */
const [WORD, SIZE] = [Math.max(...OUTLOOKS.map((word) => word.length)), 9]

function printItem(out: Output, { path, expect, withheld, problem, line, manifest }: Item, outlook: Outlook): void {
  const { size, checksum } = expect
  const sum = checksum && `${checksum.algorithm}:${checksum.hex}`
  out.record({
    event: 'file',
    path,
    size: size ?? null,
    checksum: sum ?? null,
    outlook,
    ...(withheld && { withheld }),
    ...(problem && { line: line ?? null, ...(manifest !== undefined && { manifest }), code: problem.code }),
  })
  const facts = [pad(outlook, WORD), pad(size === undefined ? '?' : formatBytes(size), SIZE, 'right'), sum ?? '-', path]
  out.line(facts.join('  '), outlook === 'in the way' || outlook === 'cannot be planned' ? 'bad' : 'plain')
}

function printSums(out: Output, sums: Sums): void {
  out.record({ event: 'totals', ...sums })
  for (const outlook of OUTLOOKS) {
    const { files, bytes } = sums[outlook]
    const known = bytes > 0 ? ` (${formatBytes(bytes)})` : ''
    if (files > 0) out.line(`${formatCount(files).padStart(8)}  ${outlook}${known}`, 'bold')
  }
}
