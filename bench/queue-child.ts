import { PUBLIC_SCOPE } from '../jobs/scope.ts'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { names, EMPTY_PLAN, writeBatch, writePlanState } from '../src/batch/folder.ts'
import { allItems, ItemsWriter } from '../src/batch/items-file.ts'
import { reconcile } from '../src/batch/reconcile.ts'
import { readReport } from '../src/batch/report.ts'
import { redisChanges } from '../src/ledger/redis/redis-changes.ts'
import { RedisLedger } from '../src/ledger/redis/redis-ledger.ts'
import { Servers } from '../src/ledger/servers.ts'
import { Workers } from '../src/ledger/workers.ts'
import { createLogger } from '../src/log.ts'
import type { Batch, PlanState } from '../src/model/batch.ts'
import type { OpenSource } from '../src/model/source.ts'
import { addItems, openQueues, startFeeding } from '../src/queue/queues.ts'
import { Counts } from '../src/model/counts.ts'
import { RedisHold } from '../src/queue/redis-hold.ts'
import { memoryPressure } from '../src/queue/redis-settings.ts'
import { diskSink } from '../src/sinks/disk/disk-sink.ts'
import { memorySink } from '../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { transfer } from '../src/transfer/transfer.ts'
import { queueWorker } from '../workers/queue-workers.ts'
import { Notices } from '../workers/notices.ts'
import { startWorkers } from '../workers/run.ts'
import { startRedis } from './redis.ts'

/**
 * Works off a batch of items whose source answers at once and whose files stay in memory, and prints the CPU time that it
 * took. Arguments: folder for the records and the private Redis, items, items at the same time.
 */
const [folder = '', itemCount = '', streamCount = ''] = process.argv.slice(2)
const count = Number(itemCount)
const jobs = Number(streamCount)

const SERVER = 'http://stand-in.invalid'
const PREFIX = '{bench}'
const BODY = Buffer.from('a small file\n')
const CHECKSUM = { algorithm: 'md5', hex: createHash('md5').update(BODY).digest('hex') } as const
const BATCH = 'bench'

const instantSource: OpenSource = (_ref, from) =>
  Promise.resolve({
    body: bytes(),
    from,
    size: BODY.length,
    etag: undefined,
    contentType: undefined,
    encoding: undefined,
    counted: true,
  })

async function* bytes(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(BODY)
}

/** Files in memory; records on disk, as a log in memory is copied whole at each append. */
function benchSink(root: string): Sink {
  const [files, disk] = [memorySink(), diskSink(root)]
  return {
    url: disk.url,
    needsHashState: false,
    records: disk.records,
    stat: (...about) => files.stat(...about),
    read: (...about) => files.read(...about),
    stage: (options) => files.stage(options),
    put: (...about) => files.put(...about),
    forget: (key) => files.forget(key),
    move: (...about) => files.move(...about),
    link: (...about) => files.link(...about),
    remove: (place) => files.remove(place),
    list: (signal) => files.list(signal),
    check: () => disk.check(),
    free: () => files.free(),
    sweep: (...about) => files.sweep(...about),
    close: () => Promise.resolve(),
  }
}

/** Writes the plan of `count` items to the sink, complete. */
async function writePlan({ records, url }: Sink): Promise<{ batch: Batch; plan: PlanState }> {
  const writer = await ItemsWriter.open(records, BATCH, { items: 0, bytes: 0 })
  for (let n = 0; n < count; n++) {
    const ref = { kind: 'file', file: n + 1, format: 'original' } as const
    const path = `d${Math.floor(n / 1000)}/file-${n}.bin`
    writer.add({ server: SERVER, ref, path, expect: { size: BODY.length, checksum: CHECKSUM } })
  }
  await writer.flush()
  const plan: PlanState = { ...EMPTY_PLAN, ...writer.position, entries: count, complete: true }
  await writer.close()
  const manifest = { name: names.manifest(BATCH), format: 'list', sha256: '', entries: count }
  const wish = { servers: [SERVER], format: 'original', existing: 'error', manifest } as const
  const batch: Batch = {
    v: 1,
    id: BATCH,
    key: '',
    createdAt: new Date().toISOString(),
    destination: url,
    ...wish,
    servers: [SERVER],
  }
  await writeBatch(records, batch)
  await writePlanState(records, BATCH, plan)
  return { batch, plan }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** CPU seconds of the engine over all items, from the plan to receipts that nobody keeps. */
async function engineAlone(planned: Sink): Promise<number> {
  const sink = memorySink()
  const { signal } = new AbortController()
  const before = cpuSeconds()
  for await (const item of allItems(planned.records, BATCH, count)) {
    const key = `${BATCH}-${item.n}`
    await sink.stat(item.path, key, signal)
    await transfer(item, { open: instantSource, sink }, { key, signal, count: true })
  }
  return cpuSeconds() - before
}

/** CPU seconds of BullMQ over as many jobs without any work: no runner on it can be cheaper. */
async function bullmqAlone(): Promise<number> {
  const queue = queues.in(PUBLIC_SCOPE).items('http://nothing.invalid')
  const before = cpuSeconds()
  await addItems(
    queue,
    Array.from({ length: count }, (_, n) => ({ v: 1, batch: BATCH, n })),
  )
  const worker = queueWorker(queue.name, () => Promise.resolve(), {
    client,
    prefix: PREFIX,
    concurrency: jobs,
    retry,
    hold,
    log,
  })
  const drained = new Promise<void>((resolve) => worker.once('drained', () => resolve()))
  const running = worker.run()
  await drained
  await worker.close()
  await running
  return cpuSeconds() - before
}

const log = createLogger('silent')
const retry = { firstMs: 1000, maxMs: 1000 }
const sink = benchSink(join(folder, 'data'))
const { batch, plan } = await writePlan(sink)
await using redis = await startRedis(join(folder, 'state'))
const { client } = redis
const changes = await redisChanges(client, PREFIX)
const queues = openQueues({ connection: client, prefix: PREFIX })
const hold = new RedisHold({
  place: { url: 'unix:///private' },
  probe: () => client.ping(),
  tell: () => undefined,
  signal: AbortSignal.abort(),
})
const ledger = new RedisLedger(client, { prefix: PREFIX })
await reconcile(ledger, sink.records, batch, plan)
await ledger.detach(BATCH, [])

const [begun, cpuBefore, redisBefore] = [performance.now(), cpuSeconds(), await redis.use()]
await startFeeding(queues.in(PUBLIC_SCOPE), BATCH, SERVER)
const workers = await startWorkers(
  {
    client,
    counts: new Counts(),
    isUp: () => Promise.resolve(true),
    queues,
    ledger,
    changes,
    notices: new Notices(log),
    hold,
    mayOpen: () => true,
    servers: new Servers(client, PREFIX),
    workers: new Workers(client, PREFIX),
    openSink: () => Promise.resolve(sink),
    openSource: () => instantSource,
    access: () => {
      throw new Error('Nothing is withheld here.')
    },
    tokens: { placeOf: () => undefined, renew: () => 0, isAccepted: () => Promise.resolve(true) },
    tokenExpiry: () => Promise.resolve(undefined),
    zipLimit: () => Promise.resolve(undefined),
    limitBandwidth: () => undefined,
    memoryPressure: () => memoryPressure(client),
    log,
  },
  {
    prefix: PREFIX,
    scopes: [{ scope: PUBLIC_SCOPE, servers: [SERVER] }],
    jobs,
    attempts: 3,
    throttle: { firstMs: 1000, maxMs: 1000 },
    outage: { firstMs: 1000, maxMs: 1000 },
    giveUpAfterMs: 60_000,
    lookEveryMs: 3_600_000,
    retry,
  },
)
while ((await ledger.get(BATCH))?.state !== 'finished') await sleep(50)
const seconds = (performance.now() - begun) / 1000
const workerCpuSeconds = cpuSeconds() - cpuBefore
const after = await redis.use()
await workers.close()
const report = await readReport(sink.records, BATCH)
if (report?.done !== count) throw new Error(`${report?.done ?? 0} of ${count} items are done.`)
const engineCpuSeconds = await engineAlone(sink)
const bullmqCpuSeconds = await bullmqAlone()
await queues.close()
await changes.close()
process.stdout.write(
  JSON.stringify({
    seconds,
    workerCpuSeconds,
    engineCpuSeconds,
    bullmqCpuSeconds,
    redisCpuSeconds: after.cpuSeconds - redisBefore.cpuSeconds,
    redisPeakMemory: after.peakMemory,
  }),
)
