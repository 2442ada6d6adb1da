import { describe, expect, it } from 'vitest'
import { names, writeBatch } from '../../src/batch/folder.ts'
import { allItems, isDamaged, ItemsReader, ItemsWriter } from '../../src/batch/items-file.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { memorySink, memoryStore } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { temporaryFolder } from '../sinks/temporary-folder.ts'
import { all, batchOf, itemAt } from './fixtures.ts'

const START = { items: 0, bytes: 0 }

/** Adds lines `from` … `to` − 1, in flushes of uneven length. */
async function add(records: Records, from: number, to: number, at = START): Promise<{ items: number; bytes: number }> {
  const writer = await ItemsWriter.open(records, 'b1', at)
  for (let n = from; n < to; n++) {
    expect(writer.add(itemAt(`ü/${n}.bin`)).n).toBe(n)
    if (n % 377 === 0) await writer.flush()
  }
  await writer.flush()
  await writer.close()
  return writer.position
}

describe('the items of a batch', () => {
  it.each(['memory', 'disk'])('are found by line number, over index blocks, in %s', async (kind) => {
    await using folder = await temporaryFolder()
    const sink = kind === 'disk' ? diskSink(folder.path) : memorySink()
    await add(sink.records, 0, 2500)
    const reader = new ItemsReader(sink.records, 'b1')
    for (const n of [2499, 0, 999, 1000, 1001, 1999, 2000, 17]) {
      expect(await reader.item(n)).toMatchObject({ n, path: `ü/${n}.bin` })
    }
    expect((await all(allItems(sink.records, 'b1', 2500))).map(({ n }) => n)).toEqual(
      Array.from({ length: 2500 }, (_, n) => n),
    )
    await expect(reader.item(2500)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    await sink.close()
  })

  it('that were written after the last checkpoint are cut when the file is opened again', async () => {
    for (const kept of [0, 1, 999, 1000, 1001, 2000]) {
      const { records } = memorySink()
      const at = await add(records, 0, kept)
      await add(records, kept, 2500, at)
      await add(records, kept, 2300, at)
      const items = await all(allItems(records, 'b1', 2300))
      expect(items.map(({ path }) => path)).toEqual(Array.from({ length: 2300 }, (_, n) => `ü/${n}.bin`))
      await writeBatch(records, batchOf())
      expect(isDamaged(await new ItemsReader(records, 'b1').item(2300))).toBe(true)
    }
  })

  it('can be written again after the second of their files could not be opened', async () => {
    const { records } = memorySink()
    const index = await records.appendTo(names.index('b1'))
    await expect(ItemsWriter.open(records, 'b1', START)).rejects.toMatchObject({ code: 'SINK_BUSY' })
    await index.close()
    expect(await add(records, 0, 3)).toMatchObject({ items: 3 })
  })

  it('do not count before they are flushed, and are found by a reader that looked before', async () => {
    const { records } = memorySink()
    const reader = new ItemsReader(records, 'b1')
    const writer = await ItemsWriter.open(records, 'b1', START)
    writer.add(itemAt('a'))
    expect(writer.buffered).toBe(1)
    await expect(reader.item(0)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    await writer.flush()
    expect((await reader.item(0)).path).toBe('a')
    for (let n = 1; n <= 1500; n++) writer.add(itemAt(`b${n}`))
    await writer.flush()
    expect((await reader.item(1500)).path).toBe('b1500')
    expect((await reader.item(1)).path).toBe('b1')
    await writer.close()
  })

  it('end before a line that a crash tore', async () => {
    const store = memoryStore()
    const { records } = memorySink(store)
    await add(records, 0, 10)
    const log = await records.appendTo(names.items('b1'))
    await log.append('{"n":10,"server":"https://demo')
    const reader = new ItemsReader(records, 'b1')
    expect((await reader.item(9)).n).toBe(9)
    await expect(reader.item(10)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
  })
})
