import { expect, test } from 'vitest'
import { until } from './service.ts'
import { processOf, useServing } from './serving.ts'

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
  const hour = (new Date().getUTCHours() + 12) % 24
  const between = `${String(hour).padStart(2, '0')}:00-${String((hour + 1) % 24).padStart(2, '0')}:00`
  await service.folder.write({ ...schedule, between })
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
