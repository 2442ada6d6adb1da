import { describe, expect, it } from 'vitest'
import { EXISTING, type Existing } from '../../src/model/existing.ts'
import type { Item } from '../../src/model/item.ts'
import type { Receipt } from '../../src/model/receipt.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { keepExisting, type ExistingRun } from '../../src/transfer/existing.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, never, store } from '../contracts/sink-bytes.ts'
import { temporaryFolder } from '../sinks/temporary-folder.ts'
import { itemFor } from './scripted-source.ts'

const BYTES = bytesOf(5000)
const PROMISED = itemFor(BYTES)
const UNPROVEN = itemFor(BYTES, { checksum: undefined })
const KEY = 'b2-0'

type Earlier = ExistingRun['earlier']
const nothing: Earlier = () => Promise.resolve(undefined)

function decide(item: Item, sink: Sink, policy: Existing, earlier = nothing): Promise<Receipt | undefined> {
  return keepExisting(item, sink, { key: KEY, policy, earlier, signal: never })
}

const SINKS: [string, (root: string) => Sink][] = [
  ['in memory', () => memorySink()],
  ['on disk', (root) => diskSink(root)],
]

describe.each(SINKS)('what is at the path already, %s', (_, make) => {
  /** What each policy does about `there`: fetch, the proof of the receipt it keeps it with, or the code it fails with. */
  async function decisions(item: Item, there?: Uint8Array): Promise<Record<string, string>> {
    await using folder = await temporaryFolder()
    const sink = make(folder.path)
    if (there) await store(sink, item.path, there, { key: 'b1-0' })
    const found: Record<string, string> = {}
    for (const policy of EXISTING) {
      found[policy] = await decide(item, sink, policy).then(
        (receipt) => (receipt ? `${receipt.state}, ${receipt.verified}` : 'fetch'),
        (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'bug'),
      )
    }
    await sink.close()
    return found
  }

  it('is fetched where nothing is there', async () => {
    const fetch = Object.fromEntries(EXISTING.map((policy) => [policy, 'fetch']))
    expect(await decisions(PROMISED)).toEqual(fetch)
    expect(await decisions(UNPROVEN)).toEqual(fetch)
  })

  it('is kept when it is the same file, but by overwrite', async () => {
    expect(await decisions(PROMISED, BYTES)).toEqual({
      error: 'kept, checksum',
      skip: 'kept, nothing',
      overwrite: 'fetch',
      'overwrite-different': 'kept, checksum',
      refresh: 'kept, size',
    })
  })

  it('is another file when its size differs', async () => {
    expect(await decisions(PROMISED, bytesOf(4999))).toEqual({
      error: 'SINK_EXISTS',
      skip: 'kept, nothing',
      overwrite: 'fetch',
      'overwrite-different': 'fetch',
      refresh: 'fetch',
    })
  })

  it('is another file when its bytes differ, which refresh cannot see', async () => {
    expect(await decisions(PROMISED, bytesOf(5000, 2))).toEqual({
      error: 'SINK_EXISTS',
      skip: 'kept, nothing',
      overwrite: 'fetch',
      'overwrite-different': 'fetch',
      refresh: 'kept, size',
    })
  })

  it('cannot be compared where no checksum is published', async () => {
    expect(await decisions(UNPROVEN, BYTES)).toEqual({
      error: 'SINK_EXISTS',
      skip: 'kept, nothing',
      overwrite: 'fetch',
      'overwrite-different': 'fetch',
      refresh: 'kept, size',
    })
  })

  it('is fetched by refresh where no size is known', async () => {
    const unknown = itemFor(BYTES, { checksum: undefined, size: undefined })
    expect(await decisions(unknown, BYTES)).toMatchObject({ refresh: 'fetch', error: 'SINK_EXISTS' })
  })

  it('is compared by its bytes where the listing knows no size', async () => {
    const unsized = itemFor(BYTES, { size: undefined })
    expect(await decisions(unsized, BYTES)).toMatchObject({ error: 'kept, checksum' })
    expect(await decisions(unsized, bytesOf(4999))).toMatchObject({ error: 'SINK_EXISTS' })
  })

  it.each(EXISTING)('is the receipt that a crash lost when this very item left its mark, with %s', async (policy) => {
    await using folder = await temporaryFolder()
    const sink = make(folder.path)
    await store(sink, UNPROVEN.path, BYTES, { key: KEY, verified: 'size' })
    expect(await decide(UNPROVEN, sink, policy)).toMatchObject({
      state: 'done',
      size: 5000,
      verified: 'size',
      checksum: checksumOf(BYTES),
    })
    await sink.close()
  })

  it('gets the digests that are wanted where its bytes are looked at, and none where they are not', async () => {
    await using folder = await temporaryFolder()
    const sink = make(folder.path)
    const digests = [checksumOf(BYTES, 'sha512')]
    const found = async (policy: Existing): Promise<unknown> => {
      const run = { key: KEY, policy, earlier: nothing, signal: never, digests: ['sha512'] as const }
      return (await keepExisting(PROMISED, sink, run))?.digests
    }
    await store(sink, PROMISED.path, BYTES, { key: 'b1-0' })
    expect(await Promise.all((['error', 'overwrite-different'] as const).map(found))).toEqual([digests, digests])
    expect(await Promise.all((['skip', 'refresh', 'overwrite'] as const).map(found))).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    // Its own commit, of which a crash took the receipt: the mark knows no digest.
    await store(sink, PROMISED.path, BYTES, { key: KEY, verified: 'size' })
    expect(await found('skip')).toEqual(digests)
    await sink.close()
  })

  it('is nobody’s any more once the mark is forgotten', async () => {
    await using folder = await temporaryFolder()
    const sink = make(folder.path)
    await store(sink, UNPROVEN.path, BYTES, { key: 'b1-0', verified: 'size' })
    await sink.forget('b1-0')
    await expect(decide(UNPROVEN, sink, 'error')).rejects.toMatchObject({ code: 'SINK_EXISTS' })
    await sink.close()
  })

  it('is compared with what an earlier batch recorded where no checksum is published', async () => {
    await using folder = await temporaryFolder()
    const sink = make(folder.path)
    await store(sink, UNPROVEN.path, BYTES, { key: 'b1-0' })
    const recorded = (bytes: Uint8Array): Earlier => {
      return () => Promise.resolve({ checksum: checksumOf(bytes), verified: 'size' })
    }
    expect(await decide(UNPROVEN, sink, 'error', recorded(BYTES))).toMatchObject({ state: 'kept', verified: 'size' })
    const other = recorded(bytesOf(5000, 2))
    expect(await decide(UNPROVEN, sink, 'overwrite-different', other)).toBeUndefined()
    await sink.close()
  })

  it('is compared in the algorithm that is published, however large it is', async () => {
    await using folder = await temporaryFolder()
    const sink = make(folder.path)
    const large = bytesOf(5 << 20)
    const item = itemFor(large, { checksum: checksumOf(large, 'sha512') })
    await store(sink, item.path, large, { key: 'b1-0' })
    const receipt = await decide(item, sink, 'error')
    expect(receipt).toMatchObject({ state: 'kept', verified: 'checksum', checksum: checksumOf(large, 'sha512') })
    await sink.close()
  })
})
