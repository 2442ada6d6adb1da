import { allItems } from '../batch/items-file.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import type { PlanState } from '../model/batch.ts'
import { entriesOf } from '../plan/intake.ts'
import { manifestBytes } from '../plan/manifest-copy.ts'
import { plan } from '../plan/planner.ts'
import type { Sink } from '../sinks/sink.ts'
import type { ExitCode } from './command.ts'
import type { Output } from './terminal/output.ts'
import { formatBytes, formatCount, plural } from './terminal/format.ts'
import type { Sources } from './sources.ts'

export interface PlanningOptions {
  readonly sources: Sources
  readonly signal: AbortSignal
  readonly onCheckpoint?: (state: PlanState) => Promise<void>
}

/** Plans what is left to plan of a batch. A complete plan is returned as it is: it names fixed things. */
export async function planBatch(sink: Sink, begun: BegunBatch, options: PlanningOptions): Promise<PlanState> {
  const { batch, plan: from } = begun
  if (from.complete) return from
  const { sources, signal, onCheckpoint } = options
  return plan({
    batch: batch.id,
    entries: entriesOf(manifestBytes(sink.records, batch.id), batch.manifest, batch.servers),
    several: batch.manifest.parts !== undefined,
    defaultServer: batch.servers[0] ?? '',
    format: batch.format,
    recursive: batch.recursive,
    filters: batch.filters,
    records: sink.records,
    catalogue: (server) => sources.catalogue(server),
    from,
    signal,
    ...(onCheckpoint && { onCheckpoint }),
  })
}

/** Entries that cannot be planned, told one by one; the rest is counted. */
const SHOWN_PROBLEMS = 20

/** Prints what a plan holds, and whether it fits. @returns 0 only when everything that was asked for could be planned */
export async function printPlan(out: Output, sink: Sink, { batch }: BegunBatch, state: PlanState): Promise<ExitCode> {
  const { totals, items, complete } = state
  const free = await sink.free()
  out.record({ event: 'plan', batch: batch.id, destination: sink.url, items, complete, ...totals, free: free ?? null })
  const facts: [string, number | string][] = [
    ['files', formatCount(items)],
    ['bytes', formatBytes(totals.size)],
    ['of unknown size', totals.unknownSize],
    ['without a checksum', totals.noChecksum],
    ['restricted', totals.restricted],
    ['embargoed', totals.embargoed],
    ['retention expired', totals.retentionExpired],
    ['cannot be planned', totals.problems],
    ['asked for twice', totals.duplicates],
    ['left out by filters', totals.filtered],
    ['renamed to be safe', totals.renamed],
  ]
  out.line(`Plan of ${batch.id}`, 'bold')
  for (const [name, value] of facts) if (value !== 0) out.line(`  ${String(value).padStart(12)}  ${name}`)
  out.line(`  ${(free === undefined ? 'unlimited' : formatBytes(free)).padStart(12)}  free at ${sink.url}`)
  if (free !== undefined && free < totals.size)
    out.warn(`The files need ${formatBytes(totals.size - free)} more than is free.`)
  const hidden = totals.restricted + totals.embargoed + totals.retentionExpired
  if (hidden > 0) out.line(`${plural(hidden, 'file')} may be refused: a token with access rights decides.`)
  if (totals.problems > 0) await printProblems(out, sink, batch.id, items)
  return totals.problems > 0 ? 1 : 0
}

async function printProblems(out: Output, sink: Sink, id: string, items: number): Promise<void> {
  let shown = 0
  for await (const { line, manifest, problem, path } of allItems(sink.records, id, items)) {
    if (!problem) continue
    if (++shown > SHOWN_PROBLEMS) return
    out.record({ event: 'problem', line: line ?? null, ...(manifest !== undefined && { manifest }), path, ...problem })
    const place = `${manifest === undefined ? '' : `${manifest} `}line ${line ?? '?'}`
    out.line(`  ${place}: ${problem.code}: ${problem.message}`, 'bad')
  }
}
