import { beforeEach, expect, it } from 'vitest'
import { DataferryError, type ErrorCode } from '../../src/errors.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { Slots } from '../../src/ledger/slots.ts'
import { createLogger } from '../../src/log.ts'
import { noticeText } from '../../src/model/notice.ts'
import { Notices } from '../../workers/notices.ts'
import { ServerLimits } from '../../workers/server-limits.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const never = new AbortController().signal
let server: string
let servers: Servers
let up: boolean
let asked: number
let count = 0

beforeEach(() => {
  server = `https://limits${(count += 1)}.example`
  servers = new Servers(redis.client, redis.prefix)
  up = true
  asked = 0
})

interface Process {
  readonly limits: ServerLimits
  readonly notices: Notices
  readonly jobs: number[]
  readonly gaveUp: string[]
}

function processOf(id: string, more: { giveUpAfterMs?: number; firstMs?: number } = {}): Process {
  const notices = new Notices(createLogger('silent'))
  const jobs: number[] = []
  const gaveUp: string[] = []
  const limits = new ServerLimits({
    servers,
    slots: new Slots(redis.client, { usualLimit: 4, prefix: redis.prefix }),
    workers: { list: () => Promise.resolve([]) },
    running: { stopWhere: () => undefined },
    notices,
    id,
    setConcurrency: (_server, most) => jobs.push(most),
    limitBandwidth: () => undefined,
    isUp: () => {
      asked += 1
      return Promise.resolve(up)
    },
    throttle: { firstMs: 60_000, maxMs: 60_000 },
    outage: { firstMs: more.firstMs ?? 60_000, maxMs: 300_000 },
    onGiveUp: (name) => gaveUp.push(name),
    giveUpAfterMs: more.giveUpAfterMs ?? 86_400_000,
    log: createLogger('silent'),
  })
  return { limits, notices, jobs, gaveUp }
}

const failed = (code: ErrorCode = 'SOURCE_UNREACHABLE'): DataferryError =>
  new DataferryError(code, `${server} cannot be reached.`)

/** Lets the time of the next look come without waiting for it. */
const nextLook = (): Promise<unknown> => redis.client.hset(`${redis.prefix}:S:${server}`, 'until', '0')

it('a server that answers nobody goes on hold at the first failure, for all processes, and says why and until when', async () => {
  const [a, b] = [processOf('a'), processOf('b')]
  up = false
  expect(await a.limits.outage(server, 'b-1', failed())).toBe('outage')
  await b.limits.apply(server)
  for (const { notices, limits } of [a, b]) {
    expect(notices.list().map(noticeText)).toEqual([
      expect.stringMatching(/has been on hold since .*next look at .*cannot be reached/),
    ])
    expect(limits.streams(server).grant).toMatchObject({ granted: 0, budget: 0 })
  }
  expect(a.jobs.at(-1)).toBe(1)
})

it('is asked once whether it answers, however many items fail at the same time', async () => {
  const { limits } = processOf('a')
  up = false
  await Promise.all(Array.from({ length: 8 }, (_, n) => limits.outage(server, `b-${n}`, failed())))
  expect(asked).toBe(1)
  expect(await servers.get(server)).toMatchObject({ looks: 1 })
})

it('an item that fails alone while the server answers uses its own attempts', async () => {
  const { limits, notices } = processOf('a')
  for (let times = 0; times < 5; times += 1)
    expect(await limits.outage(server, 'b-1', failed('SOURCE_FAILED'))).toBe('alone')
  limits.succeeded(server)
  expect(await limits.outage(server, 'b-2', failed('SOURCE_FAILED'))).toBe('alone')
  expect(notices.list()).toEqual([])
})

it('three items in a row that fail without a success are an outage, even while it answers other questions', async () => {
  const { limits } = processOf('a')
  expect(await limits.outage(server, 'b-1', failed('SOURCE_FAILED'))).toBe('alone')
  expect(await limits.outage(server, 'b-2', failed('SOURCE_FAILED'))).toBe('alone')
  expect(await limits.outage(server, 'b-3', failed('SOURCE_FAILED'))).toBe('outage')
  // So that files that are lost for good end some time, a probe of a server that answers counts as an attempt; but for the first
  // one, which may have failed just before the server came back.
  await nextLook()
  expect(await limits.outage(server, 'b-4', failed('SOURCE_FAILED'))).toBe('outage')
  await nextLook()
  expect(await limits.outage(server, 'b-5', failed('SOURCE_FAILED'))).toBe('probe')
})

it('a probe that failed just before the server came back says nothing against its item', async () => {
  const { limits } = processOf('a')
  up = false
  expect(await limits.outage(server, 'b-1', failed())).toBe('outage')
  await nextLook()
  up = true
  expect(await limits.outage(server, 'b-2', failed())).toBe('outage')
})

it('a connection that broke is no sign of an outage, unless the server was away already', async () => {
  const { limits } = processOf('a')
  expect(await limits.outage(server, 'b-1', failed('SHORT_BODY'))).toBe('alone')
  expect(asked).toBe(0)
  up = false
  await limits.outage(server, 'b-2', failed())
  expect(await limits.outage(server, 'b-1', failed('SHORT_BODY'))).toBe('outage')
})

it('one stream at a time probes it when it is time to, and the first answer opens it for all', async () => {
  const [a, b] = [processOf('a'), processOf('b')]
  up = false
  await a.limits.outage(server, 'b-1', failed())
  await nextLook()
  const first = a.limits.streams(server).acquire(true, never)
  await a.limits.apply(server)
  await first
  const second = b.limits.streams(server).acquire(true, never)
  await b.limits.apply(server)
  expect(b.limits.streams(server).grant.granted).toBe(0)
  a.limits.succeeded(server)
  await expect.poll(async () => (await servers.get(server)).hold).toBeUndefined()
  await b.limits.apply(server)
  ;(await second).release()
  expect(b.notices.list()).toEqual([])
})

it('a series that another process began ends with the first success of any', async () => {
  const [a, b] = [processOf('a'), processOf('b')]
  await a.limits.throttled(server, failed('SOURCE_THROTTLED'))
  await nextLook()
  const slot = b.limits.streams(server).acquire(true, never)
  await b.limits.apply(server)
  ;(await slot).release()
  b.limits.succeeded(server)
  await expect.poll(async () => (await servers.get(server)).looks).toBe(0)
})

it('gives up when it has been away for longer than this process waits', async () => {
  const { limits, gaveUp } = processOf('a', { giveUpAfterMs: -1 })
  up = false
  await limits.outage(server, 'b-1', failed())
  await limits.apply(server)
  expect(gaveUp).toEqual([server])
})

it('what a dead process had is free at once', async () => {
  const [a, b] = [processOf('a'), processOf('b')]
  for (let n = 0; n < 4; n += 1) {
    const slot = a.limits.streams(server).acquire(true, never)
    await a.limits.apply(server)
    await slot
  }
  const waiting = b.limits.streams(server).acquire(true, never)
  await b.limits.apply(server)
  expect(b.limits.streams(server).grant.granted).toBe(0)
  await b.limits.releaseOf('a')
  await b.limits.apply(server)
  ;(await waiting).release()
})
