import { mkdir, readFile, readdir, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifyDestination } from '../../../src/batch/verify-destination.ts'
import type { DiskSink } from '../../../src/sinks/disk/disk-sink.ts'
import { all, done, hashIn, itemAt as plannedAt, plannedBatch, recorded } from '../../batch/fixtures.ts'
import { appendHashed, bytesOf, chunked, listing, never, proofOf, store } from '../../contracts/sink-bytes.ts'
import { useDiskSink } from './use-disk-sink.ts'

const BYTES = bytesOf(100)

/** Somebody else on this machine who may write into the destination, and would like us to write elsewhere for them. */
describe('a destination into which others may write', () => {
  const disk = useDiskSink({ heartbeatMs: 1, staleMs: 30_000 })
  const { at, begin, inFolder } = disk
  let sink: DiskSink
  beforeEach(async () => {
    sink = disk.sink
    await mkdir(inFolder('outside'))
    await writeFile(inFolder('victim'), 'precious')
  })
  afterEach(async () => {
    expect(await readFile(inFolder('victim'), 'utf8')).toBe('precious')
    expect(await readdir(inFolder('outside'))).toEqual([])
  })

  it('sends no file through a folder that was swapped for a link since it was checked', async () => {
    await store(sink, 'late/a', BYTES, { key: 'b1-1' })
    {
      await using stage = await begin('late/b')
      await stage.restart()
      await appendHashed(stage, chunked(BYTES))
      await rename(at('late'), at('kept'))
      await symlink('../outside', at('late'))
      await expect(stage.commit(proofOf(BYTES))).rejects.toMatchObject({ code: 'SINK_DENIED' })
    }
    // From now on it is known before anything is fetched.
    await expect(begin('late/c')).rejects.toMatchObject({ code: 'SINK_DENIED' })
  })

  it('sends no file through a folder that is swapped again and again', async () => {
    const over = new AbortController()
    const attack = async (): Promise<void> => {
      for (let turn = 0; !over.signal.aborted; turn++) {
        await rename(at('late'), at(`aside-${turn}`)).catch(() => undefined)
        const swap = turn % 2 === 0 ? symlink('../outside', at('late')) : mkdir(at('late'))
        await swap.catch(() => undefined)
      }
    }
    const attacks = attack()
    for (let n = 0; n < 60; n++) await store(sink, 'late/a', BYTES, { key: `b1-${n}` }).catch(() => undefined)
    over.abort()
    await attacks
    expect(await readdir(inFolder('outside'))).toEqual([])
  })

  it('has no line of a log follow a link', async () => {
    await (await sink.records.appendTo('b1/receipts/w.ndjson')).close()
    await unlink(at('.dataferry/b1/receipts/w.ndjson'))
    await symlink('../../../../victim', at('.dataferry/b1/receipts/w.ndjson'))
    await expect(sink.records.appendTo('b1/receipts/w.ndjson')).rejects.toMatchObject({
      code: 'SINK_UNAVAILABLE',
      message: expect.stringContaining('is a link: remove it') as unknown,
    })
    await rename(at('.dataferry/b1/receipts'), at('.dataferry/b1/kept'))
    await symlink('../../../outside', at('.dataferry/b1/receipts'))
    await expect(sink.records.appendTo('b1/receipts/v.ndjson')).rejects.toMatchObject({
      code: expect.stringMatching(/^SINK_/) as unknown,
    })
    await expect(sink.records.write('b1/receipts/v.json', '{}')).rejects.toMatchObject({
      code: expect.stringMatching(/^SINK_/) as unknown,
    })
  })

  it('has no mark follow a link', async () => {
    await sink.records.write('b1/batch.json', '{}')
    await symlink('../../../victim', at('.dataferry/marks/b1-0.json'))
    await expect(store(sink, 'a', BYTES, { verified: 'size' })).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    await writeFile(at('a'), BYTES)
    expect(await sink.stat('a', 'b1-0', never)).toEqual({ size: 100, proof: undefined })
  })

  it('has no heartbeat follow a link', async () => {
    await store(sink, 'a', BYTES)
    const [alive = ''] = (await readdir(at('.dataferry/parts'))).filter((name) => name.endsWith('.alive'))
    await unlink(at(`.dataferry/parts/${alive}`))
    await symlink('../../../victim', at(`.dataferry/parts/${alive}`))
    const tried = async (): Promise<unknown> => {
      try {
        await using stage = await begin('b')
        return stage
      } catch (error) {
        return error
      }
    }
    await expect.poll(tried).toMatchObject({ code: 'SINK_UNAVAILABLE' })
  })

  it('has nothing there already that is behind a link, as a listing has not', async () => {
    await sink.records.write('b1/batch.json', '{}')
    await symlink('../victim', at('file'))
    await symlink('..', at('folder'))
    expect(await sink.stat('file', 'b1-0', never)).toBeUndefined()
    expect(await sink.stat('folder/victim', 'b1-0', never)).toBeUndefined()
    await expect(sink.read('file', never)).rejects.toMatchObject({ code: 'SINK_FAILED' })
    expect(await listing(sink)).toEqual({})
  })

  it('verifies what came through a link that stays inside, as it was fetched', async () => {
    await plannedBatch(sink.records, [plannedAt('link/a'), plannedAt('link/b')])
    await mkdir(at('real'))
    await symlink('real', at('link'))
    await store(sink, 'link/a', BYTES)
    await recorded(sink.records, [done(0, 'link/a', BYTES), done(1, 'link/b', BYTES)])
    expect(await all(verifyDestination(sink, { hash: hashIn(sink), signal: never }))).toEqual([
      { state: 'ok', path: 'link/a', size: 100, checksum: expect.anything() as unknown },
      { state: 'missing', path: 'link/b', batch: 'b1', n: 1, expected: expect.anything() as unknown },
      { state: 'extra', path: 'real/a', size: 100 },
    ])
  })
})
