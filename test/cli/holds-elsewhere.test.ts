import { expect, it } from 'vitest'
import { HoldsElsewhere } from '../../src/cli/holds-elsewhere.ts'
import type { ServerHold } from '../../src/ledger/server-state.ts'
import type { WorkerRecord } from '../../src/ledger/workers.ts'
import { createLogger } from '../../src/log.ts'
import { noticeText } from '../../src/model/notice.ts'
import { Notices } from '../../workers/notices.ts'

const SERVER = 'https://demo.invalid'
const since = '2026-11-27T03:00:00.000Z'

/** A worker that cannot use these destinations. */
function workerOn(host: string, pid: number, ...destinations: string[]): WorkerRecord {
  const held = destinations.map((destination) => ({ destination, reason: 'It is gone.', since, nextLookMs: 4_000 }))
  return {
    ...{ id: `${host}-${pid}`, host, pid, space: '', startTime: '', tokens: [], scopes: ['public'], since, at: since },
    holds: [],
    destinations: held,
  }
}

it('what other processes wait for is told once for each machine, and no more when it has ended', async () => {
  let hold: ServerHold | undefined = { by: 'outage', reason: 'It is away.', since: new Date(since), nextLookMs: 5_000 }
  const servers = {
    get: (server: string) => Promise.resolve({ server, hold, looks: 1, concurrency: undefined, bandwidth: undefined }),
  }
  const notices = new Notices(createLogger('silent'))
  const elsewhere = new HoldsElsewhere(servers, notices)
  const look = (...workers: WorkerRecord[]): Promise<void> =>
    elsewhere.look([SERVER], workers, (destination) => destination === 'file:///data')
  const told = (): string[] => notices.list().map(noticeText)

  await look(workerOn('a', 1, 'file:///data', 'file:///other'), workerOn('a', 2, 'file:///data'), workerOn('b', 3))
  expect(told()).toEqual([
    expect.stringMatching(/^https:\/\/demo\.invalid has been on hold since .*, next look at .*: It is away\.$/),
    expect.stringMatching(/^\/data, seen from a, has been on hold since .*, next look at .*: It is gone\.$/),
  ])
  hold = undefined
  await look(workerOn('b', 3, 'file:///data'))
  expect(told()).toEqual([expect.stringMatching(/^\/data, seen from b, has been on hold/)])
  await look()
  expect(told()).toEqual([])
})
