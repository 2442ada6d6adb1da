import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisPlayer } from '../../scripts/chaos/redis-player.ts'
import { listBatches } from '../../src/batch/folder.ts'
import { readOutcomes } from '../../src/batch/outcome-log.ts'
import type { RedisClient } from '../../src/ledger/redis/client.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { Workers, type HeldItem } from '../../src/ledger/workers.ts'
import type { LogLine } from '../../src/model/receipt.ts'
import { connect } from '../../src/queue/connection.ts'
import { openQueues, type Queues } from '../../src/queue/queues.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { readStatus, type BatchStatus, type Status } from '../../src/status.ts'
import { startDataverseProcess, type DataverseProcess, type ProcessOptions } from '../fakes/dataverse/process.ts'
import { PRIVATE_MOUNTS } from '../mounts.ts'
import { makeHome, type Ended, type Home, type Started } from './cli.ts'

/** Two machines that share one Redis and see one folder of destinations, and the server they ask. */
export interface Service extends AsyncDisposable {
  readonly dataverse: DataverseProcess
  readonly redis: RedisPlayer
  readonly client: RedisClient
  readonly queues: Queues
  readonly workers: Workers
  /** What commands see that are started from now on. */
  readonly env: Record<string, string>
  /** Starts `work` on a machine. */
  work(machine: 0 | 1, ...args: string[]): Started
  /** Starts `work` with mounts of its own, which a shell command makes and which go with it. */
  workIn(mount: string, ...args: string[]): Started
  /** Runs a command that sees the mounts of a process. */
  runIn(pid: number, ...args: string[]): Promise<Ended>
  /** Runs any other command on a machine, with the shared Redis. */
  run(machine: 0 | 1, ...args: string[]): Promise<Ended>
  /** Plans and enqueues; resolves to the batch's name. */
  enqueue(to: string, ...args: string[]): Promise<string>
  /** A destination by its name. */
  at(name: string): string
  status(): Promise<Status>
  batch(id: string): Promise<BatchStatus>
  held(): Promise<readonly HeldItem[]>
  /** Everything on record about a destination's batch. */
  outcomes(to: string): Promise<readonly LogLine[]>
}

const LOOK_MS = 50

/** Looks again and again until something is there. Rejects when it does not come. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  patienceMs = 120_000,
): Promise<T> {
  const giveUpAt = performance.now() + patienceMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > giveUpAt) throw new Error(`It never came to this: ${what}.`)
    await sleep(LOOK_MS)
  }
}

export async function startService(options: ProcessOptions): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'df-svc-'))
  const redis = await RedisPlayer.start(join(folder, 'redis'))
  const dataverse = await startDataverseProcess(options)
  const homes = [await makeHome(), await makeHome()] as const
  const client = await connect({ url: redis.url, role: 'worker' })
  const queues = openQueues({ connection: client })
  const ledger = new RedisLedger(client)
  const workers = new Workers(client)
  const env: Record<string, string> = {
    REDIS_URL: redis.url,
    DATAFERRY_PREFIX: '{dataferry}',
    DATAVERSE_SERVER: dataverse.url,
  }
  const started: Started[] = []
  const start = (home: Home, args: readonly string[]): Started => {
    const one = home.start(args, { ...env })
    started.push(one)
    return one
  }
  const startIn = (wrapper: readonly string[], args: readonly string[]): Started => {
    const one = homes[0].start(args, env, '', wrapper)
    started.push(one)
    return one
  }
  const at = (name: string): string => join(folder, 'data', name)
  const status = (): Promise<Status> => readStatus({ ledger, servers: new Servers(client), workers, queues })
  return {
    dataverse,
    redis,
    client,
    queues,
    workers,
    env,
    work: (machine, ...args) => start(homes[machine], ['work', ...args]),
    workIn: (mount, ...args) => startIn([...PRIVATE_MOUNTS, `${mount} && exec "$@"`, 'sh'], ['work', ...args]),
    runIn: (pid, ...args) => startIn(['nsenter', '--target', String(pid), '--user', '--mount', '--'], args).ended,
    run: (machine, ...args) => start(homes[machine], args).ended,
    async enqueue(to, ...args) {
      const { code, stdout, stderr } = await start(homes[0], ['enqueue', ...args, '--to', at(to)]).ended
      const id = /^Enqueued as (\S+?)[.;]/m.exec(stdout)?.[1]
      if (code !== 0 || id === undefined) throw new Error(`enqueue ended with ${String(code)}: ${stdout}${stderr}`)
      return id
    },
    at,
    status,
    async batch(id) {
      const found = (await status()).batches.find((batch) => batch.id === id)
      if (!found) throw new Error(`Redis does not know ${id}.`)
      return found
    },
    held: async () => (await workers.list()).flatMap(({ holds }) => holds),
    outcomes: (to) => outcomesAt(at(to)),
    async [Symbol.asyncDispose]() {
      for (const { child } of started) child.kill('SIGKILL')
      await Promise.all(started.map(({ ended }) => ended))
      await queues.close()
      client.disconnect()
      await dataverse.close()
      await redis.stop()
      for (const home of homes) await home[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function outcomesAt(destination: string): Promise<readonly LogLine[]> {
  const sink = diskSink(destination)
  try {
    const lines: LogLine[] = []
    for (const { id } of await listBatches(sink.records)) {
      for await (const line of readOutcomes(sink.records, id)) lines.push(line)
    }
    return lines
  } finally {
    await sink.close()
  }
}

/** Keys of which parts are held at a destination. */
export async function partsAt(destination: string): Promise<readonly string[]> {
  const names = await readdir(join(destination, '.dataferry', 'parts')).catch(() => [])
  return names.filter((name) => !name.endsWith('.alive'))
}
