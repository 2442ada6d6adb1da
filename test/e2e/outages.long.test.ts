import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Started } from './cli.ts'
import { itWithMounts } from '../mounts.ts'
import { partsAt, startService, until, type Service } from './service.ts'

const MIB = 1 << 20
const LARGE = 24 * MIB
const SLOW = 4 * MIB
const SMALL = 150

let service: Service
let running: Started[] = []
beforeAll(async () => {
  service = await startService({
    world: {
      datasets: [
        {
          pid: 'doi:10.5072/FK2/LARGE',
          files: [1, 2, 3, 4].map((id) => ({ id, label: `${id}.bin`, content: { size: LARGE, seed: id } })),
        },
        ...['A', 'B', 'C', 'D'].map((name, at) => ({
          pid: `doi:10.5072/FK2/${name}`,
          files: Array.from({ length: SMALL }, (_, i) => ({
            id: 1000 * (at + 1) + i,
            label: `small-${i}.bin`,
            content: { size: (i * 977) % 9_000, seed: i },
          })),
        })),
      ],
    },
  })
})
afterAll(() => service[Symbol.asyncDispose]())
afterEach(async () => {
  for (const { child } of running) child.kill('SIGTERM')
  await Promise.all(running.map(({ ended }) => ended))
  running = []
  await service.dataverse.set({ latencyMs: 0, bytesPerSecond: 0 })
})

function work(machine: 0 | 1, ...args: string[]): Started {
  const started = service.work(machine, ...args)
  running.push(started)
  return started
}

const untilFinished = (id: string) =>
  until(`${id} finished`, async () => (await service.batch(id)).state === 'finished')
const untilSome = (id: string, done: number) =>
  until(`${done} of ${id}`, async () => (await service.batch(id)).done >= done)

/** Files of the server that were asked for more than once. */
async function askedTwice(after: number): Promise<readonly number[]> {
  const files = (await service.dataverse.requests(after)).flatMap(({ file }) => file ?? [])
  return files.filter((file, i) => files.indexOf(file) !== i)
}

test('the file of a killed worker process is taken over at once, at its byte, and another process is started', async () => {
  await service.dataverse.set({ bytesPerSecond: SLOW })
  const supervisor = work(0, '--processes', '2', '--retries', '1')
  const id = await service.enqueue('killed', '1')
  const holder = await until('in flight', async () => {
    const all = await service.workers.list()
    return all.length === 2 && all.find(({ holds }) => holds.some(({ bytes }) => bytes > MIB))
  })
  const { requests: before } = await service.dataverse.totals()
  process.kill(holder.pid, 'SIGKILL')
  const killed = performance.now()
  const again = await until('asked again', async () =>
    (await service.dataverse.requests(before)).find(({ file }) => file === 1),
  )
  process.stderr.write(`taken over on the same machine in ${Math.round(performance.now() - killed)} ms\n`)
  expect(again.range).toMatch(/^bytes=[1-9]/)
  const takenBy = await until('taken over', () => holderNow(holder.id))
  process.stderr.write(`taken over on the same machine, and told, in ${Math.round(performance.now() - killed)} ms\n`)
  expect(takenBy.pid).not.toBe(holder.pid)
  await until('two workers again', async () => (await service.workers.list()).length === 2)
  await service.dataverse.set({ bytesPerSecond: 0 })
  await untilFinished(id)
  const [line] = (await service.outcomes('killed')).filter(({ state }) => state === 'done')
  expect(line).toMatchObject({ state: 'done', verified: 'checksum' })
  expect(line?.state === 'done' && line.resumedFrom).toBeGreaterThan(0)
  supervisor.child.kill('SIGTERM')
  expect((await supervisor.ended).code).toBe(0)
})

async function holderNow(not: string) {
  return (await service.workers.list()).find(({ id, holds }) => id !== not && holds.length > 0)
}

test('into an empty Redis, resume brings back what the destination knows, and nothing is fetched again', async () => {
  await service.dataverse.set({ latencyMs: 100 })
  const { requests: before } = await service.dataverse.totals()
  const id = await service.enqueue('emptied', 'doi:10.5072/FK2/A')
  const first = work(0)
  await untilSome(id, 40)
  first.child.kill('SIGTERM')
  expect((await first.ended).code).toBe(0)
  await service.client.flushall()
  const resumed = await service.run(1, 'resume', service.at('emptied'), '--enqueue')
  expect(resumed.stdout).toMatch(/Redis learned that \d+ had ended/)
  await service.dataverse.set({ latencyMs: 0 })
  expect((await work(1, '--until-done').ended).code).toBe(0)
  expect(await service.batch(id)).toMatchObject({ state: 'finished', done: SMALL, kept: 0, failed: 0 })
  // What was parked before a byte had come is asked for again; what had arrived is not.
  const done = (await service.outcomes('emptied')).filter(({ state }) => state === 'done')
  expect(done).toHaveLength(SMALL)
  // What had begun is asked for without being counted first, to learn whether the server counts it when it ends.
  expect((await askedTwice(before)).length).toBeLessThanOrEqual(2 * 4)
})

test('a Redis that is emptied under its workers learns everything again from the destination', async () => {
  await service.dataverse.set({ latencyMs: 100 })
  const id = await service.enqueue('swept', 'doi:10.5072/FK2/B')
  work(0)
  await untilSome(id, 40)
  await service.client.flushall()
  await until('it is known again', async () => (await service.status()).batches.find((batch) => batch.id === id))
  await untilFinished(id)
  expect(await service.batch(id)).toMatchObject({ planned: SMALL, failed: 0 })
  const done = (await service.outcomes('swept')).filter(({ state }) => state === 'done')
  expect(done).toHaveLength(SMALL)
})

test('a pause and a cancellation outlive a Redis that is emptied, under its workers and for resume', async () => {
  await service.dataverse.set({ bytesPerSecond: SLOW })
  const worker = work(0, '--jobs', '1')
  const id = await service.enqueue('held', '4')
  await until('in flight', async () => (await service.held()).some(({ bytes }) => bytes > MIB))
  expect((await service.run(1, 'pause', id)).stderr).not.toContain('Only Redis knows')
  await until('parked', async () => (await service.held()).length === 0)
  await service.client.flushall()
  await until('known again', async () => (await service.status()).batches.find((batch) => batch.id === id))
  expect(await service.batch(id)).toMatchObject({ state: 'paused', reason: 'by hand', open: 1 })
  worker.child.kill('SIGTERM')
  await worker.ended

  await service.client.flushall()
  const resumed = await service.run(1, 'resume', service.at('held'), '--server', service.dataverse.url)
  expect(resumed.stdout).toContain(`${id} stays paused (by hand). To continue:`)
  expect(resumed.stdout).toContain(`dataferry continue ${id}`)
  expect(resumed.code).toBe(130)
  expect((await service.run(1, 'cancel', id)).code).toBe(0)
  await service.client.flushall()
  const again = await service.run(1, 'resume', service.at('held'), '--enqueue')
  expect(again.stdout).toContain(`${id} stays cancelled (by hand)`)
  expect(again.code).toBe(0)

  await service.dataverse.set({ bytesPerSecond: 0 })
  expect((await service.run(1, 'continue', id)).code).toBe(0)
  await service.client.flushall()
  expect((await service.run(1, 'resume', service.at('held'))).code).toBe(0)
  expect(await service.batch(id)).toMatchObject({ state: 'finished', done: 1, failed: 0 })
})

test('workers wait for a Redis that is killed and comes back with its last writes lost, and the batch ends right', async () => {
  await service.dataverse.set({ latencyMs: 100 })
  const id = await service.enqueue('rolled-back', 'doi:10.5072/FK2/C')
  const worker = work(0)
  await untilSome(id, 30)
  await service.redis.killAndRestart(4_000, 0)
  await untilSome(id, 70)
  await service.redis.killAndRestart(1_000, 6_000)
  await untilFinished(id)
  expect(worker.child.exitCode).toBeNull()
  const { done, kept, failed } = await service.batch(id)
  expect({ all: done + kept, failed }).toEqual({ all: SMALL, failed: 0 })
  const lines = (await service.outcomes('rolled-back')).filter(({ state }) => state === 'done')
  expect(new Set(lines.map(({ n }) => n)).size).toBe(lines.length)
})

test('a worker that is asked to end while Redis is away does so, and what it fetched is kept', async () => {
  await service.dataverse.set({ bytesPerSecond: SLOW })
  const id = await service.enqueue('away', '2')
  const worker = work(0)
  await until('in flight', async () => (await service.held()).some(({ bytes }) => bytes > MIB))
  await service.redis.stop()
  worker.child.kill('SIGTERM')
  expect((await worker.ended).code).toBe(0)
  await service.redis.killAndRestart(0, 0)
  expect(await partsAt(service.at('away'))).toEqual([`${id}-0`])
  await service.dataverse.set({ bytesPerSecond: 0 })
  work(1)
  await untilFinished(id)
  const [line] = (await service.outcomes('away')).filter(({ state }) => state === 'done')
  expect(line?.state === 'done' && line.resumedFrom).toBeGreaterThan(0)
})

test('feeding stops before Redis is full, says so, and goes on when it has room', async () => {
  const { client } = service
  // Far more than Redis takes for itself, so that the share in use is known.
  await client.set('ballast', 'x'.repeat(32 * MIB))
  await client.config('SET', 'maxmemory', String(44 * MIB))
  try {
    const worker = work(0)
    let said = ''
    worker.child.stderr?.on('data', (text: string) => (said += text))
    const id = await service.enqueue('full-redis', 'doi:10.5072/FK2/D')
    await until('a notice', () => Promise.resolve(said.includes('of its memory: feeding waits')))
    expect(await service.batch(id)).toMatchObject({ state: 'open', done: 0, failed: 0 })
    await client.config('SET', 'maxmemory', '0')
    await untilFinished(id)
    expect(await service.batch(id)).toMatchObject({ done: SMALL, failed: 0 })
  } finally {
    await client.config('SET', 'maxmemory', '0')
    await client.del('ballast')
  }
})

itWithMounts('a full disk is waited for: said once, no file fails, and it goes on when there is room', async () => {
  const { dataverse } = service
  const to = service.at('full-disk')
  const mount = `mkdir -p "${to}" && mount -t tmpfs -o size=40m none "${to}" && head -c ${30 * MIB} /dev/zero > "${to}/ballast"`
  const worker = service.workIn(mount, '--jobs', '1')
  running.push(worker)
  const pid = worker.child.pid ?? 0
  const inside = join(`/proc/${pid}/root`, to)
  await until('the mount', async () => (await service.workers.list()).length === 1)
  await writeFile(join(inside, 'there'), '')
  let said = ''
  worker.child.stderr?.on('data', (text: string) => (said += text))
  const { code, stdout } = await service.runIn(pid, 'enqueue', '3', '--server', dataverse.url, '--to', to)
  expect(code).toBe(0)
  const id = /^Enqueued as (\S+?)[.;]/m.exec(stdout)?.[1] ?? ''
  await until('a notice', () => Promise.resolve(said.includes('No space is left')))
  await sleep(6_000)
  expect(said.match(/No space is left/g)).toHaveLength(1)
  expect(await service.batch(id)).toMatchObject({ state: 'open', failed: 0, done: 0 })
  await rm(join(inside, 'ballast'))
  await untilFinished(id)
  expect(await service.batch(id)).toMatchObject({ done: 1, failed: 0 })
})
