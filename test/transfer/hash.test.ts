import { describe, expect, it } from 'vitest'
import { ALGORITHMS, type Algorithm } from '../../src/model/checksum.ts'
import { createHash } from '../../src/transfer/hash.ts'
import { hashOf } from '../../src/transfer/meter.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, chunked } from '../contracts/sink-bytes.ts'

const BYTES = bytesOf(2_000_000)
const LARGE = 8 << 20

describe.each(ALGORITHMS)('%s', (algorithm) => {
  const expected = checksumOf(BYTES, algorithm).hex

  it.each([
    ['inline', { size: BYTES.length, saveable: false }],
    ['inline for a sink that saves states', { size: BYTES.length, saveable: true }],
    ['on a thread', { size: LARGE, saveable: false }],
    ['on a thread, saveable', { size: LARGE, saveable: true }],
    ['on a thread, of unknown size', { size: undefined, saveable: false }],
  ])('gives the same digest %s', async (_, options) => {
    const hash = createHash({ algorithm, ...options })
    const { checksum, size } = await hashOf(chunked(BYTES), hash)
    expect(checksum).toEqual({ algorithm, hex: expected })
    expect(size).toBe(BYTES.length)
    hash.close()
  })

  it.each([LARGE, BYTES.length])('begins anew after a reset, with %i bytes expected', async (size) => {
    const hash = createHash({ algorithm, size, saveable: false })
    await hash.update(bytesOf(100, 9))
    await hash.reset()
    await hash.update(BYTES)
    expect(await hash.digest()).toBe(expected)
    hash.close()
  })

  it('goes on from a saved state, in another hash', async () => {
    const first = createHash({ algorithm, size: LARGE, saveable: true })
    await first.update(BYTES.subarray(0, 777_777))
    const state = await first.save()
    first.close()
    if (!state) throw new Error('no state was saved')
    const second = createHash({ algorithm, size: LARGE, saveable: true })
    expect(await second.load(state)).toBe(true)
    await second.update(BYTES.subarray(777_777))
    expect(await second.digest()).toBe(expected)
    second.close()
  })

  it('counts in a saved state every byte that was added before, however many are on their way', async () => {
    const first = createHash({ algorithm, size: LARGE, saveable: true })
    const chunks = Array.from({ length: 8 }, (_, i) => bytesOf(1_300_000, i))
    let state: Uint8Array | undefined
    for (const [i, chunk] of chunks.entries()) {
      const added = first.update(chunk)
      if (i === chunks.length - 1) state = await first.save()
      await added
    }
    const second = createHash({ algorithm, size: LARGE, saveable: true })
    expect(state && (await second.load(state))).toBe(true)
    expect(await second.digest()).toBe(checksumOf(Buffer.concat(chunks), algorithm).hex)
    first.close()
    second.close()
  })

  it.each([false, true])('lets a chunk be overwritten once it was taken, saveable: %s', async (saveable) => {
    const hash = createHash({ algorithm, size: LARGE, saveable })
    const all = bytesOf(12_000_000)
    const reused = Buffer.alloc(1_500_000)
    for (let from = 0; from < all.length; from += reused.length) {
      all.copy(reused, 0, from)
      await hash.update(reused)
    }
    expect(await hash.digest()).toBe(checksumOf(all, algorithm).hex)
    hash.close()
  })

  it('takes a foreign state for none, and is empty then', async () => {
    const hash = createHash({ algorithm, size: LARGE, saveable: true })
    await hash.update(bytesOf(10))
    expect(await hash.load(Buffer.from('no state at all'))).toBe(false)
    await hash.update(BYTES)
    expect(await hash.digest()).toBe(expected)
    hash.close()
  })
})

describe('further digests', () => {
  const WANTED = ['sha256', 'sha512', 'md5', 'sha512'] as const
  const FURTHER = [checksumOf(BYTES, 'sha256'), checksumOf(BYTES, 'sha512')]

  it.each([
    ['inline', { size: BYTES.length, saveable: false }],
    ['on threads', { size: LARGE, saveable: false }],
    ['on threads, saveable', { size: undefined, saveable: true }],
  ])('are taken in the same pass %s, each once, and none that is the checksum', async (_, options) => {
    const hash = createHash({ algorithm: 'md5', digests: WANTED, ...options })
    await hash.update(bytesOf(100, 9))
    await hash.reset()
    const received = await hashOf(chunked(BYTES), hash)
    expect(received).toEqual({ size: BYTES.length, checksum: checksumOf(BYTES), digests: FURTHER })
    hash.close()
  })

  it('go on from a saved state together, counting every byte that was added before', async () => {
    const options = { algorithm: 'md5', digests: WANTED, size: LARGE, saveable: true } as const
    const first = createHash(options)
    const added = first.update(BYTES.subarray(0, 1_300_001))
    const saving = first.save()
    const more = first.update(BYTES)
    const state = await saving
    await Promise.all([added, more])
    first.close()
    const second = createHash(options)
    expect(state && (await second.load(state))).toBe(true)
    await second.update(BYTES.subarray(1_300_001))
    expect(await second.digest()).toBe(checksumOf(BYTES).hex)
    expect(await second.digests()).toEqual(FURTHER)
    second.close()
  })

  it('do not go on from the state of fewer, and begin with nothing then', async () => {
    const saved = async (digests: readonly Algorithm[]): Promise<Uint8Array> => {
      const hash = createHash({ algorithm: 'md5', digests, size: LARGE, saveable: true })
      await hash.update(bytesOf(10))
      const state = await hash.save()
      hash.close()
      if (!state) throw new Error('no state was saved')
      return state
    }
    for (const state of [
      await saved([]),
      await saved(['sha256']),
      Buffer.from('no state'),
      Buffer.from('{"md5":"AA=="}'),
    ]) {
      const hash = createHash({ algorithm: 'md5', digests: WANTED, size: LARGE, saveable: true })
      expect(await hash.load(state)).toBe(false)
      expect((await hashOf(chunked(BYTES), hash)).digests).toEqual(FURTHER)
      hash.close()
    }
    const alone = createHash({ algorithm: 'md5', size: LARGE, saveable: true })
    expect(await alone.load(await saved(['sha512']))).toBe(false)
    alone.close()
  })
})

describe('hashes', () => {
  it('that cannot save say so', async () => {
    for (const size of [10, LARGE]) {
      const hash = createHash({ algorithm: 'md5', size, saveable: false })
      expect(await hash.save()).toBeUndefined()
      expect(await hash.load(new Uint8Array(100))).toBe(false)
      hash.close()
    }
  })

  it('run beside one another without mixing their bytes', async () => {
    const seeds = [1, 2, 3, 4, 5, 6]
    const digests = seeds.map(async (seed) => {
      const hash = createHash({ algorithm: 'md5', size: LARGE, saveable: seed % 2 === 0 })
      try {
        return (await hashOf(chunked(bytesOf(300_000, seed)), hash)).checksum
      } finally {
        hash.close()
      }
    })
    expect(await Promise.all(digests)).toEqual(seeds.map((seed) => checksumOf(bytesOf(300_000, seed))))
  })

  it('may be closed twice, and refuse to go on afterwards', async () => {
    const hash = createHash({ algorithm: 'md5', size: LARGE, saveable: false })
    hash.close()
    hash.close()
    await expect(hash.update(BYTES)).rejects.toThrow('not open')
  })
})
