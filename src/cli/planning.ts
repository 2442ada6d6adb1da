import { DataferryError } from '../errors.ts'
import { allItems } from '../batch/items-file.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import type { PlanState } from '../model/batch.ts'
import type { Catalogue } from '../model/listing.ts'
import { entriesOf } from '../plan/intake.ts'
import { manifestBytes } from '../plan/manifest-copy.ts'
import { patientCatalogue, type Wait } from '../plan/patient-catalogue.ts'
import { plan } from '../plan/planner.ts'
import type { Sink } from '../sinks/sink.ts'
import type { RunningWorkers } from '../../workers/run.ts'
import type { Context, ExitCode } from './command.ts'
import type { Runtime } from './runtime.ts'
import type { Output } from './terminal/output.ts'
import { formatBytes, formatClock, formatCount, plural } from './terminal/format.ts'
import type { Sources } from './sources.ts'

type WithStream = RunningWorkers['withStream']

export interface PlanningOptions {
  readonly sources: Sources
  /** When the context's own is not enough. */
  readonly signal?: AbortSignal
  readonly onCheckpoint?: (state: PlanState) => Promise<void>
  /** Told why planning waits, and undefined when it goes on. */
  readonly onWait?: (text: string | undefined) => void
  /** Holds a stream of the server during a request; by default none is shared with anybody. */
  readonly withStream?: WithStream
}

/**
 * Plans what is left to plan of a batch, and waits while a server is away. A complete plan is returned as it is: it names fixed
 * things.
 */
export async function planBatch(
  { config, out, signal: asked }: Context,
  sink: Sink,
  begun: BegunBatch,
  {
    sources,
    signal = asked,
    onCheckpoint,
    onWait = (text) => text !== undefined && out.say(text),
    withStream,
  }: PlanningOptions,
): Promise<PlanState> {
  const { batch, plan: from } = begun
  if (from.complete) return from
  const { outageFirstMs: firstMs, outageMaxMs: maxMs, giveUpAfterMs } = config.settings
  return plan({
    batch: batch.id,
    entries: entriesOf(manifestBytes(sink.records, batch.id), batch.manifest, batch.servers),
    several: batch.manifest.parts !== undefined,
    defaultServer: batch.servers[0] ?? '',
    format: batch.format,
    recursive: batch.recursive,
    filters: batch.filters,
    records: sink.records,
    catalogue: (server) =>
      patientCatalogue(slotted(sources.catalogue(server), server, withStream), {
        isUp: (called) => sources.isUp(server, called),
        firstMs,
        maxMs,
        giveUpAfterMs,
        onWait: (wait) => onWait(wait && waitText(wait)),
      }),
    from,
    signal,
    ...(onCheckpoint && { onCheckpoint }),
  })
}

function waitText({ reason, since, nextLook }: Wait): string {
  return `Planning has waited since ${formatClock(since)} and looks again at ${formatClock(nextLook)}: ${reason}`
}

/** Plans beside the work. `failed` aborts with the error of planning; `stop` ends it, before its workers are closed. */
export function startPlanning(
  context: Context,
  sink: Sink,
  begun: BegunBatch,
  sources: Sources,
  { ledger }: Pick<Runtime, 'ledger'>,
  workers: RunningWorkers | undefined,
): { readonly failed: AbortSignal; readonly stop: () => Promise<void> } {
  const failed = new AbortController()
  const stopping = new AbortController()
  const planning = planBatch(context, sink, begun, {
    sources,
    signal: AbortSignal.any([context.signal, stopping.signal]),
    onCheckpoint: ({ items, totals, complete }) => ledger.setPlanned(begun.batch.id, items, totals.size, complete),
    ...(workers && {
      onWait: (text) => workers.notices.set('planning', text),
      withStream: (...request) => workers.withStream(...request),
    }),
  }).catch((error: unknown) => failed.abort(error))
  const stop = async (): Promise<void> => {
    stopping.abort(new DataferryError('INTERRUPTED', 'Planning was asked to stop.'))
    await planning
  }
  return { failed: failed.signal, stop }
}

/** Every question of planning has its place among the streams of the server. */
function slotted(catalogue: Catalogue, server: string, withStream: WithStream | undefined): Catalogue {
  if (!withStream) return catalogue
  return {
    version: (...asked) => withStream(server, asked[2], () => catalogue.version(...asked)),
    tellsCase: (...asked) => withStream(server, asked[0], () => catalogue.tellsCase(...asked)),
    file: (...asked) => withStream(server, asked[1], () => catalogue.file(...asked)),
    // A listing comes in pages while it is planned: it does not keep a stream meanwhile.
    files: (...asked) => catalogue.files(...asked),
  }
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
