import { z } from 'zod'
import { nothing } from '../../async/nothing.ts'
import { ExternalSort, sortText } from '../../batch/external-sort.ts'
import { recordLines } from '../../batch/record.ts'
import { parseJson } from '../../json/parse-json.ts'
import { joined } from '../../mirror/joined.ts'
import type { Records } from '../../sinks/sink.ts'
import { resultSchema, type Result } from './result.ts'
import { runSchema, SummaryOf, writeSummary, type VerifyRun } from './summary.ts'

/** Names of the records of verification, relative to `.dataferry/`. */
export const names = {
  /** The newest result of every path, sorted by path. */
  results: 'verified/verified.ndjson',
  /** What the run that goes on, or was cut short, has found so far. */
  pending: 'verified/pending.ndjson',
  /** The process that verifies. */
  lease: 'verified/lease.json',
} as const

const goneSchema = z.object({ path: z.string(), state: z.literal('gone') })
const lineSchema = z.union([resultSchema, goneSchema, z.object({ run: runSchema })])
/** A line of `pending.ndjson`: `gone` drops what is on record of a path; the run is the last line, once it has ended. */
export type PendingLine = z.infer<typeof lineSchema>

/** The newest result of every path, in the order of `sortText`. What cannot be read counts as not seen. */
export function readResults(records: Records): AsyncGenerator<Result, void> {
  return linesOf(records, names.results, resultSchema)
}

/**
 * Merges what a run has found into the results on record, replaces these in one step, and brings the summary up to date.
 * Repeatable: nothing is lost by a crash in between. Nothing happens where no run has left anything.
 */
export async function mergePending(records: Records, now: Date): Promise<void> {
  await using found = new ExternalSort<Result | z.infer<typeof goneSchema>>(z.union([resultSchema, goneSchema]))
  let run: VerifyRun | undefined
  let isEmpty = true
  for await (const line of linesOf(records, names.pending, lineSchema)) {
    isEmpty = false
    if ('run' in line) run = line.run
    else await found.add(line.path, line)
  }
  if (isEmpty) return
  const summary = new SummaryOf()
  // What a whole run has not met is not known any more.
  const old = run?.mode === 'full' ? nothing() : keyed(readResults(records))
  async function* merged(): AsyncGenerator<Uint8Array> {
    for await (const { left, right } of joined(keyed(newest(found)), old)) {
      const result = left?.value ?? right?.value
      if (result === undefined || result.state === 'gone') continue
      summary.add(result)
      yield Buffer.from(`${JSON.stringify(result)}\n`)
    }
  }
  await records.write(names.results, merged())
  await writeSummary(records, summary, run, now)
  await records.remove(names.pending)
}

async function* newest<T>(sorted: ExternalSort<T>): AsyncGenerator<T> {
  for await (const { values } of sorted.groups()) {
    const last = values.at(-1)
    if (last !== undefined) yield last
  }
}

/** With the text by which paths are sorted. */
export async function* keyed<T extends { readonly path: string }>(
  values: AsyncIterable<T>,
): AsyncGenerator<{ readonly id: string; readonly value: T }, void> {
  for await (const value of values) yield { id: sortText(value.path), value }
}

async function* linesOf<T>(records: Records, name: string, schema: z.ZodType<T>): AsyncGenerator<T, void> {
  for await (const { text } of recordLines(records.streamLog(name, 0))) {
    const parsed = schema.safeParse(text === undefined ? undefined : parseJson(text))
    if (parsed.success) yield parsed.data
  }
}
