import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { itWithMounts, PRIVATE_MOUNTS } from '../mounts.ts'
import { makeHome } from './cli.ts'
import { startService, until, type Service } from './service.ts'
import { SMALL_FILES_PID, smallFiles } from './small-files.ts'

const SMALL = 60
let service: Service
beforeAll(async () => {
  service = await startService({ world: smallFiles(SMALL) })
})
afterAll(() => service[Symbol.asyncDispose]())

it.each([
  ['a replica', 'REPLICAOF', ['127.0.0.1', '1'], ['NO', 'ONE'], 'is a replica'],
  [
    'without its replicas',
    'CONFIG',
    ['SET', 'min-replicas-to-write', '1'],
    ['SET', 'min-replicas-to-write', '0'],
    'fewer replicas are connected',
  ],
] as const)(
  'a Redis that becomes %s in mid-run is waited for, for longer than a lock lasts',
  async (name, command, refuse, accept, words) => {
    const { client, dataverse } = service
    await dataverse.set({ latencyMs: 100 })
    const worker = service.work(0, '--retries', '1')
    let said = ''
    worker.child.stderr?.on('data', (text: string) => (said += text))
    const to = name.replaceAll(/\W/g, '-')
    const id = await service.enqueue(to, SMALL_FILES_PID)
    await until('some files', async () => (await service.batch(id)).done > 3)
    await client.call(command, [...refuse])
    await until('it is said', () => Promise.resolve(said.includes(words)))
    await new Promise((resolve) => setTimeout(resolve, 70_000))
    expect(said.match(new RegExp(words, 'g'))).toHaveLength(1)
    await client.call(command, [...accept])
    await dataverse.set({ latencyMs: 0 })
    await until('finished', async () => (await service.batch(id)).state === 'finished')
    expect(await service.batch(id)).toMatchObject({ done: SMALL, failed: 0 })
    expect((await service.outcomes(to)).filter(({ state }) => state === 'failed')).toEqual([])
    worker.child.kill('SIGTERM')
    expect((await worker.ended).code).toBe(0)
  },
)

itWithMounts(
  'a state folder that gets full in mid-run is waited for, named, and gone on with when it has room',
  async () => {
    await using home = await makeHome()
    const { dataverse } = service
    await dataverse.set({ latencyMs: 200 })
    const folder = join(home.folder, 'state')
    const mount = `mkdir -p "${folder}" && mount -t tmpfs -o size=8m none "${folder}" && exec "$@"`
    const wrapper = [...PRIVATE_MOUNTS, mount, 'sh']
    const env = { DATAFERRY_STATE_DIR: folder, REDIS_URL: '', DATAVERSE_SERVER: dataverse.url }
    const { requests } = await dataverse.totals()
    const run = home.start(
      ['run', SMALL_FILES_PID, '--to', home.data, '--jobs', '1', '--retries', '1'],
      env,
      '',
      wrapper,
    )
    let said = ''
    run.child.stderr?.on('data', (text: string) => (said += text))
    await until('under way', async () => (await dataverse.totals()).requests > requests + 5)
    const ballast = join(`/proc/${run.child.pid}/root`, folder, 'ballast')
    await writeFile(ballast, Buffer.alloc(16 << 20)).catch(() => undefined)
    await until('it is said', () => Promise.resolve(said.includes(`The state folder ${folder} cannot be used`)))
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect(said.match(/The state folder/g)).toHaveLength(1)
    await rm(ballast)
    await dataverse.set({ latencyMs: 0 })
    const { code, stdout } = await run.ended
    expect(stdout).toContain(`All ${SMALL} files are there`)
    expect(code).toBe(0)
  },
)
