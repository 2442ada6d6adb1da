import { spawn, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { every } from '../../async/every.ts'
import { DataferryError } from '../../errors.ts'
import type { Command, Context, ExitCode } from '../command.ts'
import { DESTINATION_SETTINGS, openDestination } from '../destination.ts'
import { plural } from '../terminal/format.ts'
import type { Output } from '../terminal/output.ts'
import { openRuntime, type Runtime } from '../runtime.ts'
import { SERVER_SETTINGS, Sources } from '../sources.ts'
import { openScopes } from '../shared-run.ts'
import { startWork } from '../start-work.ts'
import { Batches } from '../../../workers/batches.ts'
import type { Notices } from '../../../workers/notices.ts'
import { recoverCrashed } from '../../../workers/recover-crashed.ts'
import { newWriterId } from '../../../workers/run.ts'
import { supervise } from '../../../workers/supervisor.ts'

/** A child parks its files within this; then it is killed, which loses nothing that was kept. */
const GRACE_MS = 20_000
/** A process that ends by itself does so before it is made to. */
const MARGIN_MS = 5_000
const LOOK_MS = 500

/** `dataferry work`: fetch what anybody on any machine has enqueued in this Redis. */
export const command: Command = {
  examples: [
    'dataferry work --redis redis://queue.example.org --server https://demo.dataverse.org',
    'dataferry work --processes 4 --until-done',
  ],
  about:
    'Runs until SIGTERM or Ctrl-C; then it parks what is in flight, hands its jobs back and ends with 0. ' +
    'Every machine must see the destinations under the same path or URL.',
  operands: [],
  settings: [
    ...SERVER_SETTINGS,
    ...DESTINATION_SETTINGS,
    'jobs',
    'segments',
    'processes',
    'retries',
    'retryFirstMs',
    'retryMaxMs',
    'limitRate',
    'idleTimeoutMs',
    'connectTimeoutMs',
    'throttleFirstMs',
    'throttleMaxMs',
    'outageFirstMs',
    'outageMaxMs',
  ],
  stop: { stopping: 'what is in flight is parked.' },
  flags: [{ flags: '--until-done', help: 'end when no batch has anything left to do' }],
  run: async (context) => {
    const { config } = context
    if (config.servers.length === 0) {
      throw new DataferryError(
        'CONFIG_INVALID',
        'No server is named that may be contacted: use --server, DATAVERSE_SERVER or the config file.',
      )
    }
    const processes = config.settings.processes ?? Math.max(1, availableParallelism() - 1)
    await using runtime = await openRuntime(context, 'worker')
    return processes === 1 ? await workHere(context, runtime) : await workBelow(context, runtime, processes)
  },
}

/** Works in this process until it is asked to stop. */
async function workHere(context: Context, runtime: Runtime): Promise<ExitCode> {
  const { config, out } = context
  const signal = AbortSignal.any([context.signal, supervisorGone()])
  const sources = new Sources(context)
  try {
    const workers = await startWork(context, runtime, sources, openScopes(config, config.servers))
    try {
      out.say(`Working for ${config.servers.join(', ')}. Ctrl-C parks what is in flight.`)
      const telling = every(LOOK_MS, tellOnce(out, workers.notices), (error) => context.log.warn({ err: error }))
      await untilStopped({ signal, has: context.has }, runtime).finally(() => telling.stop())
    } finally {
      // While Redis is away jobs cannot be handed back. What was fetched is kept all the same, so nothing is waited for.
      await within(GRACE_MS - MARGIN_MS, workers.close())
    }
  } finally {
    await sources.close()
  }
  return 0
}

/** Says what holds work up when that begins, and not again until it has ended. */
function tellOnce(out: Output, notices: Notices): () => void {
  let told: readonly string[] = []
  return () => {
    const now = notices.list()
    for (const text of now) if (!told.includes(text)) out.say(text)
    told = now
  }
}

/** Aborts when the supervisor that started this process has died: the one that follows it starts its own. */
function supervisorGone(): AbortSignal {
  const gone = new AbortController()
  // No channel: nobody supervises this process, or its supervisor died while it was starting.
  if (process.connected) process.once('disconnect', () => gone.abort())
  else if (Object.hasOwn(process, 'connected')) gone.abort()
  return gone.signal
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const timer = new AbortController()
  await Promise.race([work, sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined)])
  timer.abort()
}

/** Keeps worker processes alive, each the same command with `--processes 1`. */
async function workBelow(
  { out, log, config, signal, has }: Context,
  runtime: Runtime,
  count: number,
): Promise<ExitCode> {
  const stop = new AbortController()
  const ended = untilStopped({ signal, has }, runtime).finally(() => stop.abort())
  out.say(`${plural(count, 'worker process', 'worker processes')} for ${config.servers.join(', ')}.`)
  const { client: connection, workers, ledger } = runtime
  const queues = openScopes(config, config.servers).flatMap(({ scope, servers }) =>
    runtime.queues.in(scope).of(servers),
  )
  const batches = new Batches(ledger, (url) => openDestination(config, url), newWriterId())
  try {
    await supervise({
      count,
      spawn: startChild,
      recover: () => recoverCrashed({ connection, workers, queues, ledger, batches }),
      signal: stop.signal,
      graceMs: GRACE_MS,
      log,
    })
  } finally {
    await batches.close()
  }
  await ended
  return 0
}

function startChild(): ChildProcess {
  const [, main = '', ...args] = process.argv
  return spawn(process.execPath, [...process.execArgv, main, ...args, '--processes', '1'], {
    // The channel carries nothing: its end tells the child that nobody looks after it any more.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Ctrl-C in a terminal goes to the supervisor, which asks its children.
    detached: true,
  })
}

/** Resolves at the signal, even while Redis is away, or with `--until-done` when every batch has ended. */
async function untilStopped({ signal, has }: Pick<Context, 'signal' | 'has'>, { ledger }: Runtime): Promise<void> {
  const stopped = new Promise<true>((resolve) => {
    if (signal.aborted) resolve(true)
    signal.addEventListener('abort', () => resolve(true), { once: true })
  })
  const noneOpen = async (): Promise<boolean> => (await ledger.list()).every(({ state }) => state !== 'open')
  for (;;) {
    if (has('until-done') && (await Promise.race([stopped, noneOpen()]))) return
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
  }
}
