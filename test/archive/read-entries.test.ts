import { describe, expect, it } from 'vitest'
import { readEntries } from '../../src/archive/read-entries.ts'
import { DEFAULT_LIMITS } from '../../src/archive/limits.ts'
import { buildZip, codeOf, gather, inPieces, type RawEntry } from './zip-builder.ts'

const ENTRIES: readonly RawEntry[] = [
  { name: 'folder/', data: '' },
  { name: 'folder/a', data: 'a'.repeat(200_000) },
  { name: 'b', data: 'bbb' },
  { name: 'b', data: 'another b' },
  { name: 'MANIFEST.TXT', data: '' },
]
const LENGTHS = [
  ['folder/a', 200_000],
  ['b', 3],
  ['b', 9],
  ['MANIFEST.TXT', 0],
]

/** Bytes whose end is watched. */
function watched(bytes: Uint8Array) {
  const state = { closed: false }
  async function* stream() {
    try {
      yield* inPieces(bytes, [100])
    } finally {
      state.closed = true
    }
  }
  return { state, stream: stream() }
}

describe('readEntries', () => {
  it('gives files one after the other, repeated names included, folders not', async () => {
    const { state, stream } = watched(buildZip(ENTRIES))
    const got: [string, number][] = []
    for await (const entry of readEntries(stream)) got.push([entry.name, (await gather(entry.open())).length])
    expect(got).toEqual(LENGTHS)
    expect(state.closed).toBe(true)
  })

  it('reads over what nobody wants, be it all of an entry or the rest of it', async () => {
    const got: string[] = []
    for await (const entry of readEntries(inPieces(buildZip(ENTRIES), [100]))) {
      got.push(entry.name)
      if (entry.name !== 'folder/a') continue
      for await (const chunk of entry.open()) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
    }
    expect(got).toEqual(['folder/a', 'b', 'b', 'MANIFEST.TXT'])
  })

  it('closes the source when the caller leaves early, in an entry or between two', async () => {
    for (const inEntry of [true, false]) {
      const { state, stream } = watched(buildZip(ENTRIES))
      for await (const entry of readEntries(stream)) {
        if (inEntry) for await (const chunk of entry.open()) if (chunk.length > 0) break
        break
      }
      expect(state.closed).toBe(true)
    }
  })

  it('keeps to an error, even when the caller swallows it in an entry', async () => {
    const zip = buildZip(ENTRIES)
    const swallow = async () => {
      for await (const entry of readEntries(inPieces(zip.subarray(0, 150), [9]))) await codeOf(gather(entry.open()))
    }
    expect(await codeOf(swallow())).toBe('ZIP_DAMAGED')
  })

  it('passes on what the source fails with, in an entry or between two', async () => {
    const zip = buildZip(ENTRIES)
    const second = zip.indexOf('PK\x03\x04', 4)
    for (const at of [10, second, second + 50]) {
      async function* broken() {
        yield* inPieces(zip.subarray(0, at), [13])
        throw new DOMException('stopped', 'AbortError')
      }
      const work = async () => {
        for await (const entry of readEntries(broken())) await gather(entry.open())
      }
      await expect(work()).rejects.toMatchObject({ name: 'AbortError' })
    }
  })

  it('takes the archive’s count for full at 65,535, and refuses a wrong one', async () => {
    const many = Array.from({ length: 65_600 }, (_, n) => ({
      name: `${n}`,
      data: '',
      method: 0,
      descriptor: 'none' as const,
    }))
    let count = 0
    for await (const entry of readEntries(inPieces(buildZip(many, { zip64: true }), [1 << 20])))
      count += entry.name.length > 0 ? 1 : 0
    expect(count).toBe(65_600)
    const lying = buildZip(ENTRIES, { entries: 7 })
    const work = async () => {
      for await (const entry of readEntries(inPieces(lying, [99]))) await gather(entry.open())
    }
    expect(await codeOf(work())).toBe('ZIP_DAMAGED')
  })

  it('does not read a tail without end', async () => {
    const zip = buildZip(ENTRIES)
    const endless = Buffer.concat([zip.subarray(0, -22), Buffer.alloc(5000)])
    const work = async () => {
      for await (const entry of readEntries(inPieces(endless, [99]), { ...DEFAULT_LIMITS, directoryBytes: 1000 }))
        await gather(entry.open())
    }
    expect(await codeOf(work())).toBe('ZIP_DAMAGED')
  })
})
