import { spawn, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { aborted } from '../../async/aborted.ts'
import { every } from '../../async/every.ts'
import { within } from '../../async/within.ts'
import { DataferryError } from '../../errors.ts'
import type { Command, Context, ExitCode } from '../command.ts'
import { namedDestinations, openDestination, type MayOpen } from '../destination.ts'
import { formatDuration, plural } from '../../model/format.ts'
import { tellOnce } from '../tell-notices.ts'
import { endCode } from '../failure.ts'
import { HoldsElsewhere } from '../holds-elsewhere.ts'
import { openRuntime, type Runtime } from '../runtime.ts'
import { Sources } from '../sources.ts'
import { openScopes } from '../shared-run.ts'
import { startWork } from '../start-work.ts'
import { childEnvironment, hearReceived, supervision } from '../supervision.ts'
import { untilDone } from '../until-done.ts'
import { startMetrics } from '../dashboard/start-metrics.ts'
import type { Notice } from '../../model/notice.ts'
import { ownProcess } from '../../process/process-identity.ts'
import { Batches } from '../../../workers/batches.ts'
import { recoverCrashed } from '../../../workers/recover-crashed.ts'
import { newWriterId } from '../../../workers/run.ts'
import { supervise } from '../../../workers/supervisor.ts'

/** A child parks its files within this; then it is killed, which loses nothing that was kept. */
export const GRACE_MS = 20_000

/** A process that stops on its own does so before it is killed. */
const MARGIN_MS = 5_000

const LOOK_MS = 500

/** What several processes wait for is read from Redis. */
const TELL_MS = 2_000

/** What `dataferry work` does. */
export const run: Command['run'] = async (context) => {
  const { config } = context
  if (config.servers.length === 0) {
    throw new DataferryError(
      'CONFIG_INVALID',
      'No server to contact is given: use --server, DATAVERSE_SERVER or the config file.',
    )
  }
  const processes = processesOf(context)
  const mayOpen = namedDestinations(context.texts('to'), process.cwd())
  await using runtime = await openRuntime(context, 'worker')
  const metrics = supervision() ? undefined : await startMetrics(context, runtime)
  try {
    return processes === 1
      ? await workHere(context, runtime, mayOpen)
      : await workBelow(context, runtime, processes, mayOpen)
  } finally {
    await metrics?.close()
  }
}

/** How many worker processes a command line asks for. */
export function processesOf({ config }: Pick<Context, 'config'>): number {
  return config.settings.processes ?? Math.max(1, availableParallelism() - 1)
}

/** Works in this process until it is asked to stop. */
export async function workHere(context: Context, runtime: Runtime, mayOpen: MayOpen | undefined): Promise<ExitCode> {
  const { config, out } = context
  const { signal } = context
  // A process that is asked to stop while it starts takes no jobs that it would only hand back.
  if (signal.aborted) return endCode(context)
  const sources = new Sources(context)
  try {
    const workers = await startWork(context, runtime, sources, openScopes(config, config.servers), mayOpen)
    try {
      out.say(`Working for ${config.servers.join(', ')}. Ctrl-C parks files in flight.`)
      // Of several processes, which are quiet, the supervisor tells what it sees by itself.
      const isSupervised = supervision() !== undefined
      const tell = isSupervised ? tellOnce(out, (text) => out.warn(text)) : tellOnce(out)
      const isSeen = (notice: Notice): boolean => typeof notice !== 'string' && notice.what !== 'Redis'
      const look = (): void => tell(workers.notices.list().filter((one) => !isSupervised || !isSeen(one)))
      const telling = every(LOOK_MS, look, (error) => context.log.warn({ err: error }))
      await untilStopped(context, runtime, signal, mayOpen).finally(() => telling.stop())
    } finally {
      // While Redis is away jobs cannot be handed back. What was fetched is kept all the same, so nothing is waited for.
      await within(GRACE_MS - MARGIN_MS, workers.close())
    }
  } finally {
    await sources.close()
  }
  return endCode(context)
}

/**
 * Keeps worker processes alive, each the same command with `--processes 1`.
 * @param part words that make a child one of the workers
 */
export async function workBelow(
  context: Context,
  runtime: Runtime,
  count: number,
  mayOpen: MayOpen | undefined,
  part: readonly string[] = [],
): Promise<ExitCode> {
  const { out, log, config, signal } = context
  const stop = new AbortController()
  const ended = untilStopped(context, runtime, signal, mayOpen).finally(() => stop.abort())
  out.say(`${plural(count, 'worker process', 'worker processes')} for ${config.servers.join(', ')}.`)
  const { client: connection, workers, ledger } = runtime
  const queues = openScopes(config, config.servers).flatMap(({ scope, servers }) =>
    runtime.queues.in(scope).of(servers),
  )
  const { notices } = runtime
  const elsewhere = new HoldsElsewhere(runtime.servers, notices)
  const tell = tellOnce(out)
  const { space } = await ownProcess()
  const look = async (): Promise<void> => {
    const own = (await workers.list()).filter((record) => record.space === space)
    await elsewhere.look(config.servers, own, () => true)
    await runtime.hold.check()
  }
  const looking = every(TELL_MS, look, (error) => log.debug({ err: error }))
  // On its own, since a look waits for a Redis that is away.
  const telling = every(
    LOOK_MS,
    () => tell(notices.list()),
    (error) => log.debug({ err: error }),
  )
  const batches = new Batches(ledger, (url) => openDestination(config, url), newWriterId(), log, mayOpen)
  try {
    await supervise({
      count,
      spawn: () => startChild(context, count, [...part, '--processes', '1', '--quiet']),
      recover: () => recoverCrashed({ connection, workers, queues, ledger, batches }),
      signal: stop.signal,
      graceMs: GRACE_MS,
      onRestart: (how, pauseMs) => tellRestart(context, 'A worker process', how, pauseMs),
      log,
    })
  } finally {
    await Promise.all([looking.stop(), telling.stop()])
    await batches.close()
  }
  await ended
  return endCode(context)
}

/** Says that a process died and is replaced: why it does is for a person to find out. */
export function tellRestart({ out }: Pick<Context, 'out'>, who: string, how: string, pauseMs: number): void {
  out.warn(`${who} ended (${how}); it is started again in ${formatDuration(pauseMs)}.`)
}

/**
 * Starts a process of this command, which this one looks after.
 * @param processes that divide among them what the command may take
 * @param more words that are added to the command line
 */
export function startChild({ limits }: Context, processes: number, more: readonly string[]): ChildProcess {
  const [, main = '', ...args] = process.argv
  // When all is done is for the supervisor to say.
  const own = args.filter((arg) => arg !== '--until-done')
  const child = spawn(process.execPath, [...process.execArgv, main, ...own, ...more], {
    // When the channel closes, the child knows that its supervisor is gone.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: childEnvironment(processes),
    // Ctrl-C in a terminal goes to the supervisor, which asks its children.
    detached: true,
  })
  hearReceived(child, (bytes) => limits.received(bytes))
  return child
}

/** Resolves at the signal, even while Redis is away, or with `--until-done` when there is nothing left to do here. */
async function untilStopped(
  context: Context,
  runtime: Runtime,
  signal: AbortSignal,
  mayOpen: MayOpen | undefined,
): Promise<void> {
  if (!context.has('until-done')) return aborted(signal)
  await Promise.race([aborted(signal), untilDone(context, runtime, mayOpen, signal)])
  if (!signal.aborted) context.out.say('Nothing is left to do here.')
}
