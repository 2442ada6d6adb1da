import { anySignal } from '../../async/any-signal.ts'
import { movedHere } from '../../batch/destination.ts'
import { isReported, readReport } from '../../batch/report.ts'
import { names as batchNames, readBatch, removeFolder } from '../../batch/folder.ts'
import { DataferryError, isAbort, messageOf } from '../../errors.ts'
import { dropPending, type Phase, type PendingRun } from '../../mirror/pending.ts'
import { patientSource } from '../../mirror/patient-source.ts'
import type { RunReport } from '../../mirror/report.ts'
import { MirrorRuns } from '../../ledger/mirror-runs.ts'
import { beginPreview, runMirror, type Lacking, type MirrorRunOptions } from '../../mirror/run.ts'
import { writeOrder, type MirrorOrder } from '../../mirror/order.ts'
import type { MirrorSource } from '../../model/mirror-source.ts'
import { beginBatch, type BatchRequest, type BegunBatch } from '../../plan/begin-batch.ts'
import { MIRROR_FORMAT } from '../../plan/mirror-entries.ts'
import { openPlan } from '../../plan/open-plan.ts'
import type { Sink } from '../../sinks/sink.ts'
import { runBatch } from '../batch-run.ts'
import type { Context, ExitCode } from '../command.ts'
import { pasted } from '../pasted.ts'
import { openQuestionSlots } from '../open-question-slots.ts'
import { lazyRuntime, type LazyRuntime, type Runtime } from '../runtime.ts'
import { Sources } from '../sources.ts'
import { tellWait } from '../tell-notices.ts'
import { isShared } from '../is-shared.ts'
import { runShared } from '../shared-run.ts'
import { plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { objectStore } from './object-store.ts'
import { printPreview, printRun } from './print.ts'
import { asIfServerGiven, namedMirror, ownMirror, withSink } from './with-mirror.ts'
import { readShare } from './read-scope.ts'

/** `dataferry mirror run`: finds what changed, fetches that, and records it. */
export async function runNamedMirror(given: Context): Promise<ExitCode> {
  const bringBatch = isShared(given.config) ? runShared : runBatch
  return withSink(given, async (sink) => {
    const order = await namedMirror(given, sink)
    const context = asIfServerGiven(given, order)
    await using runtime = lazyRuntime(context, 'worker')
    const opened = await runtime.get()
    await using ownership = await ownMirror(context, opened, order, sink)
    const signal = anySignal(context.signal, ownership.lost)
    const parts = { sink, order: await withDigests(context, sink, order), runtime, bringBatch }
    try {
      return await (context.has('dry-run') ? preview : bring)({ ...context, signal }, parts)
    } catch (error) {
      if (!isAbort(error) || !context.signal.aborted) throw error
      context.out.say('Parked. The same command goes on where it was:')
      context.out.command(pasted(context.config, 'mirror', ['run', order.name]))
      return 130
    }
  })
}

/** The order with the digests that the command line adds to it: they are taken of whatever is fetched from now on. */
async function withDigests(
  { config, has, out }: Context,
  { records, url }: Sink,
  order: MirrorOrder,
): Promise<MirrorOrder> {
  const known = order.digests ?? []
  const added = [...new Set(config.settings.digest)].filter((digest) => !known.includes(digest))
  if (added.length === 0 || has('dry-run')) return order
  const changed = { ...order, digests: [...known, ...added] }
  await writeOrder(records, changed)
  out.say(
    `From now on mirror ${order.name} takes ${added.join(' and ')} of what it fetches. To take it of what is held:`,
  )
  const flags = added.flatMap((digest) => ['--digest', digest])
  out.command(pasted(config, 'verify', [shownUrl(url), ...flags]))
  return changed
}

async function bring(context: Context, parts: Parts): Promise<ExitCode> {
  const { order, runtime, sink } = parts
  for (;;) {
    await using asking = await Asking.open(context, runtime, order)
    const end = await runMirror(optionsOf(context, parts, asking))
    if (!end) return 130
    await recordEnd(context, sink, end.report, await runtime.get())
    if (!end.isLess) return await printRun(context, sink, order, end.report)
    context.out.say('The run that had begun earlier has ended. Now the one that was asked for:')
  }
}

/** Says in Redis how it ended, for those who are told of mirrors. */
async function recordEnd(
  { config, log }: Context,
  { url }: Sink,
  report: RunReport,
  { client }: Runtime,
): Promise<void> {
  const { mirror, run, finishedAt, complete, datasets, files } = report
  const changes = Object.entries(datasets).filter(([what]) => what !== 'unchanged' && what !== 'failed')
  const changed = changes.reduce((sum, [, count]) => sum + count, 0)
  const facts = { mirror, destination: url, run, endedAt: finishedAt, complete, changed, fetched: files.fetched }
  const recorded = new MirrorRuns(client, config.settings.prefix).ended(facts)
  await recorded.catch((error: unknown) => log.warn({ problem: messageOf(error) }, 'its end could not be told'))
}

async function preview(context: Context, parts: Parts): Promise<ExitCode> {
  const { order, runtime, sink } = parts
  await using asking = await Asking.open(context, runtime, order)
  const run = await beginPreview(optionsOf(context, parts, asking))
  try {
    return await printPreview(context, sink, order, await run.preview())
  } finally {
    await dropPending(sink.records, order.name)
  }
}

interface Parts {
  readonly sink: Sink
  readonly order: MirrorOrder
  readonly runtime: LazyRuntime
  /** Brings a batch home, with other workers or without. */
  readonly bringBatch: typeof runShared
}

function optionsOf(context: Context, parts: Parts, asking: Asking): MirrorRunOptions {
  const { sink, order, runtime } = parts
  return {
    order,
    sink,
    source: asking.source,
    store: objectStore(context, sink, order),
    full: context.has('full'),
    answers: context.config.settings.guestbook !== undefined,
    maxRemovals: readShare('max-removals', context.text('max-removals')),
    now: context.now,
    signal: context.signal,
    onPhase: (phase, run) => tell(context, order, phase, run),
    requests: () => asking.requests,
    fetch: async (lacking, batch, begun) => {
      // The batch has workers of its own.
      await asking[Symbol.asyncDispose]()
      return fetchLacking(context, parts, lacking, { batch, begun })
    },
    forget: async (batch) => {
      await (await runtime.get()).ledger.forget(batch)
      // Once folded into the state of its mirror it leaves no folder: years of nights would leave thousands.
      await removeFolder(sink.records, batch, batchNames.batch(batch))
    },
  }
}

const PHASES: Readonly<Partial<Record<Phase, string>>> = {
  sweep: 'Looking for datasets …',
  compare: 'Comparing with what is held …',
  clear: 'Moving files to where they are now …',
  link: 'Giving files their further paths …',
  store: 'Adding versions to objects …',
}

function tell({ out }: Context, { layout }: MirrorOrder, phase: Phase, { progress, why }: PendingRun): void {
  const text = PHASES[phase]
  if (text === undefined || isIdle(layout, phase, progress)) return
  if (phase === 'compare' && why !== undefined) out.say(why)
  out.say(text)
}

/** Whether a phase has nothing to do. */
function isIdle(
  layout: MirrorOrder['layout'],
  phase: Phase,
  { moves, touched, lengths }: PendingRun['progress'],
): boolean {
  switch (phase) {
    case 'clear':
      return moves === 0
    case 'link':
      return lengths.links === 0
    case 'store':
      return layout === 'tree' || touched === 0
    default:
      return false
  }
}

/** Brings a batch of what is lacking home. */
async function fetchLacking(
  context: Context,
  { sink, order, runtime, bringBatch }: Parts,
  lacking: Lacking,
  { batch, begun }: { readonly batch: string | undefined; readonly begun: (batch: string) => Promise<void> },
): Promise<'ended' | 'parked'> {
  const opened = await openBatch(context, sink, order, lacking, batch)
  if (opened.batch.id !== batch) await begun(opened.batch.id)
  if (await isReported(sink.records, opened.batch.id)) return 'ended'
  context.out.say(`Fetching ${plural(lacking.files, 'file')} …`)
  // How the files ended is told with the run.
  const code = await bringBatch(context, sink, opened, runtime, () => Promise.resolve(0))
  if (code === 130) return 'parked'
  if (await readReport(sink.records, opened.batch.id)) return 'ended'
  throw new DataferryError('BATCH_NOT_FOUND', `Batch ${opened.batch.id} has ended without a report.`)
}

async function openBatch(
  { config: { settings } }: Context,
  sink: Sink,
  { name, server, digests }: MirrorOrder,
  { sha256, files, bytes }: Lacking,
  known: string | undefined,
): Promise<BegunBatch> {
  const there = known === undefined ? undefined : await readBatch(sink.records, known)
  if (there) {
    const batch = await movedHere(sink, there)
    return { batch, plan: await openPlan(sink.records, batch), resumed: true }
  }
  const { bundle, bundleUnverified } = settings
  const request: BatchRequest = {
    servers: [server],
    format: 'original',
    // What somebody else put at a path is not overwritten by a mirror.
    existing: 'error',
    bundle,
    bundleUnverified,
    ...(digests && { digests }),
    manifest: { name: `mirror-${name}`, format: MIRROR_FORMAT, sha256, entries: files },
  }
  return beginBatch(sink, request, bytes, false)
}

/** The server of a mirror, asked within its streams; told of waits. */
class Asking implements AsyncDisposable {
  readonly source: MirrorSource
  readonly requests: Readonly<Record<string, number>>
  readonly #end: () => Promise<void>
  #ended: Promise<void> | undefined

  private constructor(source: MirrorSource, requests: Readonly<Record<string, number>>, end: () => Promise<void>) {
    this.source = source
    this.requests = requests
    this.#end = end
  }

  static async open(context: Context, lazy: LazyRuntime, { server }: MirrorOrder): Promise<Asking> {
    const slots = await openQuestionSlots(context, await lazy.get())
    const sources = new Sources(context, [server])
    const requests: Record<string, number> = {}
    const source = patientSource(sources.mirror(server, { takeSlot: slots.takeSlot, now: context.now }), {
      patience: sources.patience(server, 'The mirror', tellWait(context)),
      count: (kind) => (requests[kind] = (requests[kind] ?? 0) + 1),
    })
    return new Asking(source, requests, async () => {
      await slots[Symbol.asyncDispose]()
      await sources.close()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#ended ??= this.#end())
  }
}
