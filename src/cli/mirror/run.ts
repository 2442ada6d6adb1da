import { isReported, readReport } from '../../batch/report.ts'
import { names as batchNames, readBatch, removeFolder } from '../../batch/folder.ts'
import { DataferryError, isAbort } from '../../errors.ts'
import { markDestination } from '../../batch/destination.ts'
import { dropPending, type Phase, type PendingRun } from '../../mirror/pending.ts'
import { patientSource } from '../../mirror/patient-source.ts'
import { beginPreview, runMirror, type Lacking, type MirrorRunOptions } from '../../mirror/run.ts'
import type { MirrorOrder } from '../../mirror/order.ts'
import type { MirrorSource } from '../../model/mirror-source.ts'
import { beginBatch, type BatchRequest, type BegunBatch } from '../../plan/begin-batch.ts'
import { MIRROR_FORMAT } from '../../plan/mirror-entries.ts'
import { openPlan } from '../../plan/open-plan.ts'
import type { Sink } from '../../sinks/sink.ts'
import { runBatch } from '../batch-run.ts'
import type { Context, ExitCode } from '../command.ts'
import { pasted } from '../pasted.ts'
import { openQuestionSlots } from '../open-question-slots.ts'
import { lazyRuntime, type LazyRuntime } from '../runtime.ts'
import { Sources } from '../sources.ts'
import { tellWait } from '../tell-notices.ts'
import { runShared } from '../shared-run.ts'
import { plural } from '../terminal/format.ts'
import { printPreview, printRun } from './print.ts'
import { namedMirror, ownMirror, withSink } from './with-mirror.ts'
import { readShare } from './read-scope.ts'

/** `dataferry mirror run`: finds what changed, fetches that, and records it. */
export function runNamedMirror(context: Context): Promise<ExitCode> {
  return withSink(context, async (sink) => {
    const order = await namedMirror(context, sink)
    await using runtime = lazyRuntime(context, 'worker')
    const opened = await runtime.get()
    await using ownership = await ownMirror(context, opened, order, sink)
    const signal = AbortSignal.any([context.signal, ownership.lost])
    const asking = await Asking.open({ ...context, signal }, runtime, order)
    const options = optionsOf({ ...context, signal }, { sink, order, runtime, asking })
    try {
      return context.has('dry-run') ? await preview(context, sink, options) : await bring(context, sink, options)
    } catch (error) {
      if (!isAbort(error) || !context.signal.aborted) throw error
      context.out.say('Parked. The same command goes on where it was:')
      context.out.command(pasted(context.config, 'mirror', ['run', order.name]))
      return 130
    } finally {
      await asking.close()
    }
  })
}

async function bring(context: Context, sink: Sink, options: MirrorRunOptions): Promise<ExitCode> {
  const report = await runMirror(options)
  if (!report) return 130
  return printRun(context, sink, options.order, report)
}

async function preview(context: Context, sink: Sink, options: MirrorRunOptions): Promise<ExitCode> {
  const run = await beginPreview(options)
  try {
    return await printPreview(context, sink, options.order, await run.preview())
  } finally {
    await dropPending(sink.records, options.order.name)
  }
}

interface Parts {
  readonly sink: Sink
  readonly order: MirrorOrder
  readonly runtime: LazyRuntime
  readonly asking: Asking
}

function optionsOf(context: Context, { sink, order, runtime, asking }: Parts): MirrorRunOptions {
  return {
    order,
    sink,
    source: asking.source,
    full: context.has('full'),
    maxRemovals: readShare('max-removals', context.text('max-removals')),
    now: () => new Date(),
    signal: context.signal,
    onPhase: (phase, run) => tell(context, phase, run),
    requests: () => asking.requests,
    fetch: async (lacking, batch, begun) => {
      // The batch has workers of its own.
      await asking.close()
      return fetchLacking(context, { sink, order, runtime, asking }, lacking, { batch, begun })
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
}

function tell({ out }: Context, phase: Phase, { progress, sweep, why }: PendingRun): void {
  const text = PHASES[phase]
  const isEmpty = phase === 'clear' ? progress.moves === 0 : phase === 'link' && progress.lengths.links === 0
  if (text === undefined || isEmpty) return
  if (phase === 'compare' && sweep === 'full' && why !== undefined) out.say(why)
  out.say(text)
}

/** Brings a batch of what is lacking home. */
async function fetchLacking(
  context: Context,
  { sink, order, runtime }: Parts,
  lacking: Lacking,
  { batch, begun }: { readonly batch: string | undefined; readonly begun: (batch: string) => Promise<void> },
): Promise<'ended' | 'parked'> {
  const opened = await openBatch(context, sink, order, lacking, batch)
  if (batch === undefined) await begun(opened.batch.id)
  if (await isReported(sink.records, opened.batch.id)) return 'ended'
  context.out.say(`Fetching ${plural(lacking.files, 'file')} …`)
  // How the files ended is told with the run.
  const bring = context.config.settings.share ? runShared : runBatch
  const code = await bring(context, sink, opened, runtime, () => Promise.resolve(0))
  if (code === 130) return 'parked'
  if (await readReport(sink.records, opened.batch.id)) return 'ended'
  throw new DataferryError('BATCH_NOT_FOUND', `Batch ${opened.batch.id} has ended without a report.`)
}

async function openBatch(
  { config: { settings } }: Context,
  sink: Sink,
  { name, server }: MirrorOrder,
  { sha256, files, bytes }: Lacking,
  known: string | undefined,
): Promise<BegunBatch> {
  const batch = known === undefined ? undefined : await readBatch(sink.records, known)
  if (batch) return { batch, plan: await openPlan(sink.records, batch), resumed: true }
  const { bundle, bundleUnverified } = settings
  const request: BatchRequest = {
    servers: [server],
    format: 'original',
    // What somebody else put at a path is not overwritten by a mirror.
    existing: 'error',
    bundle,
    bundleUnverified,
    manifest: { name: `mirror-${name}`, format: MIRROR_FORMAT, sha256, entries: files },
  }
  await markDestination(sink.records)
  return beginBatch(sink, request, bytes, false)
}

/** The server of a mirror, asked within its streams; told of waits. */
class Asking {
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
    const slots = openQuestionSlots(context, await lazy.get())
    const sources = new Sources(context, [server])
    const requests: Record<string, number> = {}
    const source = patientSource(sources.mirror(server, slots.takeSlot), {
      patience: sources.patience(server, 'The mirror', tellWait(context)),
      count: (kind) => (requests[kind] = (requests[kind] ?? 0) + 1),
    })
    return new Asking(source, requests, async () => {
      await slots[Symbol.asyncDispose]()
      await sources.close()
    })
  }

  close(): Promise<void> {
    return (this.#ended ??= this.#end())
  }
}
