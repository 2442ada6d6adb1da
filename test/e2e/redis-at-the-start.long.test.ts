import { afterAll, beforeAll, expect, it } from 'vitest'
import type { DataverseProcess } from '../fakes/dataverse/process.ts'
import { itWithMounts, PRIVATE_MOUNTS } from '../mounts.ts'
import { startService, until, type Service } from './service.ts'
import { SMALL_FILES_PID, smallFiles } from './small-files.ts'
import { useHome } from './use-home.ts'

const SMALL = 40
const world = smallFiles(SMALL)
const FULL = ['maxmemory', '1'] as const
const ROOM = ['maxmemory', '0'] as const

const home = useHome()
let service: Service
let dataverse: DataverseProcess
beforeAll(async () => {
  service = await startService({ world })
  dataverse = service.dataverse
})
afterAll(() => service[Symbol.asyncDispose]())

it('a Redis that is full at the start is one sentence with its address and the fix, and exit 3', async () => {
  await service.client.config('SET', ...FULL)
  try {
    for (const args of [
      ['work'],
      ['enqueue', SMALL_FILES_PID, '--to', service.at('never')],
      ['run', SMALL_FILES_PID, '--to', service.at('never')],
      ['pause', '--only-server', dataverse.url],
    ]) {
      const { code, stderr } = await service.run(0, ...args)
      expect(stderr).toMatch(/Redis at unix:\/\/\S+ is full/)
      expect(stderr).toMatch(/CONFIG SET maxmemory/)
      expect(stderr).not.toMatch(/mistake in dataferry|ReplyError|\n {4}at /)
      expect(code).toBe(3)
    }
    expect((await service.run(0, 'status')).code).toBe(0)
  } finally {
    await service.client.config('SET', ...ROOM)
  }
})

it('a Redis that gets full in the middle of a run is waited for: said once, no attempt is used, and all files come', async () => {
  await dataverse.set({ latencyMs: 100 })
  const worker = service.work(0, '--retries', '1')
  let said = ''
  worker.child.stderr?.on('data', (text: string) => (said += text))
  const id = await service.enqueue('full', SMALL_FILES_PID)
  await until('some files', async () => (await service.batch(id)).done > 3)
  await service.client.config('SET', ...FULL)
  await until('it is said', () => Promise.resolve(said.includes('is full')))
  const { requests: before } = await dataverse.totals()
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  // Nothing is asked for whose end could not be counted, and nothing is asked in a hurry.
  expect((await dataverse.totals()).requests - before).toBeLessThan(SMALL / 2)
  await service.client.config('SET', ...ROOM)
  await dataverse.set({ latencyMs: 0 })
  await until('finished', async () => (await service.batch(id)).state === 'finished')
  expect(await service.batch(id)).toMatchObject({ done: SMALL, failed: 0 })
  expect(said.match(/is full/g)).toHaveLength(1)
  expect(said).toMatch(/Redis at unix\S+ has been on hold since \d\d:\d\d:\d\d, next look at \d\d:\d\d:\d\d: /)
  const outcomes = await service.outcomes('full')
  expect(outcomes.filter(({ state }) => state === 'failed')).toEqual([])
  worker.child.kill('SIGTERM')
  expect((await worker.ended).code).toBe(0)
})

it('Ctrl-C while Redis takes no writes, or is away, parks: no word of a mistake, and the same command goes on', async () => {
  const args = ['run', SMALL_FILES_PID, '--to', service.at('parked'), '--server', dataverse.url]
  const env = { REDIS_URL: service.redis.url, DATAFERRY_PREFIX: '{dataferry}' }
  await dataverse.set({ latencyMs: 100 })
  for (const [words, break_, mend] of [
    [/is full/, () => service.client.config('SET', ...FULL), () => service.client.config('SET', ...ROOM)],
    [/its connection was lost/, () => service.redis.stop(), () => service.redis.killAndRestart(0, 0)],
  ] as const) {
    const { requests } = await dataverse.totals()
    const run = home.start(args, env)
    let said = ''
    run.child.stderr?.on('data', (text: string) => (said += text))
    await until('under way', async () => (await dataverse.totals()).requests > requests + 4)
    await break_()
    await until('it is said', () => Promise.resolve(words.test(said)))
    run.child.kill('SIGINT')
    const { code, stderr } = await run.ended
    expect(stderr).not.toMatch(/mistake in dataferry|unexpected happened|\n {4}at /)
    expect(stderr).toContain('Parked.')
    expect(code).toBe(130)
    await mend()
  }
  await dataverse.set({ latencyMs: 0 })
  const { code, stdout } = await home.start(args, env).ended
  expect(stdout).toContain(`All ${SMALL} files are there`)
  expect(code).toBe(0)
})

it('a state folder that cannot be used is one sentence with its name and the fix, and exit 3', async () => {
  const refused = async (stateDir: string, wrapper: readonly string[] = []): Promise<string> => {
    const env = { DATAFERRY_STATE_DIR: stateDir, REDIS_URL: '' }
    const { code, stderr } = await home.start(['status'], env, '', wrapper).ended
    expect(stderr).toContain(`The state folder ${stateDir} cannot be used: `)
    expect(stderr).toMatch(/--state-dir.*--redis/)
    expect(stderr).not.toMatch(/mistake in dataferry|\n {4}at /)
    expect(code).toBe(3)
    return stderr
  }
  expect(await refused('/dev/null/state')).toContain('a part of its path is not a folder')
  await refused('/sys/kernel/nowhere')
})

itWithMounts('a state folder on a full or a read-only disk is said so at the start', async () => {
  for (const [options, reason] of [
    ['size=64k', 'no space is left on its disk'],
    ['ro', 'its disk is read-only'],
  ] as const) {
    const folder = `${home.folder}/mounted-${options.slice(0, 2)}`
    const fill = options === 'ro' ? 'true' : `head -c 1m /dev/zero > "${folder}/ballast" 2>/dev/null || true`
    const mount = `mkdir -p "${folder}" && mount -t tmpfs -o ${options} none "${folder}" && { ${fill}; } && exec "$@"`
    const env = { DATAFERRY_STATE_DIR: folder, REDIS_URL: '' }
    const { code, stderr } = await home.start(['status'], env, '', [...PRIVATE_MOUNTS, mount, 'sh']).ended
    expect(stderr).toContain(`The state folder ${folder} cannot be used: ${reason}`)
    expect(code).toBe(3)
  }
})

it('without HOME, and with one that is empty, the state folder is that of the user', async () => {
  const { code, stdout } = await home.start(['config', '--json'], { HOME: '', DATAFERRY_STATE_DIR: '' }).ended
  expect(code).toBe(0)
  expect(stdout).toMatch(/"\/[^"]*\.local\/state\/dataferry"/)
})
