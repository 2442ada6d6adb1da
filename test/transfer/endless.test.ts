import { expect, it } from 'vitest'
import type { Item } from '../../src/model/item.ts'
import type { OpenSource } from '../../src/model/source.ts'
import { memorySink, memoryStore } from '../../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { transferArchive } from '../../src/transfer/transfer-archive.ts'
import { transfer, type Run } from '../../src/transfer/transfer.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, listing, never } from '../contracts/sink-bytes.ts'
import { AT_ONCE } from './scripted-source.ts'

const RUN: Run = { key: 'b1-0', signal: never, count: true, reconnect: AT_ONCE }
const CHUNK = bytesOf(1000)

function withRoom(sink: Sink, free: number): Sink {
  return Object.assign(sink, { free: () => Promise.resolve(free) })
}

/** A server that never stops, or stops after so many chunks. */
function chunks(count: number, size?: number): { open: OpenSource; sent: () => number } {
  let sent = 0
  const open: OpenSource = () => {
    const body = (async function* () {
      for (let n = 0; n < count; n++) {
        sent += CHUNK.length
        yield await Promise.resolve(CHUNK)
      }
    })()
    const about = { etag: undefined, contentType: undefined, encoding: undefined, counted: true }
    return Promise.resolve({ body, from: 0, size, ...about })
  }
  return { open, sent: () => sent }
}

function itemOf(expected: Item['expect']): Item {
  const ref = { kind: 'file', file: 1, format: 'original' } as const
  return { n: 0, server: 'https://demo.invalid', ref, path: 'a.bin', expect: expected }
}

it.each([{}, { checksum: checksumOf(CHUNK) }])(
  'a body without end fails alone, and leaves room to the others: %j',
  async (promised) => {
    const store = memoryStore()
    const sink = withRoom(memorySink(store), 10_000)
    const source = chunks(Infinity)
    await expect(transfer(itemOf(promised), { open: source.open, sink }, RUN)).rejects.toMatchObject({
      code: 'ENDLESS_BODY',
    })
    expect(source.sent()).toBe(10_000)
    expect(store.parts.get(RUN.key)?.bytes.length ?? 0).toBe(0)
    expect(await listing(sink)).toEqual({})
  },
)

it('an archive without end fails alone, too', async () => {
  const sink = withRoom(memorySink(), 10_000)
  const source = chunks(Infinity)
  const item: Item = { ...itemOf({}), ref: { kind: 'dataset-zip', dataset: 'd', version: '1.0', format: 'original' } }
  const inspect = async (bytes: AsyncIterable<Uint8Array>) => {
    for await (const chunk of bytes) expect(chunk.length).toBe(1000)
    return { leftOut: [], note: '' }
  }
  const ended = transferArchive(item, { open: source.open, sink }, RUN, inspect)
  await expect(ended).rejects.toMatchObject({ code: 'ENDLESS_BODY' })
  expect(await listing(sink)).toEqual({})
})

it('what says how long it is may take all the room there is', async () => {
  const sink = withRoom(memorySink(), 10_000)
  const announced = chunks(10, 10_000)
  expect(await transfer(itemOf({}), { open: announced.open, sink }, RUN)).toMatchObject({
    size: 10_000,
    verified: 'size',
  })
  const unknown = chunks(9)
  expect(await transfer(itemOf({}), { open: unknown.open, sink }, { ...RUN, key: 'b1-1' })).toMatchObject({
    size: 9000,
  })
})
