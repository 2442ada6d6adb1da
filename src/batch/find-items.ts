import { parseJson } from '../json/parse-json.ts'
import type { BatchId } from '../model/batch.ts'
import { itemSchema, type Item } from '../model/item.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { BLOCK, lineNumber } from './items-scan.ts'
import { recordLines } from './record.ts'

/** A line that was looked at. */
export interface ScannedLine {
  readonly n: number
  /** Undefined: its path does not hold the text. */
  readonly item: Item | undefined
}

/**
 * Reads the plan forward from a line, and parses only what may be looked for: a line is told by its text before it is told by its
 * item. Lines that cannot be read are left out.
 * @param text part of the path, in small letters; empty: every item
 */
export async function* findItems(
  records: Records,
  batch: BatchId,
  from: number,
  text: string,
): AsyncGenerator<ScannedLine> {
  const written = JSON.stringify(text).slice(1, -1).toLowerCase()
  for await (const { text: line } of recordLines(
    records.streamLog(names.items(batch), await offsetOf(records, batch, from)),
  )) {
    const n = lineNumber(line ?? '')
    if (n === undefined || n < from) continue
    yield { n, item: line?.toLowerCase().includes(written) ? matching(line, text) : undefined }
  }
}

function matching(line: string, text: string): Item | undefined {
  const item = itemSchema.safeParse(parseJson(line)).data
  return item?.path.toLowerCase().includes(text) ? item : undefined
}

/** Where the block of a line begins, if its index says so and is right; else the beginning. */
async function offsetOf(records: Records, batch: BatchId, from: number): Promise<number> {
  const block = Math.floor(from / BLOCK)
  if (block === 0) return 0
  const bytes = Buffer.from(await records.readLog(names.index(batch), block * 8, block * 8 + 8))
  if (bytes.length < 8) return 0
  const offset = Number(bytes.readBigUInt64LE())
  if (!Number.isSafeInteger(offset)) return 0
  const head = Buffer.from(await records.readLog(names.items(batch), offset, offset + 32)).toString('utf8')
  return lineNumber(head) === block * BLOCK ? offset : 0
}
