import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runsOf } from '../../src/schedule/history.ts'
import { records } from './cli.ts'
import { until } from './service.ts'
import { inHours, LARGE_FILE, processOf, scheduledCommand, useServing } from './serving.ts'

const service = useServing()
const outside = (): string => `${inHours(12)}-${inHours(13)}`

test('a command that is killed outside its hours leaves its batch to no worker, and goes on at the byte in the next ones', async () => {
  const schedule = await service.overdueMirror()
  await service.folder.write({ ...schedule, between: `${inHours(13)}-${inHours(12)}` })
  const counted = await service.counted()
  await service.slow(true)
  const running = service.serve()
  await service.untilRunning()
  // Frozen, it cannot do what it is asked.
  const command = scheduledCommand(running)
  process.kill(command, 'SIGSTOP')
  await service.folder.write({ ...schedule, between: outside() })
  process.kill(command, 'SIGKILL')
  await service.untilQuiet()
  await until('it is on record', async () => (await service.lastRun())?.parked !== undefined)
  expect((await service.home.run(['status'])).stdout).toContain('until its schedule goes on')
  await service.slow(false)
  await service.folder.write(schedule)
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  expect(await service.counted()).toBe(counted + 1)
  expect((await service.stop(running)).code).toBe(0)
})

test('a scheduler that is killed with its command leaves nothing to workers outside its hours once another one is there', async () => {
  const schedule = await service.overdueMirror()
  await service.folder.write({ ...schedule, between: `${inHours(13)}-${inHours(12)}` })
  await service.slow(true)
  const running = service.serve()
  await service.untilRunning()
  const both = [scheduledCommand(running), processOf('schedules', running)]
  for (const pid of both) process.kill(pid, 'SIGSTOP')
  await service.folder.write({ ...schedule, between: outside() })
  for (const pid of both) process.kill(pid, 'SIGKILL')
  await service.untilQuiet()
  expect((await service.home.run(['status'])).stdout).toContain('until its schedule goes on')
  await service.slow(false)
  await service.folder.write(schedule)
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  expect((await service.stop(running)).code).toBe(0)
})

test('a command with a rate of its own keeps to it beside workers, and one with --new goes on with its batch after a kill', async () => {
  await service.overdue('run', String(LARGE_FILE), '--new', '--bwlimit', '4M')
  const running = service.serve()
  await service.untilRunning()
  const batches = async (): Promise<readonly unknown[]> =>
    records((await service.home.run(['status', '--all', '--json'])).stdout).filter(({ event }) => event === 'batch')
  // No worker takes part.
  expect(await batches()).toMatchObject([{ attached: true }])
  running.child.kill('SIGKILL')
  await service.untilQuiet()
  const next = service.serve()
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  expect(await batches()).toMatchObject([{ state: 'finished' }])
  expect((await service.stop(next)).code).toBe(0)
})

test('enqueue and verify run at their times, not before their jitter, and are on record with their reports', async () => {
  const at = ['--cron', '*/4 * * * * *', '--jitter', '3s', '--']
  const place = ['--server', service.url(), '--to', service.home.data]
  for (const [name, command] of [
    ['fetch', ['enqueue', '2', ...place]],
    ['check', ['verify', service.home.data]],
    ['tell', ['verify', service.home.data, '--report', 'findings.csv']],
  ] as const) {
    const { code, stderr } = await service.home.run(['schedule', 'add', name, ...at, ...command])
    expect([code, stderr]).toEqual([0, name === 'fetch' ? '' : expect.stringContaining('There is nothing to verify')])
  }
  const starts = new Map<unknown, unknown>()
  for (const name of ['fetch', 'check', 'tell']) {
    const { stdout } = await service.home.run(['schedule', 'next', name, '100', '--json'])
    for (const { schedule, due, start } of records(stdout)) starts.set(`${String(schedule)} ${String(due)}`, start)
  }
  const running = service.serve()
  for (const name of ['check', 'tell']) {
    await until(`${name} went well`, async () =>
      runsOf(await service.folder.history(name)).some(({ code }) => code === 0),
    )
  }
  expect((await service.stop(running)).code).toBe(0)
  let compared = 0
  for (const [name, report] of [
    ['fetch', /\/data\/\.dataferry\/[\w-]+\/report\.json$/],
    ['check', /\/data\/\.dataferry\/verified\/summary\.json$/],
    ['tell', /\/findings\.csv$/],
  ] as const) {
    const runs = runsOf(await service.folder.history(name))
    const well = runs.filter(({ code }) => code === 0)
    expect(well).not.toEqual([])
    for (const run of well) expect(run.report).toMatch(report)
    expect(readFileSync(new URL(well[0]?.report ?? ''), 'utf8')).not.toBe('')
    // What was due before the times were listed is made up.
    const listed = runs.filter(({ due }) => starts.has(`${name} ${due ?? ''}`))
    compared += listed.length
    for (const { due, startedAt } of listed)
      expect(Date.parse(startedAt)).toBeGreaterThanOrEqual(Date.parse(String(starts.get(`${name} ${due ?? ''}`))))
    const shown = records((await service.home.run(['schedule', 'show', name, '--json'])).stdout)
    const told = shown.filter(({ event }) => event === 'run')
    expect(told).toHaveLength(runs.length)
    expect(told).toContainEqual(expect.objectContaining({ exit: 0, report: well[0]?.report }))
  }
  expect(compared).toBeGreaterThan(0)
})
