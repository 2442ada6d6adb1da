import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { recordLines } from './record.ts'

/** Every how many lines the index holds a byte offset. */
export const BLOCK = 1_000

/** What `items.ndjson` itself says, whatever its index and `plan.json` say. */
export interface ScannedItems {
  /** Where each block begins: at the first of its readable lines. */
  readonly offsets: readonly number[]
  /** Lines up to the last readable one, including unreadable ones in between. */
  readonly items: number
  /** Bytes up to the end of that line. */
  readonly bytes: number
  /** After it: unreadable lines, and the bytes up to the end of the last one. */
  readonly more: number
  readonly allBytes: number
}

interface Line {
  readonly n: number
  readonly from: number
  readonly to: number
}

/**
 * Scans all whole lines once, in bounded memory.
 * @param until bytes to look at
 */
export async function scanItems(records: Records, batch: BatchId, until = Infinity): Promise<ScannedItems> {
  const offsets: number[] = []
  let [items, bytes, skipped, allBytes] = [0, 0, 0, 0]
  let doubtful: Line | undefined
  const take = ({ n, from, to }: Line): void => {
    while (offsets.length * BLOCK <= n) offsets.push(from)
    items = n + 1
    bytes = to
    skipped = 0
  }
  for await (const { text, from, to } of recordLines(records.streamLog(names.items(batch), 0))) {
    if (to > until) break
    allBytes = to
    const n = lineNumber(text ?? '')
    if (n === items || n === items + skipped) take({ n, from, to })
    else if (n !== undefined && n > items && n - 1 === doubtful?.n) {
      // Lines are missing without a trace. If the next two are consecutive, their numbers are right.
      take(doubtful)
      take({ n, from, to })
    } else {
      skipped++
      doubtful = n === undefined ? undefined : { n, from, to }
    }
  }
  return { offsets, items, bytes, more: skipped, allBytes }
}

/** The number that a line of the plan carries, as `ItemsWriter` writes it; undefined for any other line. */
export function lineNumber(line: string): number | undefined {
  const digits = /^\{"n":(\d{1,15}),/.exec(line)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
