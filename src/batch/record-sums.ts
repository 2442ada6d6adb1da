import { createHash } from 'node:crypto'
import { mapInOrder } from '../async/map-in-order.ts'
import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { recordLines } from './record.ts'

/** The list itself, in the folder of its records. */
export const LIST = 'records.sha256'

/** A record of a batch. */
export interface RecordSum {
  /** Relative to the batch's folder. */
  readonly name: string
  readonly size: number
  readonly sha256: string
}

/** A record compared with the list. `extra`: it is not in it. */
export type RecordFinding =
  ({ readonly state: 'right' } & RecordSum) | { readonly state: 'changed' | 'missing' | 'extra'; readonly name: string }

/** How many records are read at the same time: most are small, and a store takes its time to answer. */
export const AT_ONCE = { concurrency: 8, ahead: 16 }

/** The line of `sha256sum` for a record. */
export function sumLine({ sha256, name }: Pick<RecordSum, 'sha256' | 'name'>): Uint8Array {
  return Buffer.from(`${sha256}  ${name}\n`)
}

/** The records of a batch that its list names, without those that the list is about to be made with, by name. */
export async function listedRecords(records: Records, id: BatchId): Promise<readonly string[]> {
  const own = [names.recordSums(id), names.signature(id), names.signers(id), names.hold(id)]
  const all = await records.list(id)
  return all.filter((name) => !own.includes(name)).sort()
}

/** Reads records, in the order of their names. */
export async function* recordSums(
  records: Records,
  id: BatchId,
  listed: readonly string[],
): AsyncGenerator<RecordSum, void> {
  yield* mapInOrder(listed, AT_ONCE, async (name) => ({
    name: name.slice(id.length + 1),
    ...(await recordSum(records, name)),
  }))
}

/** Reads a record; one that is not there has no bytes. */
export async function recordSum(records: Records, name: string): Promise<Omit<RecordSum, 'name'>> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of records.streamLog(name, 0)) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, sha256: hash.digest('hex') }
}

/** Compares the records of a batch with its list; nothing, not even a finding, where there is no list. */
export async function* checkRecords(records: Records, id: BatchId): AsyncGenerator<RecordFinding, void> {
  const expected = new Map<string, string>()
  let isThere = false
  for await (const { text } of recordLines(records.streamLog(names.recordSums(id), 0))) {
    isThere = true
    const [, sha256, name] = LINE.exec((text ?? '').slice(0, LONGEST_LINE)) ?? []
    if (sha256 !== undefined && name !== undefined) expected.set(name, sha256)
    else yield { state: 'changed', name: LIST }
  }
  if (!isThere) return
  for await (const sum of recordSums(records, id, await listedRecords(records, id))) {
    const { name, sha256 } = sum
    const state = !expected.has(name) ? 'extra' : expected.get(name) === sha256 ? 'right' : 'changed'
    expected.delete(name)
    yield state === 'right' ? { state, ...sum } : { state, name }
  }
  for (const name of expected.keys()) yield { state: 'missing', name }
}

const LINE = /^([0-9a-f]{64}) {2}(.+)$/
const LONGEST_LINE = 4096
