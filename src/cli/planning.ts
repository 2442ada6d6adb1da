import { anySignal } from '../async/any-signal.ts'
import { DataferryError } from '../errors.ts'
import { allItems } from '../batch/items-file.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import type { PlanState } from '../model/batch.ts'
import type { Wait } from '../model/notice.ts'
import type { TakeSlot } from '../model/take-slot.ts'
import { entriesOf } from '../plan/intake.ts'
import { manifestBytes } from '../plan/manifest-copy.ts'
import { patientCatalogue } from '../plan/patient-catalogue.ts'
import { patientPlan } from '../plan/patient-plan.ts'
import { plan } from '../plan/planner.ts'
import type { Sink } from '../sinks/sink.ts'
import type { RunningWorkers } from '../../workers/run.ts'
import type { Context, ExitCode } from './command.ts'
import { checkAnswers } from './guestbook-check.ts'
import { keepAllTerms, tellTerms } from './keep-terms.ts'
import { openQuestionSlots } from './open-question-slots.ts'
import type { Runtime } from './runtime.ts'
import type { Output } from './terminal/output.ts'
import { formatBytes, formatCount, plural } from '../model/format.ts'
import type { Sources } from './sources.ts'
import { tellWait } from './tell-notices.ts'

export interface PlanningOptions {
  readonly sources: Sources
  /** When the context's own is not enough. */
  readonly signal?: AbortSignal
  readonly onCheckpoint?: (state: PlanState) => Promise<void>
  /** Told why planning waits, and undefined when it goes on; by default people are told. */
  readonly onWait?: (wait: Wait | undefined) => void
  /** Waits for a slot for one more request; by default there is no limit. */
  readonly takeSlot?: TakeSlot | undefined
}

/**
 * Finishes the plan of a batch, waiting while a server is away or the destination cannot be used. A complete plan is returned as
 * it is: what it names is fixed.
 */
export async function planBatch(
  context: Context,
  sink: Sink,
  begun: BegunBatch,
  { sources, signal = context.signal, onCheckpoint, onWait = tellWait(context), takeSlot }: PlanningOptions,
): Promise<PlanState> {
  const { batch } = begun
  if (begun.plan.complete) return begun.plan
  const planFrom = (from: PlanState): Promise<PlanState> =>
    plan({
      batch: batch.id,
      entries: entriesOf(manifestBytes(sink.records, batch.id), batch.manifest, batch.servers),
      several: batch.manifest.parts !== undefined,
      defaultServer: batch.servers[0] ?? '',
      format: batch.format,
      recursive: batch.recursive,
      filters: batch.filters,
      records: sink.records,
      catalogue: (server) =>
        patientCatalogue(sources.native(server, takeSlot), sources.patience(server, 'Planning', onWait)),
      from,
      signal,
      ...(onCheckpoint && { onCheckpoint }),
    })
  const { giveUpAfterMs } = context.config.settings
  return patientPlan({ batch: batch.id, sink, from: begun.plan, plan: planFrom, giveUpAfterMs, onWait, signal })
}

/**
 * Plans a batch to its end before anything of it is fetched, where answers to guestbooks are given, which are checked then, or
 * terms of use are accepted, which are kept. Rejects with `CONFIG_INVALID` where answers are missing. Otherwise planning is left
 * to go on while the work runs. Redis learns of it from the records.
 */
export async function planAhead(
  context: Context,
  sink: Sink,
  begun: BegunBatch,
  sources: Sources,
  runtime: Runtime,
): Promise<BegunBatch> {
  const { batch } = begun
  const answers = context.config.settings.guestbook !== undefined
  if (!answers && !batch.acceptTerms) return begun
  await using slots = await openQuestionSlots(context, runtime)
  if (!begun.plan.complete) context.out.say('Planning all of it before anything is fetched …')
  const plan = await planBatch(context, sink, begun, { sources, takeSlot: slots.takeSlot })
  if (answers) await checkAnswers(context, sink, batch, plan, { sources })
  if (batch.acceptTerms) await keepAllTerms(context, sink, batch, plan, sources)
  return { ...begun, plan }
}

/** Time for a look at what the guestbooks of a batch ask. */
const HINT_MS = 10_000

/** Plans while the work runs. `failed` aborts with the error of planning; `stop` ends it, before its workers are closed. */
export function startPlanning(
  context: Context,
  sink: Sink,
  begun: BegunBatch,
  sources: Sources,
  { ledger }: Pick<Runtime, 'ledger'>,
  { takeSlot, notices }: Pick<RunningWorkers, 'notices'> & Pick<PlanningOptions, 'takeSlot'>,
): { readonly failed: AbortSignal; readonly stop: () => Promise<void> } {
  const failed = new AbortController()
  const stopping = new AbortController()
  const options = {
    sources,
    signal: anySignal(context.signal, stopping.signal),
    onWait: (wait: Wait | undefined) => notices.set('planning', wait),
  }
  const plan = async (): Promise<void> => {
    const onCheckpoint = ({ items, totals, complete }: PlanState): Promise<void> =>
      ledger.setPlanned(begun.batch.id, items, totals.size, complete)
    const state = await planBatch(context, sink, begun, { ...options, takeSlot, onCheckpoint })
    tellTerms(context, begun.batch, state)
    // Answers that are given were checked before.
    if (context.config.settings.guestbook !== undefined) return
    // A short batch may have ended by now: the hint is given all the same, but a server that is away is not waited for.
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(HINT_MS)])
    await checkAnswers(context, sink, begun.batch, state, { ...options, signal })
  }
  const planning = plan().catch((error: unknown) => failed.abort(error))
  const stop = async (): Promise<void> => {
    stopping.abort(new DataferryError('INTERRUPTED', 'Planning was asked to stop.'))
    await planning
  }
  return { failed: failed.signal, stop }
}

/** Entries that cannot be planned and are named; the rest is counted. */
const SHOWN_PROBLEMS = 20

/** Prints what a plan holds, and whether it fits. @returns 0 only when everything that was requested could be planned */
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
  if (hidden > 0) out.line(`${plural(hidden, 'file')} may be refused, unless your token has access.`)
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
