import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RedisPlayer } from '../../scripts/chaos/redis-player.ts'
import { bind } from '../../src/dashboard/bind.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import { records, type Started } from './cli.ts'
import { until } from './service.ts'
import { inHours, processOf, useServing } from './serving.ts'

const service = useServing()

test('the part with the schedules is killed in the middle of a run: the next one goes on with it', async () => {
  await service.overdueMirror()
  await service.slow(true)
  const running = service.serve()
  await service.untilRunning()
  process.kill(processOf('schedules', running), 'SIGKILL')
  await service.slow(false)
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  expect((await service.stop(running)).code).toBe(0)
})

test('the whole service is killed: its processes end, and the next one goes on', async () => {
  await service.overdueMirror()
  await service.slow(true)
  const running = service.serve()
  await service.untilRunning()
  const parts = [processOf('schedules', running), processOf('workers', running)]
  running.child.kill('SIGKILL')
  await running.ended
  await service.slow(false)
  service.serve()
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  for (const pid of parts) expect(() => process.kill(pid, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }))
})

test('the end of its hours parks a run by itself, and serve ends with 10 at a stop limit', async () => {
  // Hours that end in a moment cannot be written: they are changed while it runs.
  const schedule = await service.overdueMirror()
  await service.slow(true)
  const running = service.serve('--max-duration', '2m')
  await service.untilRunning()
  await service.folder.write({ ...schedule, between: `${inHours(12)}-${inHours(13)}` })
  await until('it is parked', async () => (await service.lastRun())?.parked === 'its hours have ended')
  expect(await service.lastRun()).toMatchObject({ code: 10 })
  await service.untilQuiet()
  await service.slow(false)
  await service.folder.write(schedule)
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  expect((await service.stop(running)).code).toBe(0)
  const limited = service.serve('--max-duration', '1s')
  expect((await limited.ended).code).toBe(10)
})

test('a service with hours that is stopped leaves nothing to workers elsewhere, and goes on when it is back', async () => {
  const schedule = await service.overdueMirror()
  await service.folder.write({ ...schedule, between: `${inHours(13)}-${inHours(12)}` })
  await service.slow(true)
  const running = service.serve()
  await service.untilRunning()
  // Elsewhere somebody works for the same Redis.
  const worker = service.home.start(['work', '--server', service.url(), '--processes', '1'])
  await until('it works', async () => {
    const status = await service.home.run(['status', '--json'])
    return status.stdout.split('"event":"worker"').length > 2
  })
  expect((await service.stop(running)).code).toBe(0)
  expect(await service.lastRun()).toMatchObject({ code: 10, parked: 'the scheduler was stopped' })
  await service.untilQuiet()
  expect((await service.home.run(['status'])).stdout).toContain('until its schedule goes on')
  await service.slow(false)
  service.serve()
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  worker.child.kill('SIGTERM')
  expect((await worker.ended).code).toBe(0)
})

test('a part whose settings are wrong ends the service, which says why', async () => {
  const { code, stderr } = await service.serve('--port', 'x').ended
  expect(code).toBe(2)
  expect(stderr).toContain('--port')
})

test('a port that another program took while the dashboard was started again ends nothing: it is said, and taken when it is free', async () => {
  const port = await freePort()
  const running = service.serve('--port', String(port))
  await until('its dashboard', () => Promise.resolve(running.said().includes('dashboard is at')))
  process.kill(processOf('dashboard', running), 'SIGKILL')
  const other = createServer()
  const isTaken = (): Promise<unknown> => bind(other, { host: '127.0.0.1', port, exact: true }).catch(() => undefined)
  await until('its port is taken', isTaken)
  await until('it is said', () => Promise.resolve(running.said().includes(`Port ${port} of 127.0.0.1 is taken`)))
  await until('it tries again', () => Promise.resolve(/dashboard ended \(exit code 2\)/.test(running.said())))
  other.close()
  await until('the dashboard answers', () => isReady(port))
  expect((await service.stop(running)).code).toBe(0)
})

test('two services of one Redis start each due time once, also where one is killed again and again', async () => {
  await service.overdueMirror()
  const schedule = await service.folder.read('nightly')
  if (!schedule) throw new Error('It is gone.')
  await service.folder.remove('nightly')
  // Due every three seconds; how its runs end does not matter.
  const now = new Date().toISOString()
  const often = { ...schedule, name: 'often', cron: '*/3 * * * * *', createdAt: now, since: now }
  const other = new ScheduleFolder(join(service.home.folder, 'other'))
  for (const folder of [service.folder, other]) await folder.write(often)
  const redis = await RedisPlayer.start(join(service.home.folder, 'redis'))
  try {
    const env = { REDIS_URL: redis.url }
    const steady = service.serveIn({ ...env, DATAFERRY_STATE_DIR: join(service.home.folder, 'other') })
    for (let round = 0; round < 3; round++) {
      const unsteady = service.serveIn(env)
      const before = (await service.folder.history('often')).length + (await other.history('often')).length
      await until('more is on record', async () => {
        const lines = [...(await service.folder.history('often')), ...(await other.history('often'))]
        return lines.length > before + 6
      })
      unsteady.child.kill('SIGKILL')
      await unsteady.ended
    }
    expect((await service.stop(steady)).code).toBe(0)
    const lines = [...(await service.folder.history('often')), ...(await other.history('often'))]
    // A run that is taken over starts on the other machine, under its own name.
    const started = new Set(lines.flatMap((line) => (line.event === 'started' ? [line.run] : [])))
    const skipped = lines.flatMap((line) => (line.event === 'skipped' ? [line.due] : []))
    const ended = lines.flatMap((line) => (line.event === 'ended' && line.parked === undefined ? [line.run] : []))
    for (const acted of [skipped, ended]) expect(new Set(acted).size).toBe(acted.length)
    expect(skipped.filter((due) => started.has(due))).toEqual([])
    expect(started.size).toBeGreaterThan(3)
  } finally {
    await redis.stop()
  }
})

test('every part that is killed is started again, where it was, and a batch under way comes to its end', async () => {
  const config = { notify: { webhooks: [{ url: 'http://127.0.0.1:9/nobody' }] } }
  await writeFile(join(service.home.folder, 'dataferry.config.json'), JSON.stringify(config))
  const to = join(service.home.folder, 'batch')
  expect((await service.home.run(['enqueue', '1', '--server', service.url(), '--to', to])).code).toBe(0)
  await service.slow(true)
  const running = service.serve()
  const port = await until('its dashboard', () =>
    Promise.resolve(/dashboard is at http:\/\/localhost:(\d+)/.exec(running.said())?.[1]),
  )
  await service.untilRunning()
  for (const part of ['workers', 'dashboard', 'notifications', 'schedules']) {
    const before = processOf(part, running)
    process.kill(before, 'SIGKILL')
    await until(`${part} is there again`, () => Promise.resolve(isAnother(part, running, before)))
  }
  await until('the dashboard answers where it was', () => isReady(Number(port)))
  await service.slow(false)
  await until('the batch has ended', async () => {
    const status = records((await service.home.run(['status', '--all', '--json'])).stdout)
    return status.some(({ event, state, done }) => event === 'batch' && state === 'finished' && done === 1)
  })
  expect((await service.home.run(['verify', to])).code).toBe(0)
  expect((await service.stop(running)).code).toBe(0)
})

function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )
}

/** A port that nobody listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createServer()
  const port = await bind(server, { host: '127.0.0.1', port: 0, exact: false })
  server.close()
  await once(server, 'close')
  return port
}

function isAnother(part: string, running: Started, before: number): boolean {
  try {
    return processOf(part, running) !== before
  } catch {
    // There is none at the moment.
    return false
  }
}
