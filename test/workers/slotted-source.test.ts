import { once } from 'node:events'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Servers } from '../../src/ledger/servers.ts'
import { Slots } from '../../src/ledger/slots.ts'
import type { Ref } from '../../src/model/item.ts'
import type { OpenSource } from '../../src/model/source.ts'
import { readFrom } from '../../src/transfer/resuming-reader.ts'
import { slottedSource } from '../../workers/slotted-source.ts'
import { StreamSlots } from '../../workers/stream-slots.ts'
import { bytesOf, never } from '../contracts/sink-bytes.ts'
import { useRedis } from '../redis.ts'
import { AT_ONCE, scriptedSource } from '../transfer/scripted-source.ts'

const redis = useRedis()
const FILE: Ref = { kind: 'file', file: 1, format: 'original' }
const BYTES = bytesOf(10_000)
const OPTIONS = { signal: never, expectedSize: undefined, count: true, reconnect: { ...AT_ONCE, retries: 0 } }
let server: string
let servers: Servers
let streams: StreamSlots
let count = 0

beforeEach(() => {
  server = `https://slotted${(count += 1)}.example`
  servers = new Servers(redis.client, redis.prefix)
  const slots = new Slots(redis.client, { usualLimit: 1, prefix: redis.prefix })
  const onError = (error: unknown): never => {
    throw error as Error
  }
  streams = new StreamSlots({ slots, server, process: 'a', onGrant: () => undefined, onError })
})
afterEach(() => streams.close())

it('a stream that makes way goes on at its byte when it may again, without using up a connection', async () => {
  const source = scriptedSource(BYTES, [], [1000])
  const pieces: Buffer[] = []
  for await (const chunk of readFrom(slottedSource(source.open, streams), FILE, 0, { ...OPTIONS, continuable: true })) {
    pieces.push(Buffer.from(chunk))
    if (pieces.length !== 3) continue
    await servers.set(server, { paused: 'moving' })
    await streams.renew()
    await servers.set(server, { paused: null })
    await streams.renew()
  }
  expect(Buffer.concat(pieces).equals(BYTES)).toBe(true)
  expect(source.asked.map(({ from }) => from)).toEqual([0, 3000])
  expect(source.closed()).toBe(2)
})

it('a stream that cannot go on elsewhere finishes, whatever is asked meanwhile', async () => {
  const source = scriptedSource(BYTES, [], [1000])
  let length = 0
  for await (const chunk of readFrom(slottedSource(source.open, streams), FILE, 0, OPTIONS)) {
    length += chunk.byteLength
    if (length !== 1000) continue
    await servers.set(server, { paused: 'moving' })
    await streams.renew()
  }
  expect(length).toBe(10_000)
  expect(source.asked).toHaveLength(1)
})

it('a slot is free again after the last byte, an error, and a reader that stopped early', async () => {
  const broken: OpenSource = () => Promise.reject(new Error('refused'))
  await expect(slottedSource(broken, streams)(FILE, 0, { signal: never, count: true })).rejects.toThrow('refused')
  const source = scriptedSource(BYTES, [], [1000])
  for (let i = 0; i < 3; i += 1) {
    for await (const chunk of readFrom(slottedSource(source.open, streams), FILE, 0, OPTIONS)) {
      if (i === 1 && chunk.byteLength > 0) break
    }
  }
  expect(source.asked).toHaveLength(3)
})

it('a request that waits for its slot ends with its signal', async () => {
  await servers.set(server, { paused: 'moving' })
  const stop = new AbortController()
  const source = scriptedSource(BYTES, [])
  const waiting = slottedSource(source.open, streams)(FILE, 0, { signal: stop.signal, count: true })
  await streams.renew()
  const aborted = once(stop.signal, 'abort')
  stop.abort(new Error('parked'))
  await aborted
  await expect(waiting).rejects.toThrow('parked')
  expect(source.asked).toEqual([])
})

it('a stream that has to wait for its slot says so, and when it waits no more', async () => {
  const source = scriptedSource(BYTES, [], [1000])
  const told: boolean[] = []
  const first = readFrom(slottedSource(source.open, streams), FILE, 0, OPTIONS)
  await first.next()
  const second = readFrom(
    slottedSource(source.open, streams, (waits) => told.push(waits)),
    FILE,
    0,
    OPTIONS,
  )
  const begun = second.next()
  expect(told).toEqual([true])
  await first.return()
  await begun
  expect(told).toEqual([true, false])
  await second.return()
})
