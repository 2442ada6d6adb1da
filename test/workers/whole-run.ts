import { bundleJobId, type BundleJob } from '../../jobs/bundle.ts'
import type { ItemJob } from '../../jobs/item.ts'
import { EMPTY_PLAN, readPlanState, writeBatch } from '../../src/batch/folder.ts'
import type { Report } from '../../src/batch/report-schema.ts'
import { readReport } from '../../src/batch/report.ts'
import { Outcomes } from '../../src/batch/outcomes.ts'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import { FileAccessApi } from '../../src/dataverse/file-access-api.ts'
import { NativeApi } from '../../src/dataverse/native-api.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { createLogger } from '../../src/log.ts'
import type { Batch } from '../../src/model/batch.ts'
import type { Entry } from '../../src/model/entry.ts'
import { itemKey } from '../../src/model/item-key.ts'
import type { Failure, Receipt } from '../../src/model/receipt.ts'
import type { OpenSource } from '../../src/model/source.ts'
import type { PlacedEntry } from '../../src/plan/intake.ts'
import { plan } from '../../src/plan/planner.ts'
import { memorySink, memoryStore, type MemoryStore } from '../../src/sinks/memory/memory-sink.ts'
import { processBundle, type BundleDeps } from '../../workers/bundle.ts'
import { Batches } from '../../workers/batches.ts'
import { Bundling, DEFAULT_BUNDLE_SIZE } from '../../workers/bundling.ts'
import { processControl } from '../../workers/control.ts'
import { Feeder } from '../../workers/feed.ts'
import { processItem } from '../../workers/item.ts'
import type { Attempt } from '../../workers/run-job.ts'
import { Running } from '../../workers/running.ts'
import type { Step } from '../../workers/step.ts'
import type { StandIn } from '../fakes/dataverse/server.ts'
import { ONE_TOKEN } from './fixtures.ts'

export interface Wanted {
  readonly server: StandIn
  readonly entries: readonly Entry[]
  readonly apiToken?: string
  readonly batch?: Partial<Pick<Batch, 'bundle' | 'bundleUnverified' | 'complete' | 'digests' | 'existing' | 'format'>>
  /** What an earlier run left. */
  readonly store?: MemoryStore
  /** In place of what the server says. */
  readonly zipLimit?: number
  readonly attempts?: number
  /** How often each bundle's process has died with it. */
  readonly crashes?: number
  /** Stands between the run and the server, with the means to stop what runs. */
  readonly between?: (open: OpenSource, ledger: MemoryLedger, running: Running) => OpenSource
}

export interface Ran {
  readonly store: MemoryStore
  readonly report: Report
  readonly receipts: ReadonlyMap<string, Receipt>
  readonly failures: ReadonlyMap<string, Failure>
  readonly notices: readonly string[]
  /** Attempts that were used beyond the first, of items and bundles. */
  readonly retries: { readonly items: number; readonly bundles: number }
}

interface Queued {
  job: ItemJob | BundleJob
  made: number
}

/** A batch from its manifest to its report, with every part but Redis: jobs run one after the other, waits are left out. */
export async function wholeRun(wanted: Wanted): Promise<Ran> {
  const { server, entries, apiToken, attempts = 3 } = wanted
  const store = wanted.store ?? memoryStore()
  const sink = memorySink(store)
  const ledger = new MemoryLedger()
  const id = 'b1'
  const batch: Batch = {
    v: 1,
    id,
    key: id,
    createdAt: '2026-01-01T00:00:00.000Z',
    destination: sink.url,
    servers: [server.url],
    format: 'original',
    existing: 'error',
    manifest: { name: 'test', format: 'list', sha256: '', entries: entries.length },
    ...wanted.batch,
  }
  const installation = { baseUrl: server.url, apiToken, throttleMs: 1, retries: 0 }
  const catalogue = new NativeApi(installation)
  const source = new DataAccessApi(installation)
  const access = new FileAccessApi(installation)
  await writeBatch(sink.records, batch)
  const planned = await plan({
    batch: id,
    entries: numbered(entries),
    defaultServer: server.url,
    format: batch.format,
    records: sink.records,
    catalogue: () => catalogue,
    from: EMPTY_PLAN,
    signal: new AbortController().signal,
  })
  await ledger.open({ id, destination: sink.url, servers: batch.servers, createdAt: batch.createdAt })
  await ledger.setPlanned(id, planned.items, planned.totals.size, true)

  const queue = new Map<string, Queued>()
  const notices: string[] = []
  const retries = { items: 0, bundles: 0 }
  const batches = new Batches(ledger, () => Promise.resolve(sink), 'w1', createLogger('silent'))
  const bundling = new Bundling({
    size: DEFAULT_BUNDLE_SIZE,
    zipLimit: async () => wanted.zipLimit ?? (await catalogue.zipDownloadLimit()),
    notice: (_, text) => {
      if (text !== undefined) notices.push(text)
    },
  })
  const add = (job: ItemJob | BundleJob): void => {
    const key = 'ns' in job ? bundleJobId(job) : itemKey(job.batch, job.n)
    if (!queue.has(key)) queue.set(key, { job, made: 0 })
  }
  const addAll = (_: string, jobs: readonly (ItemJob | BundleJob)[]): Promise<void> => {
    for (const job of jobs) add(job)
    return Promise.resolve()
  }
  let reports = 0
  const feeder = new Feeder({
    scope: 'public',
    ledger,
    batches,
    isPaused: () => false,
    queued: () => Promise.resolve(queue.size),
    add: addAll,
    removeOrphans: () => Promise.resolve(),
    askReport: () => {
      reports++
      return Promise.resolve()
    },
    window: () => Promise.resolve(1_000),
    memoryPressure: () => Promise.resolve(undefined),
    notice: () => undefined,
    looks: { due: () => Promise.resolve(undefined), isLooking: () => false, leave: () => undefined },
    bundles: {
      options: (...place) => bundling.options(...place),
      add: addAll,
      isQueued: (_, job) => Promise.resolve(queue.has(bundleJobId(job))),
    },
  })
  const running = new Running()
  const deps: BundleDeps = {
    ledger,
    batches,
    running,
    openSource: () => wanted.between?.(source.open, ledger, running) ?? source.open,
    taker: { server: server.url, attached: false, withToken: false },
    limits: {
      throttled: () => Promise.resolve(),
      outage: () => Promise.resolve('alone'),
      succeeded: () => undefined,
      isPaused: () => false,
    },
    access: () => access,
    now: () => new Date(),
    tokens: ONE_TOKEN,
    destinations: {
      mayOpen: undefined,
      isOpen: () => Promise.resolve(true),
      hold: () => undefined,
      leave: () => undefined,
    },
    reconnect: { retries: 1, minDelayMs: 1, maxDelayMs: 1 },
    log: createLogger('silent'),
    bundling,
    addSingles: addAll,
  }
  const work = (job: ItemJob | BundleJob, attempt: Attempt): Promise<Step> =>
    'ns' in job
      ? processBundle({ ...job, crashes: wanted.crashes }, attempt, undefined, deps)
      : processItem(job, attempt, undefined, deps)

  for (let state: string | undefined = 'open'; state !== 'finished'; state = (await ledger.get(id))?.state) {
    const due = reports
    await feeder.pass({ v: 1, batch: id, server: server.url })
    if (reports > due)
      await processControl({ v: 1, task: 'report', batch: id }, { ledger, batches, feed: () => Promise.resolve() })
    for (const [key, queued] of [...queue]) {
      const step = await work(queued.job, { made: queued.made, allowed: attempts, stalled: 0 })
      if (step.kind === 'over') queue.delete(key)
      if (step.counted) queued.job = { ...queued.job, counted: true }
      if (step.kind !== 'retry') continue
      queued.made++
      retries['ns' in queued.job ? 'bundles' : 'items']++
    }
    // What was paused goes on when everything has heard of it.
    if (queue.size === 0 && state === 'paused') await ledger.setState(id, 'open')
  }
  await batches.close()
  await Promise.all([catalogue.close(), source.close(), access.close()])
  return { store, notices, retries, ...(await results(store, id)) }
}

async function results(store: MemoryStore, id: string): Promise<Pick<Ran, 'report' | 'receipts' | 'failures'>> {
  const { records } = memorySink(store)
  const report = await readReport(records, id)
  if (!report) throw new Error(`No report; the plan: ${JSON.stringify(await readPlanState(records, id))}`)
  const outcomes = new Outcomes(records, id)
  const receipts = new Map<string, Receipt>()
  for await (const receipt of outcomes.receipts()) receipts.set(receipt.path, receipt)
  const failures = new Map<string, Failure>()
  for await (const failure of outcomes.failures()) failures.set(failure.path, failure)
  return { report, receipts, failures }
}

async function* numbered(entries: readonly Entry[]): AsyncGenerator<PlacedEntry> {
  for (const [index, entry] of entries.entries())
    yield await Promise.resolve({ line: index + 1, entry, manifest: 'test' })
}

/** The text of a record of the batch. */
export async function recordText(store: MemoryStore, name: string): Promise<string> {
  return Buffer.from((await memorySink(store).records.read(`b1/${name}`)) ?? '').toString()
}

/** Requests for bundles that the server has had. */
export function zipRequests(server: StandIn): number {
  return server.requests.filter(({ url }) => url.includes('/access/datafiles') || url.includes('/zipdownload')).length
}
