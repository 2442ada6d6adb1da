import { createHash } from 'node:crypto'
import { isDestination } from '../../batch/destination.ts'
import { DataferryError } from '../../errors.ts'
import { Claims } from '../../ledger/claims.ts'
import { takeLease } from '../../mirror/lease.ts'
import { checkMirrorName, listMirrors, names, readOrder, type MirrorOrder } from '../../mirror/order.ts'
import type { ProcessIdentity } from '../../process/process-identity.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { claim, type Ownership } from '../ownership.ts'
import { pasted } from '../pasted.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Runtime } from '../runtime.ts'
import { formatDuration } from '../../model/format.ts'

/** Opens the destination, and closes it when the work has ended. */
export async function withSink(context: Context, work: (sink: Sink) => Promise<ExitCode>): Promise<ExitCode> {
  const sink = await openDestination(context.config)
  try {
    return await work(sink)
  } finally {
    await sink.close()
  }
}

/** The mirror that a command line names. Rejects with `MIRROR_NOT_FOUND`. */
export async function namedMirror(context: Context, sink: Sink): Promise<MirrorOrder> {
  const name = checkMirrorName(context.args[1] ?? '')
  const order = await readOrder(sink.records, name)
  if (order) return order
  const place = shownUrl(sink.url)
  if (!(await isDestination(sink.records))) {
    const message = `There is nothing of dataferry at ${place}, so no mirror ${name} either: is its disk mounted?`
    throw new DataferryError('SINK_UNAVAILABLE', message)
  }
  const others = await listMirrors(sink.records)
  const known = others.length === 0 ? 'no mirror' : `only ${others.join(', ')}`
  throw new DataferryError('MIRROR_NOT_FOUND', `${place} has no mirror ${name}: it has ${known}.`, {
    command: pasted(context.config, 'mirror', ['list']),
  })
}

/** The order names the server: without --server its token is found as if it had been given. */
export function asIfServerGiven(context: Context, { server }: MirrorOrder): Context {
  const config = context.config.forServer(server)
  for (const warning of config.warnings) if (!context.config.warnings.includes(warning)) context.out.warn(warning)
  return { ...context, config }
}

/**
 * Makes this process the one that works on a mirror: by Redis, and at the destination for those that use another Redis. Rejects
 * with `MIRROR_BUSY` while another one does.
 */
export async function ownMirror(
  { config, log, out, signal }: Context,
  { client }: Pick<Runtime, 'client'>,
  { name }: MirrorOrder,
  { url, records }: Sink,
): Promise<Ownership> {
  const place = createHash('sha256').update(url).digest('hex').slice(0, 32)
  const claims = new Claims(client, config.settings.prefix)
  const refusal = ({ host, pid }: ProcessIdentity): DataferryError => {
    const message = `Process ${pid} on ${host} is running mirror ${name}. Wait until it has ended, or stop it.`
    return new DataferryError('MIRROR_BUSY', message)
  }
  const claimed = await claim(claims, `mirror:${place}:${name}`, log, refusal)
  const onWait = ({ host, pid }: ProcessIdentity, ms: number): void =>
    out.say(
      `Process ${pid} on ${host} had mirror ${name}: waiting ${formatDuration(ms)} to see whether it still runs …`,
    )
  try {
    const lease = await takeLease(records, names.lease(name), { signal, refusal, onWait })
    return {
      lost: AbortSignal.any([claimed.lost, lease.lost]),
      renew: () => claimed.renew(),
      async [Symbol.asyncDispose]() {
        await lease[Symbol.asyncDispose]()
        await claimed[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await claimed[Symbol.asyncDispose]()
    throw error
  }
}
