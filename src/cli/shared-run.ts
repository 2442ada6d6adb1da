import { PUBLIC_SCOPE, TOKEN_SCOPE } from '../../jobs/scope.ts'
import type { RunningWorkers } from '../../workers/run.ts'
import type { ScopeOfWork } from '../../workers/wiring.ts'
import { every } from '../async/every.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import { tokenFor, type LoadedConfig } from '../config/config.ts'
import { messageOf } from '../errors.ts'
import { writeHold } from '../batch/hold.ts'
import type { LedgerEntry } from '../ledger/ledger.ts'
import type { HeldItem } from '../ledger/workers.ts'
import type { BatchId } from '../model/batch.ts'
import { BY_SCHEDULE, BY_STOP_LIMIT } from '../model/limit-holds.ts'
import { livenessOf } from '../process/process-identity.ts'
import type { Sink } from '../sinks/sink.ts'
import { areServed } from '../status.ts'
import { stayer } from './batch-access.ts'
import type { Context, ExitCode } from './command.ts'
import { isLimit } from './failure.ts'
import { followBatch, type View } from './follow-batch.ts'
import { HoldsElsewhere } from './holds-elsewhere.ts'
import { openQuestionSlots } from './open-question-slots.ts'
import { own } from './ownership.ts'
import { pasted } from './pasted.ts'
import { planAhead, startPlanning } from './planning.ts'
import { learn, leaveToWorkers, release } from './recover.ts'
import type { LazyRuntime, Runtime } from './runtime.ts'
import { runToEnd, type Followed } from './run-to-end.ts'
import type { Sources } from './sources.ts'
import { startWork } from './start-work.ts'
import { printSummary } from './summary.ts'

const HELD_MS = 1_000
const HELP_MS = 2_000

/**
 * As `runBatch`, but the batch is open to every worker of this Redis; this process works only if there is none. Ctrl-C
 * leaves it to the workers; a stop limit pauses it for them, too.
 */
export function runShared(
  context: Context,
  sink: Sink,
  begun: BegunBatch,
  lazy: LazyRuntime,
  summary = printSummary,
): Promise<ExitCode> {
  const { config, signal, limits, out, log } = context
  const { id, servers } = begun.batch
  const work = async (sources: Sources): Promise<Followed> => {
    const runtime = await lazy.get()
    const ready = await planAhead(context, sink, begun, sources, runtime)
    await openToWorkers(context, runtime, sink, ready)
    out.record({ event: 'shared', batch: id, destination: sink.url })
    const { notices } = runtime
    const mine = { servers, tokenServers: tokenServers(config, servers), destination: sink.url }
    const gaveUp = new AbortController()
    let workers: RunningWorkers | undefined
    const help = async (): Promise<void> => {
      if (workers || (await somebodyWorks(runtime, mine))) return
      out.say('No worker is running: this command works until its batch has ended.')
      const started = await startWork(context, runtime, sources, openScopes(config, servers))
      workers = started
      started.gaveUp.addEventListener('abort', () => gaveUp.abort(started.gaveUp.reason), { once: true })
    }
    const workersNow = (): RunningWorkers | undefined => workers
    await help()
    await using slots = workersNow() ? undefined : await openQuestionSlots(context, runtime)
    const { takeSlot } = workersNow() ?? slots ?? {}
    const planning = startPlanning(context, sink, ready, sources, runtime, { takeSlot, notices })
    const elsewhere = new HoldsElsewhere(runtime.servers, notices)
    let held: readonly HeldItem[] = []
    const { bytes: before } = await runtime.ledger.summary(id)
    const look = async (): Promise<void> => {
      const others = await runtime.workers.list()
      held = others.flatMap(({ holds }) => holds)
      if (!workers) await elsewhere.look(servers, others, (url) => url === sink.url)
    }
    // The next look makes up for one that fails.
    const looking = every(HELD_MS, look, () => undefined)
    // Those that were there when it began may die.
    const helping = every(HELP_MS, help, (error) => log.warn({ problem: messageOf(error) }, 'could not help'))
    const stays = stayer(context, sink, begun.batch)
    const onLook: View['onLook'] = ({ bytes }, { active }) =>
      limits.transferred(active.reduce((sum, { received = 0 }) => sum + received, bytes - before))
    const view = { held: () => held, onLook, notices: () => notices.list(), stays }
    const restore = (): Promise<unknown> => openToWorkers(context, runtime, sink, begun)
    try {
      const stop = AbortSignal.any([signal, planning.failed, gaveUp.signal])
      return await followBatch(context, runtime, id, view, stop, restore)
    } catch (error) {
      if (isLimit(signal.reason))
        await holdBatch(runtime, sink, id, limits.signal.aborted ? BY_STOP_LIMIT : BY_SCHEDULE)
      throw error
    } finally {
      await Promise.all([looking.stop(), helping.stop()])
      await planning.stop()
      await workersNow()?.close()
    }
  }
  const stopped = (): void => {
    const isHeld = isLimit(signal.reason)
    if (isHeld) out.say('Parked. The same command continues where it stopped; so does:')
    else out.say('The workers of this Redis continue it. To see how far it is:')
    out.command(pasted(config, isHeld ? 'continue' : 'status', [id]))
  }
  return runToEnd(context, sink, begun, work, stopped, summary)
}

/** Has every worker park what it has of a batch, until a command continues it. */
async function holdBatch({ ledger }: Runtime, { records }: Sink, id: BatchId, reason: string): Promise<void> {
  await ledger.setState(id, 'paused', reason)
  await writeHold(records, id, { state: 'paused', reason })
}

/** Leaves a batch that no other command works on to the workers. @returns how many items Redis did not know to have ended */
export async function openToWorkers(
  { config, log }: Pick<Context, 'config' | 'log'>,
  runtime: Runtime,
  sink: Sink,
  begun: BegunBatch,
): Promise<number> {
  const { id, servers } = begun.batch
  const learned = await learn(runtime, sink, begun)
  {
    // Nobody else works on it while it changes hands.
    await using ownership = await own(runtime, id, log)
    ownership.lost.throwIfAborted()
    await release(runtime, sink, id)
  }
  await leaveToWorkers(runtime, id, tokenServers(config, servers))
  return learned
}

/** The scopes that are not one batch's own: `public`, and `token` for the servers whose token this process has. */
export function openScopes(config: LoadedConfig, servers: readonly string[]): readonly ScopeOfWork[] {
  const named = tokenServers(config, servers)
  const all = { scope: PUBLIC_SCOPE, servers }
  return named.length === 0 ? [all] : [all, { scope: TOKEN_SCOPE, servers: named }]
}

/** A worker that has not reported for this long has lost its streams, too. */
const SILENT_MS = 30_000

/**
 * Whether workers are alive, which reported recently and are not proven dead, that fetch a batch left to them: from each of its
 * servers, for its destination, and with the token where it has one.
 */
export async function somebodyWorks(
  { workers }: Pick<Runtime, 'workers'>,
  batch: Pick<LedgerEntry, 'servers' | 'tokenServers' | 'destination'>,
): Promise<boolean> {
  const heard = (await workers.list()).filter(({ silentMs }) => silentMs < SILENT_MS)
  const lives = await Promise.all(heard.map(livenessOf))
  const alive = heard.filter((_, at) => lives[at] !== 'dead')
  return areServed(batch, alive)
}

/** The servers whose token this command has. */
export function tokenServers(config: LoadedConfig, servers: readonly string[]): readonly string[] {
  return servers.filter((server) => tokenFor(config, server) !== undefined)
}
