import { z } from 'zod'
import type { LimitRequest, NewBatch, PlanView } from '../../dashboard/api/schemas.ts'
import type { Operations } from '../../dashboard/operations.ts'
import { normalServer } from '../../config/setting-values.ts'
import { DataferryError } from '../../errors.ts'
import type { LedgerEntry } from '../../ledger/ledger.ts'
import { formatRate, plural } from '../../model/format.ts'
import { lastLines } from '../../model/last-lines.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { livenessOf } from '../../process/process-identity.ts'
import { readStatus } from '../../status.ts'
import { within } from '../../async/within.ts'
import { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import type { Context } from '../command.ts'
import { continueBatch, holdBatch, pauseServer } from '../control.ts'
import { openDestination } from '../destination.ts'
import { commandWords, pasted } from '../pasted.ts'
import { feed } from '../recover.ts'
import { reopenBatch } from '../reopen-batch.ts'
import type { Runtime } from '../runtime.ts'
import { openToWorkers, somebodyWorks } from '../shared-run.ts'
import { errorOf, type ChildCommands, type ChildEnd } from './child-commands.ts'
import type { Drafts } from './drafts.ts'

/** A destination that new batches may go to. */
interface Allowed {
  readonly shown: string
  readonly url: string
}

/** A run that is going to fail at once does so within this. */
const FIRST_WORDS_MS = 10_000
const SAID = 300

/** What the pages of a dashboard can do, as the command line does it. */
export function operationsOf(
  context: Context,
  runtime: Runtime,
  children: ChildCommands,
  drafts: Drafts,
  allowed: readonly Allowed[],
): Operations {
  const { config } = context
  const planned = async (verb: 'plan' | 'enqueue', request: NewBatch, signal?: AbortSignal): Promise<PlanView> => {
    const { shown, url } = allowedPlace(allowed, request.destination)
    const words = commandWords(config, verb, ['-', '--to', shown, '--format', request.format])
    const plan = (): Promise<ChildEnd> => children.plan(words, `${request.manifest.trim()}\n`, signal)
    return await drafts.during(url, async () => planOf(await plan()))
  }
  return {
    async hold(batch, state) {
      await holdBatch(context, runtime, batch, state)
      return state === 'paused' ? 'Paused; files in flight are parked.' : 'Cancelled; files already fetched stay.'
    },
    async proceed(batch) {
      await continueBatch(context, runtime, batch)
      return `It goes on.${await lackOf(context, runtime, batch)}`
    },
    retry: (batch, codes) => retry(context, runtime, batch, codes),
    limit: (request) => limit(context, runtime, request),
    plan: (request, signal) => planned('plan', request, signal),
    keepPlan: (batch) => drafts.keep(batch),
    dropPlan: (batch) => drafts.drop(batch),
    // A person may leave after the word to start.
    enqueue: (request) => planned('enqueue', request),
    async schedule(word, name) {
      const words = commandWords(config, 'schedule', [word, name])
      if (word === 'run')
        return await beginning(context, children, words, `A run of ${name}`, () => lastWords(context, name))
      const end = await children.run(words)
      if (end.code !== 0) throw errorOf(end)
      return word === 'pause' ? 'Paused: nothing is started any more.' : 'It is started at its times again.'
    },
    async runMirror(name, destination) {
      const { shown } = allowedPlace(allowed, destination)
      const words = commandWords(config, 'mirror', ['run', name, '--to', shown, '--share'])
      return await beginning(context, children, words, `A run of ${name}`)
    },
  }
}

/** Starts what goes on by itself. Rejects with what it ended with, if it failed at once. */
async function beginning(
  { log }: Context,
  children: ChildCommands,
  words: readonly string[],
  what: string,
  why?: () => Promise<string | undefined>,
): Promise<string> {
  const running = children.run(words)
  const end = await within(FIRST_WORDS_MS, running)
  if (end && end.code !== 0 && end.code !== 1) throw errorOf(end, await why?.())
  running.catch((error: unknown) => log.warn({ err: error }, 'a command of the dashboard could not be started'))
  return end ? `${what} has ended.` : `${what} has begun.`
}

/** What the last run of a schedule said when it ended, which only its history has. */
async function lastWords({ config }: Context, name: string): Promise<string | undefined> {
  const history = await new ScheduleFolder(config.settings.stateDir).history(name)
  const said = history.findLast((line) => line.event === 'ended')?.said
  return said && lastLines(said, SAID).replaceAll('\n', ' ')
}

function allowedPlace(allowed: readonly Allowed[], given: string): Allowed {
  const found = allowed.find(({ shown, url }) => shown === given || url === given)
  if (found) return found
  const others = allowed.map(({ shown }) => shown).join(', ')
  const message =
    others === '' ? 'No destination was allowed here' : `Only these destinations are allowed here: ${others}`
  throw new DataferryError('ARGUMENT_INVALID', `${message}; the dashboard is started with --to for each.`)
}

async function retry(
  context: Context,
  runtime: Runtime,
  entry: LedgerEntry,
  codes: readonly string[],
): Promise<string> {
  const { config } = context
  const { ledger } = runtime
  const { id, attached, owner, destination } = entry
  if (attached && owner && (await livenessOf(owner)) !== 'dead') {
    const who = `process ${owner.pid} on ${owner.host}`
    throw new DataferryError('BATCH_OWNED', `A command is working on this batch (${who}): retry when it has ended.`)
  }
  const sink = await openDestination(config, destination)
  try {
    const { begun, count } = await reopenBatch(ledger, sink, entry, codes)
    if (count === 0) return 'There is nothing to try again.'
    if (attached) await openToWorkers(context, runtime, sink, begun)
    else await feed(runtime, id)
    const told = `${plural(count, 'failed file')} ${count === 1 ? 'is' : 'are'} tried again.`
    return `${told}${await lackOf(context, runtime, (await ledger.get(id)) ?? entry)}`
  } finally {
    await sink.close()
  }
}

/** What to do where nobody would fetch it. */
async function lackOf({ config }: Context, runtime: Runtime, batch: LedgerEntry): Promise<string> {
  if (batch.attached) return ` It waits for its command: ${pasted(config, 'resume', [shownUrl(batch.destination)])}`
  return (await somebodyWorks(runtime, batch))
    ? ''
    : ` No worker is running; to start one: ${pasted(config, 'work', [])}`
}

async function limit({ config }: Context, runtime: Runtime, request: LimitRequest): Promise<string | undefined> {
  const server = normalServer(request.server)
  if (server === undefined) throw new DataferryError('ARGUMENT_INVALID', 'This is not the address of a server.')
  const known = [...config.servers, ...(await readStatus(runtime)).servers.map((one) => one.server)]
  if (!known.includes(server)) return undefined
  const { concurrency, bandwidth, paused } = request
  const { servers } = runtime
  await servers.set(server, {
    ...(concurrency !== undefined && { concurrency }),
    ...(bandwidth !== undefined && { bandwidth }),
  })
  if (paused !== undefined) await pauseServer(runtime, server, paused)
  const now = await servers.get(server)
  const rate = now.bandwidth === undefined ? 'no rate limit' : formatRate(now.bandwidth)
  const state = now.hold?.by === 'person' ? 'Paused; ' : ''
  return `${state}${now.concurrency ?? 'the usual number of'} files at a time, ${rate}.`
}

const planSchema = z.object({
  event: z.literal('plan'),
  batch: z.string(),
  items: z.number(),
  size: z.number(),
  unknownSize: z.number(),
  noChecksum: z.number(),
  restricted: z.number(),
  embargoed: z.number(),
  retentionExpired: z.number(),
  problems: z.number(),
  free: z.number().nullable(),
})
const problemSchema = z.object({
  event: z.literal('problem'),
  line: z.number().nullable(),
  code: z.string(),
  message: z.string(),
})

const guestbookSchema = z
  .object({ event: z.literal('unanswered-guestbook'), dataset: z.string(), name: z.string() })
  .transform(({ dataset, name }) => ({ dataset, name }))

/** Reads what `plan` or `enqueue` printed. Throws what it ended with. */
function planOf(end: ChildEnd): PlanView {
  const plan = end.records.map((one) => planSchema.safeParse(one).data).find((one) => one !== undefined)
  if (!plan) throw errorOf(end)
  const { batch, items, size, unknownSize, noChecksum, restricted, embargoed, retentionExpired, problems, free } = plan
  const found = end.records.flatMap((one) => problemSchema.safeParse(one).data ?? [])
  return {
    batch,
    items,
    bytes: size,
    unknownSize,
    noChecksum,
    withheld: restricted + embargoed + retentionExpired,
    guestbooks: end.records.flatMap((one) => guestbookSchema.safeParse(one).data ?? []),
    problems: found.map(({ line, code, message }) => ({ line, code, message })),
    problemCount: problems,
    free,
  }
}
