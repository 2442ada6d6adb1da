import { describe, expect, it } from 'vitest'
import { isDestination, markDestination, readKnownBatch, refuseLostRecords } from '../../src/batch/destination.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { itemAt, plannedBatch } from './fixtures.ts'

const known =
  (...ids: string[]) =>
  (): Promise<readonly string[]> =>
    Promise.resolve(ids)
const unasked = (): Promise<never> => Promise.reject(new Error('a place with records is not asked about'))

describe('a destination', () => {
  it('is marked once', async () => {
    const { records } = memorySink()
    expect(await isDestination(records)).toBe(false)
    await markDestination(records)
    const mark = await records.read('destination.json')
    await markDestination(records)
    expect(await records.read('destination.json')).toEqual(mark)
    expect(await isDestination(records)).toBe(true)
  })

  it('that has lost what is known to be there is refused, and says how to begin anew', async () => {
    await expect(refuseLostRecords(memorySink(), known('old-1', 'old-2', 'old-3'))).rejects.toMatchObject({
      code: 'SINK_UNAVAILABLE',
      message: expect.stringMatching(/old-3 and 2 more should be: is its disk mounted\?.*--new/) as unknown,
    })
    await refuseLostRecords(memorySink(), known())
    const marked = memorySink()
    await markDestination(marked.records)
    await refuseLostRecords(marked, unasked)
  })

  it('of a version that did not mark it is known by its batches', async () => {
    const sink = memorySink()
    const { batch } = await plannedBatch(sink.records, [itemAt('a')])
    expect(await sink.records.read('destination.json')).toBeUndefined()
    await refuseLostRecords(sink, unasked)
    expect(await readKnownBatch(sink, batch.id)).toMatchObject({ id: batch.id })
  })

  it('from which a batch was removed is told from one that is not mounted', async () => {
    const sink = memorySink()
    await expect(readKnownBatch(sink, 'b9')).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    await plannedBatch(sink.records, [itemAt('a')])
    expect(await readKnownBatch(sink, 'b9')).toBeUndefined()
  })
})
