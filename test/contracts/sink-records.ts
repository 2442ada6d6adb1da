import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Records } from '../../src/sinks/sink.ts'
import { bytesOf, chunked, collect, listing, store, digestOf } from './sink-bytes.ts'
import type { MakeSink, SinkUnderTest } from './sink.ts'

const LOG = 'b1/receipts/host-12.ndjson'
const BAD_NAMES: readonly string[] = ['', '../x', '/etc/x', 'a/../../x', 'a//b', 'b1/', 'parts/x', 'marks/x', 'nul\0']

export function describeRecords(make: MakeSink): void {
  describe('records', () => {
    let place: SinkUnderTest
    let records: Records
    beforeEach(async () => {
      place = await make()
      records = place.sink.records
    })
    afterEach(() => place.close())

    const text = async (name: string): Promise<string | undefined> => {
      const bytes = await records.read(name)
      return bytes && Buffer.from(bytes).toString()
    }

    it('are read as they were written, and replaced whole', async () => {
      expect(await text('b1/batch.json')).toBeUndefined()
      await records.write('b1/batch.json', '{"name":"Größe"}')
      expect(await text('b1/batch.json')).toBe('{"name":"Größe"}')
      await records.write('b1/batch.json', Buffer.from('{}'))
      expect(await text('b1/batch.json')).toBe('{}')
      await records.write('b1/batch.json', '')
      expect(await text('b1/batch.json')).toBe('')
    })

    it('are created by one of several writers, and never in the place of another', async () => {
      const writers = Array.from({ length: 5 }, (_, n) => String(n))
      const created = await Promise.all(writers.map((n) => records.create('b1/lease.json', n)))
      expect(created.filter(Boolean)).toHaveLength(1)
      expect(await text('b1/lease.json')).toBe(writers[created.indexOf(true)])
      expect(await records.create('b1/lease.json', 'later')).toBe(false)
      await records.remove('b1/lease.json')
      expect(await records.create('b1/lease.json', 'later')).toBe(true)
      expect(await records.list('b1')).toEqual(['b1/lease.json'])
    })

    it('may come as a stream of chunks', async () => {
      await records.write('b1/items.ndjson', chunked(bytesOf(1_500_000)))
      expect(digestOf(await records.read('b1/items.ndjson'))).toBe(digestOf(bytesOf(1_500_000)))
    })

    it('keep the old content when the new one breaks off', async () => {
      await records.write('b1/report.json', 'old')
      const broken = chunked(bytesOf(100_000), {
        onStop: () => {
          throw new Error('broke off')
        },
      })
      await expect(records.write('b1/report.json', broken)).rejects.toThrow('broke off')
      expect(await text('b1/report.json')).toBe('old')
      expect(await records.list('b1')).toEqual(['b1/report.json'])
    })

    it('are listed at any depth, by batch, and not among the data', async () => {
      await store(place.sink, 'data', bytesOf(10), { verified: 'size' })
      await records.write('b1/batch.json', 'x')
      await records.write('b1/receipts/deep/a.ndjson', 'x')
      await records.write('b2/batch.json', 'x')
      const log = await records.appendTo(LOG)
      await log.append('line\n')
      await log.append('line\n')
      await log.close()
      const names = [...(await records.list('b1'))].sort()
      expect(names).toEqual(['b1/batch.json', 'b1/receipts/deep/a.ndjson', LOG])
      expect(await records.list('b1/receipts/deep')).toEqual(['b1/receipts/deep/a.ndjson'])
      expect(await records.list('b')).toEqual([])
      expect([...(await records.folders())].sort()).toEqual(['b1', 'b2'])
      expect(await listing(place.sink)).toEqual({ data: 10 })
    })

    it('go when removed, and a batch goes with its last one', async () => {
      await records.write('b1/a', 'x')
      await records.write('b1/deep/b', 'x')
      await records.remove('b1/deep/b')
      await records.remove('b1/deep/b')
      expect(await records.folders()).toEqual(['b1'])
      await records.remove('b1/a')
      expect(await records.folders()).toEqual([])
      await records.write('b1/deep/b', 'again')
      expect(await text('b1/deep/b')).toBe('again')
    })

    it.each(BAD_NAMES)('are refused when the name leads elsewhere: %j', async (name) => {
      const refused = { code: 'ARGUMENT_INVALID' }
      await expect(records.read(name)).rejects.toMatchObject(refused)
      await expect(records.write(name, 'x')).rejects.toMatchObject(refused)
      await expect(records.remove(name)).rejects.toMatchObject(refused)
      await expect(records.moveFolder(name, 'b2', 'x')).rejects.toMatchObject(refused)
      await expect(records.moveFolder('b2', name, 'x')).rejects.toMatchObject(refused)
      await expect(records.appendTo(name)).rejects.toMatchObject(refused)
      await expect(records.readLog(name, 0, 1)).rejects.toMatchObject(refused)
      await expect((async () => collect(records.streamLog(name, 0)))()).rejects.toMatchObject(refused)
    })

    it('move as a folder, files and logs, and a second time do nothing', async () => {
      await records.write('b1/draft/last.json', '{}')
      await records.write('b1/draft/table.csv', 'a,b\r\n')
      const log = await records.appendTo('b1/draft/lines.ndjson')
      for (let n = 0; n < 3; n++) await log.append(bytesOf(70_000))
      await log.close()
      await collect(records.streamLog('b1/runs/1/lines.ndjson', 0))
      for (let again = 0; again < 2; again++) await records.moveFolder('b1/draft', 'b1/runs/1', 'last.json')
      expect([...(await records.list('b1'))].sort()).toEqual([
        'b1/runs/1/last.json',
        'b1/runs/1/lines.ndjson',
        'b1/runs/1/table.csv',
      ])
      expect(await text('b1/runs/1/last.json')).toBe('{}')
      expect(await collect(records.streamLog('b1/runs/1/lines.ndjson', 0))).toHaveLength(210_000)
      // A whole file is read as a stream, too.
      expect((await collect(records.streamLog('b1/runs/1/table.csv', 1))).toString()).toBe(',b\r\n')
      await records.write('b1/draft/more', 'x')
      expect(await text('b1/draft/more')).toBe('x')
    })

    it('include logs that keep the order of appends made at the same time', async () => {
      const log = await records.appendTo(LOG)
      expect(log.length).toBe(0)
      const lines = Array.from({ length: 500 }, (_, at) => `line ${at}${'.'.repeat(at % 7)}\n`)
      await Promise.all(lines.map((line, at) => log.append(at % 2 === 0 ? line : Buffer.from(line))))
      expect(log.length).toBe(lines.join('').length)
      await log.close()
      await log.close()
      expect((await collect(records.streamLog(LOG, 0))).toString()).toBe(lines.join(''))
    })

    it('include logs whose length counts what is durable, and nothing else', async () => {
      const log = await records.appendTo(LOG)
      const appended = log.append('12345')
      expect(log.length).toBe(0)
      await appended
      expect(log.length).toBe(5)
      await log.close()
    })

    it('include logs that are there for the next process as soon as an append resolves', async () => {
      const log = await records.appendTo(LOG)
      await log.append('first\n')
      await log.append('second\n')
      const next = (await place.reopen()).records
      expect((await collect(next.streamLog(LOG, 0))).toString()).toBe('first\nsecond\n')
      await log.close()
      const again = await next.appendTo(LOG)
      expect(again.length).toBe(13)
      await again.append('third\n')
      await again.close()
      expect(Buffer.from((await next.read(LOG)) ?? []).toString()).toBe('first\nsecond\nthird\n')
    })

    it('include logs that can be cut on opening, and not grow by it', async () => {
      const log = await records.appendTo(LOG)
      await log.append('0123456789')
      await log.close()
      const shorter = await records.appendTo(LOG, 4)
      expect(shorter.length).toBe(4)
      await shorter.append('x')
      await shorter.close()
      expect((await collect(records.streamLog(LOG, 0))).toString()).toBe('0123x')
      await expect(records.appendTo(LOG, 6)).rejects.toMatchObject({ code: 'SINK_FAILED' })
      await (await records.appendTo(LOG, 0)).close()
      expect(await collect(records.streamLog(LOG, 0))).toHaveLength(0)
    })

    it('include logs with one writer each', async () => {
      const log = await records.appendTo(LOG)
      await expect(records.appendTo(LOG)).rejects.toMatchObject({ code: 'SINK_BUSY' })
      await log.close()
      await expect(log.append('late')).rejects.toMatchObject({ code: 'SINK_FAILED' })
      await (await records.appendTo(LOG)).close()
    })

    it('include logs that are read by any range and from any offset', async () => {
      const bytes = bytesOf(20_000)
      const log = await records.appendTo(LOG)
      for (let at = 0; at < bytes.length; at += 3000) await log.append(bytes.subarray(at, at + 3000))
      await log.close()
      const offset = fc.integer({ min: 0, max: 25_000 })
      await fc.assert(
        fc.asyncProperty(offset, offset, async (from, to) => {
          expect(digestOf(await records.readLog(LOG, from, to))).toBe(
            digestOf(bytes.subarray(from, Math.max(from, to))),
          )
          expect(digestOf(await collect(records.streamLog(LOG, from)))).toBe(digestOf(bytes.subarray(from)))
        }),
        { numRuns: 30 },
      )
      expect(await records.readLog('b1/none', 0, 10)).toHaveLength(0)
      expect(await collect(records.streamLog('b1/none', 0))).toHaveLength(0)
    })
  })
}
