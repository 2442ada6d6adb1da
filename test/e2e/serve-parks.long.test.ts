import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startReceiver } from '../notify/receivers.ts'
import { records } from './cli.ts'
import { until } from './service.ts'
import { useServing } from './serving.ts'

const service = useServing()

test('what was missed while nothing ran is made up, by the workers of the service, and its report is on record', async () => {
  await using receiver = await startReceiver([500])
  const notify = { webhooks: [{ url: receiver.url, events: ['mirror-changed'] }] }
  writeFileSync(join(service.home.folder, 'dataferry.config.json'), JSON.stringify({ notify }))
  await service.overdueMirror()
  const running = service.serve()
  const run = await service.untilEnded()
  expect(run).toMatchObject({ code: 0, parked: undefined })
  expect(readFileSync(join(service.home.data, 'doi-10.5072-FK2-A', 'small.txt'), 'utf8')).toBe('small')
  const report: unknown = JSON.parse(readFileSync(new URL(run.report ?? ''), 'utf8'))
  expect(report).toMatchObject({ mirror: 'm', complete: true, files: { fetched: 2 } })
  expect(readFileSync(service.folder.log('nightly'), 'utf8')).not.toContain('No worker is running')
  const shown = records((await service.home.run(['schedule', 'show', 'nightly', '--json'])).stdout)
  expect(shown).toMatchObject([
    { event: 'schedule', name: 'nightly', last: { state: 'ended', exit: 0 } },
    { event: 'run', due: run.due, exit: 0, report: run.report },
  ])
  // Refused once, it is told again.
  await until('the receiver was told', () => Promise.resolve(receiver.received.length > 1))
  for (const { body } of receiver.received) {
    expect(JSON.parse(body)).toMatchObject({ kind: 'mirror-changed', facts: { mirror: 'm', fetched: 2 } })
  }
  const { code, stderr } = await service.stop(running)
  expect(code).toBe(0)
  expect(stderr).toMatch(/Schedule nightly: started \(due at .*T03:00:00.000Z, .* ago\)\./)
  expect(stderr).toContain('Schedule nightly: ended well.')
})

test('SIGTERM parks a run at the byte, and the next start goes on with it', async () => {
  await service.overdueMirror()
  const counted = await service.counted()
  await service.slow(true)
  const first = service.serve()
  await service.untilRunning()
  expect((await service.stop(first)).code).toBe(0)
  expect(await service.lastRun()).toMatchObject({ parked: 'the scheduler was stopped' })
  await service.slow(false)
  service.serve()
  expect(await service.untilEnded()).toMatchObject({ code: 0, again: 1 })
  // Counted once: what was there was not fetched again.
  expect(await service.counted()).toBe(counted + 1)
})
