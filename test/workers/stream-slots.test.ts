import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Servers } from '../../src/ledger/servers.ts'
import { Slots, type Grant } from '../../src/ledger/slots.ts'
import { StreamSlots, type Slot } from '../../workers/stream-slots.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const never = new AbortController().signal
let server: string
let servers: Servers
let count = 0
let opened: StreamSlots[] = []
let claims = 0

beforeEach(() => {
  server = `https://streams${(count += 1)}.example`
  servers = new Servers(redis.client, redis.prefix)
})
afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()))
  opened = []
})

function processOf(name: string, onGrant: (grant: Grant) => void = () => undefined): StreamSlots {
  const all = new Slots(redis.client, { usualLimit: 4, prefix: redis.prefix })
  const slots: Pick<Slots, 'claim' | 'release'> = {
    claim: (...about) => {
      claims += 1
      return all.claim(...about)
    },
    release: (...about) => all.release(...about),
  }
  const onError = (error: unknown): never => {
    throw error as Error
  }
  const streams = new StreamSlots({ slots, server, process: name, onGrant, onError })
  opened.push(streams)
  return streams
}

/** Waits for slots that are there; fails the test by its time limit otherwise. */
const take = (streams: StreamSlots, many: number, continuable = true): Promise<Slot[]> =>
  Promise.all(Array.from({ length: many }, () => streams.acquire(continuable, never)))

describe('the streams of a process', () => {
  it('are as many as the limit allows, in the order in which they asked', async () => {
    const streams = processOf('a')
    const [first] = await take(streams, 4)
    const order: number[] = []
    const fifth = streams.acquire(true, never).then((slot) => (order.push(5), slot))
    const sixth = streams.acquire(true, never).then((slot) => (order.push(6), slot))
    first?.release()
    const slot = await fifth
    expect(order).toEqual([5])
    slot.release()
    await sixth
    expect(order).toEqual([5, 6])
  })

  it('that are given up while they wait take nobody’s place', async () => {
    const streams = processOf('a')
    const [first] = await take(streams, 4)
    const impatient = new AbortController()
    const abandoned = streams.acquire(true, impatient.signal)
    const next = streams.acquire(true, never)
    impatient.abort(new Error('enough'))
    await expect(abandoned).rejects.toThrow('enough')
    first?.release()
    await next
  })

  it('that can go on elsewhere make way when the limit is lowered; the others finish', async () => {
    const streams = processOf('a')
    const [archive] = await take(streams, 1, false)
    const files = await take(streams, 3)
    await servers.set(server, { concurrency: 2 })
    await streams.renew()
    expect(archive?.revoked.aborted).toBe(false)
    expect(files.map(({ revoked }) => revoked.aborted)).toEqual([false, true, true])
  })

  it('wait while the server is paused, and go on when it is not', async () => {
    await servers.set(server, { paused: 'moving' })
    const streams = processOf('a')
    const waiting = streams.acquire(true, never)
    await streams.renew()
    await servers.set(server, { paused: null })
    await streams.renew()
    await waiting
  })
})

it('two processes have their fair shares after one round', async () => {
  const [a, b] = [processOf('a'), processOf('b')]
  const first = await take(a, 4)
  const waiting = take(b, 4)
  await b.renew()
  await a.renew()
  const revoked = first.filter((slot) => slot.revoked.aborted)
  expect(revoked).toHaveLength(2)
  for (const slot of revoked) slot.release()
  // What was revoked waits for its next turn, at the end of the line.
  void take(a, 2)
  await a.renew()
  await b.renew()
  expect([a.grant.granted, b.grant.granted]).toEqual([2, 2])
  for (const slot of first) slot.release()
  await a.close()
  await b.renew()
  await waiting
})

it('a process whose work ends leaves its slots to others', async () => {
  const [a, b] = [processOf('a'), processOf('b')]
  const slots = await take(a, 4)
  const waiting = take(b, 4)
  await b.renew()
  for (const slot of slots) slot.release()
  await a.renew()
  await b.renew()
  await waiting
})

describe('a spare stream', () => {
  const spare = (streams: StreamSlots): Promise<Slot> => streams.acquire(false, never, true)

  it('has a place that nobody needs, and gives it to whoever does', async () => {
    const streams = processOf('a')
    const [own] = await take(streams, 1)
    const others = await Promise.all([spare(streams), spare(streams), spare(streams)])
    const next = streams.acquire(true, never)
    expect(others.map(({ revoked }) => revoked.aborted)).toEqual([false, false, true])
    expect(own?.revoked.aborted).toBe(false)
    others[2].release()
    await next
  })

  it('waits behind all others, whenever they came', async () => {
    const streams = processOf('a')
    const [first] = await take(streams, 4)
    const order: string[] = []
    const late = spare(streams).then(() => order.push('spare'))
    const early = streams.acquire(true, never).then((slot) => (order.push('needed'), slot))
    first?.release()
    const slot = await early
    expect(order).toEqual(['needed'])
    slot.release()
    await late
  })

  it('leaves its place to another process that needs one', async () => {
    const [a, b] = [processOf('a'), processOf('b')]
    await take(a, 1)
    const spares = await Promise.all([spare(a), spare(a), spare(a)])
    const waiting = take(b, 3)
    await b.renew()
    await a.renew()
    expect(spares.map(({ revoked }) => revoked.aborted)).toEqual([true, true, true])
    for (const slot of spares) slot.release()
    await a.renew()
    await b.renew()
    await waiting
    expect([a.grant.granted, b.grant.granted]).toEqual([1, 3])
  })
})

it('files that follow one another on the slots of a process cost no claims, though it might use more', async () => {
  const [a, b] = [processOf('a'), processOf('b')]
  await take(b, 2)
  const open = await take(a, 2)
  const waiting = [a.acquire(true, never), a.acquire(true, never)]
  await a.renew()
  const before = claims
  for (let file = 0; file < 20; file += 1) {
    waiting.push(a.acquire(true, never))
    open.shift()?.release()
    const next = await waiting.shift()
    if (next) open.push(next)
  }
  expect(claims).toBe(before)
  for (const slot of open) slot.release()
  for (const slot of waiting) (await slot).release()
})
