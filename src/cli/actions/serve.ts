import { DataferryError } from '../../errors.ts'
import { Notifications } from '../../ledger/notifications.ts'
import { supervise } from '../../../workers/supervisor.ts'
import type { Command, Context, ExitCode } from '../command.ts'
import { checkReach } from '../dashboard/read-options.ts'
import { namedDestinations } from '../destination.ts'
import { endCode } from '../failure.ts'
import { openRuntime } from '../runtime.ts'
import { supervision } from '../supervision.ts'
import { GRACE_MS, processesOf, startChild, tellRestart, workBelow, workHere } from './work.ts'

/** Parts that run in a process of their own, each until it is stopped, and load what they alone need; workers are several processes. */
const PARTS: Readonly<Record<string, (context: Context) => Promise<ExitCode>>> = {
  schedules: async (context) => (await import('../schedule/run-schedules.ts')).runSchedules(context),
  notifications: async (context) => (await import('../notify/run-notifier.ts')).runNotifier(context),
  dashboard: async (context) => (await import('./dashboard.ts')).showDashboard(context),
}

/** What `dataferry serve` does. */
export const run: Command['run'] = async (context) => {
  const [action] = context.args
  if (action === 'install') return (await import('../serve/install.ts')).install(context)
  if (action !== undefined) {
    throw new DataferryError('ARGUMENT_INVALID', `serve has no action ${action}: there is only install.`)
  }
  const part = context.text('part')
  if (part === undefined) return serveAll(context)
  if (part === 'workers') return serveWorkers(context)
  const one = PARTS[part]
  if (one) return one(context)
  const names = ['workers', ...Object.keys(PARTS)].join(', ')
  throw new DataferryError('ARGUMENT_INVALID', `--part: expected ${names}, not ${part}.`)
}

async function serveWorkers(context: Context): Promise<ExitCode> {
  const mayOpen = namedDestinations(context.texts('to'), process.cwd())
  await using runtime = await openRuntime(context, 'worker')
  if (supervision()) return await workHere(context, runtime, mayOpen)
  return await workBelow(context, runtime, processesOf(context), mayOpen)
}

/** Keeps every part alive until this process is asked to stop. */
async function serveAll(context: Context): Promise<ExitCode> {
  const { config, out, log } = context
  const refused = new AbortController()
  const signal = AbortSignal.any([context.signal, refused.signal])
  const mayOpen = namedDestinations(context.texts('to'), process.cwd())
  await checkReach(context)
  if (config.notify) await checkSecrets(context)
  // The private Redis stays while a part is started anew.
  await using runtime = await openRuntime(context, 'worker')
  // What ends before there is a look at it is news as well.
  if (config.notify) await new Notifications(runtime.client, config.settings.prefix).since(new Date())
  // Who is told needs no process where nobody is.
  const wanted = Object.keys(PARTS).filter((part) => part !== 'notifications' || config.notify)
  const parts = wanted.map((part) =>
    supervise({
      count: 1,
      spawn: () => startChild(context, 1, ['--part', part]),
      recover: () => Promise.resolve(),
      signal,
      graceMs: GRACE_MS,
      // It has said itself what is wrong.
      onRefused: () => refused.abort(),
      onRestart: (how, pauseMs) => tellRestart(context, `The part ${part}`, how, pauseMs),
      log,
    }),
  )
  if (config.servers.length === 0) {
    out.say(
      'No server is given with --server or in the config file: scheduled commands fetch what they need themselves.',
    )
  } else {
    const workers = workBelow({ ...context, signal }, runtime, processesOf(context), mayOpen, ['--part', 'workers'])
    parts.push(workers.then(() => undefined))
  }
  await Promise.all(parts)
  return refused.signal.aborted ? 2 : endCode(context)
}

/** A secret that is missing is said now, not by a part that ends again and again. Rejects with `CONFIG_INVALID`. */
async function checkSecrets(context: Context): Promise<void> {
  const { notifyTargets } = await import('../notify/targets.ts')
  notifyTargets(context)
}
