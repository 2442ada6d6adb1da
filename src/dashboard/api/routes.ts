import { DataferryError } from '../../errors.ts'
import type { BatchLogs } from '../../ledger/batch-logs.ts'
import type { Ledger, LedgerEntry } from '../../ledger/ledger.ts'
import { DATAFERRY_VERSION } from '../../dataverse/version.ts'
import { z } from 'zod'
import type { BatchRecords } from '../batch-records.ts'
import type { EventStreams } from '../event-stream.ts'
import type { FailureGroups } from '../failure-groups.ts'
import type { ItemSearch } from '../item-search.ts'
import type { Observer, Seen } from '../observer.ts'
import type { Operations } from '../operations.ts'
import type { Places } from '../places.ts'
import { refuse } from '../refusal.ts'
import type { SignIn } from '../sign-in.ts'
import type { Endpoints } from './endpoint.ts'
import { linesAnswer } from './lines-answer.ts'
import * as schema from './schemas.ts'

/** What the routes ask and act through. */
export interface ApiDeps {
  readonly signIn: SignIn
  readonly ledger: Pick<Ledger, 'get'>
  readonly observer: Observer
  readonly failures: FailureGroups
  readonly search: ItemSearch
  readonly records: BatchRecords
  readonly logs: Pick<BatchLogs, 'read'>
  readonly places: Places
  readonly streams: EventStreams
  readonly schedules: () => Promise<schema.ScheduleView[]>
  readonly operations: Operations
  /** Where new batches may go: destinations as people wrote them. */
  readonly destinations: readonly string[]
  readonly servers: readonly string[]
}

const PAGE = 50

/** Everything under `/api/`. */
export function addRoutes(endpoints: Endpoints, deps: ApiDeps): void {
  addSession(endpoints, deps)
  addReads(endpoints, deps)
  addBatch(endpoints, deps)
  addWrites(endpoints, deps)
}

function addSession(endpoints: Endpoints, { signIn, destinations, servers }: ApiDeps): void {
  const session = (role: schema.Session['role']): schema.Session => ({
    role,
    version: DATAFERRY_VERSION,
    destinations: [...destinations],
    servers: [...servers],
  })
  endpoints.add({
    method: 'post',
    path: '/api/session',
    summary: 'Sign in with the token of a link, which works once, or of a token file; sets a cookie.',
    body: schema.signInSchema,
    answer: schema.sessionSchema,
    open: true,
    handle: async ({ body: { token }, context }) => {
      const role = await signIn.begin(context, token)
      if (role !== undefined) return session(role)
      const message = 'This link or token is not valid: a link works once, within five minutes.'
      return refuse(context, 401, 'TOKEN_UNKNOWN', message, 'Run `dataferry dashboard link` for a new one.')
    },
  })
  endpoints.add({
    method: 'get',
    path: '/api/session',
    summary: 'Who is signed in, and what may be begun here.',
    answer: schema.sessionSchema,
    handle: ({ context }) => Promise.resolve(session(signIn.roleOf(context) ?? 'viewer')),
  })
  endpoints.add({
    method: 'delete',
    path: '/api/session',
    summary: 'Sign out.',
    answer: schema.outcomeSchema,
    open: true,
    handle: ({ context }) => {
      signIn.end(context)
      return Promise.resolve({ text: 'Signed out.' })
    },
  })
}

function addReads(endpoints: Endpoints, { observer, places, streams, schedules, ...deps }: ApiDeps): void {
  endpoints.add({
    method: 'get',
    path: '/api/overview',
    summary: 'What is wrong, what goes on, and how fast.',
    answer: schema.overviewSchema,
    handle: () => observer.overview(),
  })
  endpoints.add({
    method: 'get',
    path: '/api/history',
    summary: 'Bytes and files a second of the last hour or day, as far as this process has run.',
    query: schema.historyQuerySchema,
    answer: schema.seriesSchema,
    handle: ({ query: { span } }) => Promise.resolve(mutable(observer.history(span))),
  })
  endpoints.add({
    method: 'get',
    path: '/api/servers',
    summary: 'Servers: limits, holds, streams and jobs.',
    answer: z.object({ servers: z.array(schema.serverSchema) }),
    handle: async () => ({ servers: [...(await observer.look()).servers] }),
  })
  endpoints.add({
    method: 'get',
    path: '/api/workers',
    summary: 'Worker processes of all machines, and what each works on.',
    answer: z.object({ workers: z.array(schema.workerSchema) }),
    handle: async () => ({ workers: [...(await observer.look()).workers] }),
  })
  endpoints.add({
    method: 'get',
    path: '/api/mirrors',
    summary: 'Mirrors at the destinations that are known here.',
    answer: z.object({ mirrors: z.array(schema.mirrorSchema) }),
    handle: async () => ({ mirrors: [...(await places.mirrors(await observer.destinationUrls()))] }),
  })
  endpoints.add({
    method: 'get',
    path: '/api/proof',
    summary: 'What verifications have found at the destinations that are known here, from their summaries.',
    answer: z.object({ destinations: z.array(schema.proofSchema) }),
    handle: async () => ({ destinations: [...(await places.proofs(await observer.destinationUrls()))] }),
  })
  endpoints.add({
    method: 'get',
    path: '/api/schedules',
    summary: 'Schedules of this machine: when each starts next, and how its last runs ended.',
    answer: z.object({ schedules: z.array(schema.scheduleSchema) }),
    handle: async () => ({ schedules: await schedules() }),
  })
  endpoints.add({
    method: 'get',
    path: '/api/batches',
    summary: `Batches, newest first, ${PAGE} a page.`,
    query: schema.batchQuerySchema,
    answer: schema.batchListSchema,
    handle: async ({ query }) => page((await observer.look()).batches, query),
  })
  endpoints.add({
    method: 'get',
    path: '/api/events',
    summary:
      'Server-sent events, one a second at most: `state` with the overview, or with a batch; `problem`; `alive`.',
    query: schema.eventsQuerySchema,
    answer: z.union([schema.overviewSchema, schema.batchLiveSchema]),
    contentType: 'text/event-stream',
    handle: async ({ query: { batch }, context }) => {
      if (batch === undefined) return streams.open(context, () => observer.overview())
      const { id } = await known(deps.ledger, batch)
      return streams.open(context, () => liveOf({ observer, ...deps }, id))
    },
  })
}

function addBatch(endpoints: Endpoints, deps: ApiDeps): void {
  const { ledger, records, logs, search } = deps
  const at = { params: schema.batchIdParam } as const
  endpoints.add({
    ...at,
    method: 'get',
    path: '/api/batches/:id',
    summary: 'One batch: counts, live files, failures by code with what to do, its record and report.',
    answer: schema.batchDetailSchema,
    handle: async ({ params }) => {
      const entry = await known(ledger, params.id)
      const [live, about] = await Promise.all([liveOf(deps, entry.id), records.about(entry)])
      return { ...live, ...about }
    },
  })
  endpoints.add({
    ...at,
    method: 'get',
    path: '/api/batches/:id/log',
    summary: 'The last lines that any process has logged about it, but for files that arrived well.',
    answer: schema.batchLogSchema,
    handle: async ({ params }) => ({ lines: [...(await logs.read((await known(ledger, params.id)).id))] }),
  })
  endpoints.add({
    ...at,
    method: 'get',
    path: '/api/batches/:id/items',
    summary:
      'Searches the plan; JSON lines as hits are found, 100 a page. One search goes on at a time; leaving ends it.',
    query: schema.itemQuerySchema,
    answer: schema.itemLineSchema,
    contentType: 'application/x-ndjson',
    handle: async ({ params, query, context, signal }) => {
      const entry = await known(ledger, params.id)
      return linesAnswer(context, signal, (stop) => {
        return records.using(entry, (found) => search.find(entry, found, query, stop))
      })
    },
  })
  endpoints.add({
    ...at,
    method: 'get',
    path: '/api/batches/:id/failures.csv',
    summary: 'The failed files with code and message, itself a manifest.',
    answer: z.string(),
    contentType: 'text/csv',
    handle: async ({ params, context, signal }) => {
      const entry = await known(ledger, params.id)
      const name = `${entry.id}-failures.csv`
      return linesAnswer(context, signal, () => records.failureRows(entry), {
        'Content-Type': 'text/csv; charset=utf-8',
        'Content-Disposition': `attachment; filename="${name}"`,
      })
    },
  })
}

function addWrites(endpoints: Endpoints, { operations, ledger, places, schedules }: ApiDeps): void {
  const act = (word: string, summary: string, work: (batch: LedgerEntry) => Promise<string>): void => {
    endpoints.add({
      method: 'post',
      path: `/api/batches/:id/${word}`,
      summary,
      params: schema.batchIdParam,
      answer: schema.outcomeSchema,
      handle: async ({ params }) => ({ text: await work(await known(ledger, params.id)) }),
    })
  }
  act('pause', 'Pause it; files in flight are parked.', (batch) => operations.hold(batch, 'paused'))
  act('continue', 'Let it go on.', (batch) => operations.proceed(batch))
  act('cancel', 'Stop fetching it; files already fetched stay.', (batch) => operations.hold(batch, 'cancelled'))
  endpoints.add({
    method: 'post',
    path: '/api/batches/:id/retry',
    summary: 'Try failed files again: those with the given codes, or all.',
    params: schema.batchIdParam,
    body: schema.codesSchema,
    answer: schema.outcomeSchema,
    handle: async ({ params, body: { codes } }) => ({
      text: await operations.retry(await known(ledger, params.id), codes),
    }),
  })
  endpoints.add({
    method: 'post',
    path: '/api/servers/limit',
    summary: 'Set the limits of a server for all workers, pause it or let it go on.',
    body: schema.limitSchema,
    answer: schema.outcomeSchema,
    handle: async ({ body, context }) => {
      const text = await operations.limit(body)
      return text === undefined
        ? refuse(context, 404, 'SERVER_UNKNOWN', 'No batch, worker or setting here uses this server.')
        : { text }
    },
  })
  endpoints.add({
    method: 'post',
    path: '/api/plans',
    summary: 'Plan a batch and fetch nothing. It ends when the connection does, and the plan goes in three minutes.',
    body: schema.newBatchSchema,
    answer: schema.planSchema,
    handle: ({ body, signal }) => operations.plan(body, signal),
  })
  endpoints.add({
    method: 'post',
    path: '/api/plans/:id/keep',
    summary: 'Keep a plan that was not started for another three minutes.',
    params: schema.batchIdParam,
    answer: schema.outcomeSchema,
    handle: ({ params: { id }, context }) => {
      const isKept = operations.keepPlan(id)
      const message = 'There is no such plan here any more: it was started, or removed.'
      return Promise.resolve(isKept ? { text: 'It is kept.' } : refuse(context, 404, 'PLAN_UNKNOWN', message))
    },
  })
  endpoints.add({
    method: 'delete',
    path: '/api/plans/:id',
    summary: 'Remove a plan that was made here, unless it was started.',
    params: schema.batchIdParam,
    answer: schema.outcomeSchema,
    handle: async ({ params: { id } }) => {
      await operations.dropPlan(id)
      return { text: 'It is removed, unless it was started.' }
    },
  })
  endpoints.add({
    method: 'post',
    path: '/api/batches',
    summary: 'Plan a batch, if that was not done yet, and leave it to the workers, also when the connection ends.',
    body: schema.newBatchSchema,
    answer: schema.planSchema,
    handle: ({ body }) => operations.enqueue(body),
  })
  const onSchedule = (word: 'run' | 'pause' | 'continue', summary: string): void => {
    endpoints.add({
      method: 'post',
      path: `/api/schedules/:name/${word}`,
      summary,
      params: schema.scheduleNameParam,
      answer: schema.outcomeSchema,
      handle: async ({ params: { name }, context }) => {
        const isKnown = (await schedules()).some((one) => one.name === name)
        return isKnown
          ? { text: await operations.schedule(word, name) }
          : refuse(context, 404, 'SCHEDULE_UNKNOWN', 'This machine has no schedule of this name.')
      },
    })
  }
  onSchedule('run', 'Run it now.')
  onSchedule('pause', 'Start nothing any more; a run that goes is left alone.')
  onSchedule('continue', 'Start it at its times again.')
  endpoints.add({
    method: 'post',
    path: '/api/mirrors/run',
    summary: 'Start a run of a mirror.',
    body: schema.mirrorRunSchema,
    answer: schema.outcomeSchema,
    handle: async ({ body: { name, destination } }) => {
      const text = await operations.runMirror(name, destination)
      places.forget()
      return { text }
    },
  })
}

/** Rejects with `BATCH_NOT_FOUND`. */
async function known(ledger: ApiDeps['ledger'], id: string): Promise<LedgerEntry> {
  const entry = await ledger.get(id)
  if (entry) return entry
  throw new DataferryError('BATCH_NOT_FOUND', `This Redis knows no batch ${id}.`)
}

async function liveOf(
  { observer, failures }: Pick<ApiDeps, 'observer' | 'failures'>,
  id: string,
): Promise<schema.BatchLive> {
  const has = ({ batches }: Seen): schema.BatchView | undefined => batches.find((one) => one.id === id)
  const known = await observer.look()
  // It may be newer than the last look.
  const seen = has(known) ? known : await observer.look(0)
  const { workers } = seen
  const batch = has(seen)
  if (!batch) throw new DataferryError('BATCH_NOT_FOUND', `This Redis does not know batch ${id} any more.`)
  const live = workers.flatMap(({ host, pid, holds }) =>
    holds.filter((held) => held.batch === id).map((held) => ({ ...held, worker: `${host} (process ${pid})` })),
  )
  const { groups, counted } = await failures.of(id, batch.failed)
  return { batch, live, failures: [...groups], failuresCounted: counted }
}

/** Where a batch is in the list. */
const placeOf = ({ createdAt, id }: schema.BatchView): string => `${createdAt} ${id}`

function page(
  all: readonly schema.BatchView[],
  { state, before }: z.infer<typeof schema.batchQuerySchema>,
): z.infer<typeof schema.batchListSchema> {
  const wanted = all
    .filter((batch) => state === 'any' || batch.state === state)
    .filter((batch) => before === undefined || placeOf(batch) < before)
    .sort((a, b) => placeOf(b).localeCompare(placeOf(a)))
  const batches = wanted.slice(0, PAGE)
  const last = batches.at(-1)
  return { batches, next: last && wanted.length > PAGE ? placeOf(last) : null }
}

function mutable({
  stepSeconds,
  times,
  bytes,
  files,
}: ReturnType<Observer['history']>): z.infer<typeof schema.seriesSchema> {
  return { stepSeconds, times: [...times], bytes: [...bytes], files: [...files] }
}
