import { setTimeout as sleep } from 'node:timers/promises'
import { isAbort } from '../../errors.ts'
import {
  hasEnded,
  isParked,
  readStatus,
  shownState,
  urgency,
  type BatchStatus,
  type DestinationStatus,
  type ServerStatus,
  type Status,
  type TokenStatus,
} from '../../status.ts'
import { waitOf } from '../../ledger/server-state.ts'
import { clockTime, holdText } from '../../model/notice.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Command, Context } from '../command.ts'
import { knownBatch } from '../control.ts'
import { pasted } from '../pasted.ts'
import { formatBytes, formatCount, plural } from '../../model/format.ts'
import { openRuntime, type Runtime } from '../runtime.ts'

const WATCH_MS = 1_000

/** What `dataferry status` does. */
export const run: Command['run'] = async (context) => {
  await using runtime = await openRuntime(context, 'producer')
  const [given] = context.args
  const id = given === undefined ? undefined : (await knownBatch(runtime.ledger, given)).id
  try {
    for (;;) {
      const status = await statusOf(runtime, id)
      print(context, status, context.has('all') || id !== undefined)
      if (!context.has('watch') || (id !== undefined && status.batches.every(hasEnded))) return 0
      await sleep(WATCH_MS, undefined, { signal: context.signal })
    }
  } catch (error) {
    // Ctrl-C is how watching ends.
    if (isAbort(error) && context.has('watch')) return 0
    throw error
  }
}

async function statusOf(runtime: Runtime, id: string | undefined): Promise<Status> {
  const status = await readStatus(runtime)
  if (id === undefined) return status
  const batches = status.batches.filter((batch) => batch.id === id)
  const servers = new Set(batches.flatMap((batch) => batch.servers))
  const places = new Set(batches.map(({ destination }) => destination))
  return {
    ...status,
    batches,
    servers: status.servers.filter(({ server }) => servers.has(server)),
    destinations: status.destinations.filter(({ destination }) => places.has(destination)),
    tokens: status.tokens.filter(({ server }) => servers.has(server)),
  }
}

/** @param all finished batches, too */
function print({ out, config }: Context, status: Status, all: boolean): void {
  for (const batch of status.batches) out.record({ event: 'batch', ...batch, state: shownState(batch) })
  for (const server of status.servers) out.record({ event: 'server', ...server })
  for (const destination of status.destinations) out.record({ event: 'destination', ...destination })
  for (const token of status.tokens) out.record({ event: 'token', ...token })
  for (const worker of status.workers) out.record({ event: 'worker', ...worker })
  const shown = status.batches
    .filter(({ state }) => all || state !== 'finished')
    .sort((a, b) => urgency(b) - urgency(a))
  const hidden = status.batches.length - shown.length
  if (shown.length > 0) out.table(BATCH_COLUMNS, shown.map(batchRow))
  else out.line(hidden === 0 ? 'This Redis knows no batch.' : 'There is no unfinished batch.')
  if (hidden > 0)
    out.line(`${plural(hidden, 'finished batch', 'finished batches')}: ${pasted(config, 'status', ['--all'])}`)
  for (const batch of shown) if (batch.waiting > 0) out.paragraph(waitText(batch))
  if (status.servers.length > 0) out.table(SERVER_COLUMNS, status.servers.map(serverRow))
  if (status.destinations.length > 0) out.table(DESTINATION_COLUMNS, status.destinations.map(destinationRow))
  for (const token of status.tokens) out.paragraph(tokenText(token), 'warn')
  for (const { host, pid, holds } of status.workers) {
    const moving = holds.filter(({ waits }) => waits !== true)
    out.line(`worker ${host} (process ${pid}): ${doing(holds.length, moving.length)}`)
    for (const { path, bytes, size } of moving) {
      out.line(`  ${path}  ${formatBytes(bytes)}${size === undefined ? '' : ` of ${formatBytes(size)}`}`)
    }
  }
}

/** Which token a person has to replace, and where. */
function tokenText({ server, hosts, reason, refusedSince }: TokenStatus): string {
  if (!refusedSince) return reason
  return `${server} has been on hold for the workers on ${hosts.join(', ')} since ${clockTime(refusedSince)}: ${reason}`
}

function waitText(batch: BatchStatus): string {
  const { id, waiting, nextLook } = batch
  const files = plural(waiting, 'file waits', 'files wait')
  const next = isParked(batch)
    ? 'its command looks again when it is given again'
    : nextLook === undefined
      ? 'a look is due'
      : `next look at ${clockTime(nextLook)}`
  return `${id}: ${files} for access or for the end of an embargo; ${next}.`
}

/** Files are shown where they move; the others wait for a stream. */
function doing(held: number, moving: number): string {
  if (held === 0) return 'idle'
  const waiting = held - moving
  return waiting === 0 ? '' : `${plural(waiting, 'file')} ${waiting === 1 ? 'waits' : 'wait'} for a stream`
}

const right = (title: string) => ({ title, align: 'right' as const })

const BATCH_COLUMNS = [
  { title: 'BATCH' },
  { title: 'STATE' },
  right('PLANNED'),
  right('FETCHED'),
  right('KEPT'),
  right('FAILED'),
  right('WAITING'),
  right('OPEN'),
  right('BYTES'),
  { title: 'DESTINATION' },
]

const SERVER_COLUMNS = [{ title: 'SERVER' }, right('WAITING'), right('ACTIVE'), right('DELAYED'), { title: 'NOW' }]

const DESTINATION_COLUMNS = [{ title: 'DESTINATION' }, { title: 'SEEN FROM' }, { title: 'NOW' }]

function batchRow(batch: BatchStatus): { text: string; tone?: 'good' | 'bad' | 'warn' }[] {
  const state = shownState(batch)
  const { id, reason, planned, planComplete, done, kept, failed, waiting, open, destination } = batch
  return [
    { text: id },
    {
      text: reason === undefined ? state : `${state} (${reason})`,
      ...((state === 'paused' || state === 'parked') && { tone: 'warn' as const }),
    },
    { text: `${formatCount(planned)}${planComplete ? '' : '+'}` },
    { text: formatCount(done) },
    { text: formatCount(kept) },
    { text: formatCount(failed), ...(failed > 0 && { tone: 'bad' as const }) },
    { text: formatCount(waiting), ...(waiting > 0 && { tone: 'warn' as const }) },
    { text: formatCount(open) },
    { text: formatBytes(batch.bytes + batch.openBytes) },
    { text: shownUrl(destination) },
  ]
}

function serverRow({ server, waiting, active, delayed, hold }: ServerStatus): { text: string }[] {
  const now = hold ? holdText(waitOf(hold)) : ''
  return [
    { text: server },
    { text: formatCount(waiting) },
    { text: formatCount(active) },
    { text: formatCount(delayed) },
    { text: now },
  ]
}

function destinationRow({ destination, host, pid, hold }: DestinationStatus): { text: string }[] {
  return [{ text: shownUrl(destination) }, { text: `${host} (process ${pid})` }, { text: holdText(waitOf(hold)) }]
}
