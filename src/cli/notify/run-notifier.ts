import { aborted } from '../../async/aborted.ts'
import { every } from '../../async/every.ts'
import { messageOf } from '../../errors.ts'
import { Claims } from '../../ledger/claims.ts'
import { MirrorRuns } from '../../ledger/mirror-runs.ts'
import { Notifications } from '../../ledger/notifications.ts'
import { livenessOf } from '../../process/process-identity.ts'
import { Notifier } from '../../notify/notifier.ts'
import { newRunOwner } from '../../schedule/scheduled-run.ts'
import type { Context, ExitCode } from '../command.ts'
import { endCode } from '../failure.ts'
import { openRuntime } from '../runtime.ts'
import { notifyTargets } from './targets.ts'
import { Watch } from './watch.ts'

const LOOK_MS = 2_000

/** Tells people what the config file's `notify` names, until this process is asked to stop. Of several, one does. */
export async function runNotifier(context: Context): Promise<ExitCode> {
  const { config, log, out, signal } = context
  const targets = notifyTargets(context)
  await using runtime = await openRuntime(context, 'worker')
  const { client, ledger } = runtime
  const { prefix } = config.settings
  const notifications = new Notifications(client, prefix)
  const clock = (): Date => new Date()
  const notifier = new Notifier({ notifications, targets, clock, log, onTrouble: (text) => out.warn(text) })
  const watch = new Watch({
    context,
    ledger,
    mirrors: new MirrorRuns(client, prefix),
    workers: runtime.workers,
    notifications,
    publish: (event) => notifier.publish(event),
    staleAfterMs: config.notify?.staleAfterMs ?? Infinity,
    clock,
  })
  const claims = new Claims(client, prefix)
  const me = await newRunOwner()
  const look = async (): Promise<void> => {
    const other = await claims.attach('notifier', me)
    if (other && (await livenessOf(other)) === 'dead') await claims.attach('notifier', me, other.id)
    if (other) return
    await watch.look()
    await notifier.deliver(signal)
  }
  const looking = every(LOOK_MS, look, (error) => log.warn({ problem: messageOf(error) }, 'nobody could be told'))
  await aborted(signal)
  await looking.stop()
  await claims.disown('notifier', me.id).catch(() => undefined)
  return endCode(context)
}
