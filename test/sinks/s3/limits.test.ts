import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteBudget } from '../../../src/sinks/s3/part-buffers.ts'
import { PartBuffers } from '../../../src/sinks/s3/part-buffers.ts'
import { bytesBefore, bytesOfPart, layoutFor, MAX_PARTS, partsHeld } from '../../../src/sinks/s3/part-layout.ts'
import { Location, parseLocation } from '../../../src/sinks/s3/location.ts'
import { never } from '../../contracts/sink-bytes.ts'

const MIB = 1 << 20

describe('the parts of an upload', () => {
  it('have 8 MiB to 64 MiB, and are never too many, even if the size was announced at half', () => {
    const size = fc.integer({ min: 0, max: 5 * 2 ** 40 })
    fc.assert(
      fc.property(size, (bytes) => {
        const layout = layoutFor(bytes, undefined)
        expect(bytesBefore(layout, MAX_PARTS)).toBeGreaterThanOrEqual(2 * bytes)
      }),
    )
    const gib = [1, 19, 30, 100, 300, 600]
    expect(gib.map((many) => layoutFor(many * 1024 * MIB, undefined).partSize / MIB)).toEqual([8, 8, 13, 41, 64, 126])
    expect(layoutFor(50 * 1024 * MIB, 32 * MIB).partSize).toBe(32 * MIB)
  })

  it('are not made of what fits into 8 MiB, unless somebody wants smaller parts', () => {
    expect(layoutFor(8 * MIB, undefined).partSize).toBe(8 * MIB)
    expect(layoutFor(8 * MIB + 1, undefined).partSize).toBe(8 * MIB)
    expect(layoutFor(8 * MIB, 5 * MIB).partSize).toBe(5 * MIB)
  })

  it('are held for 32 MiB or half a percent, at least two, and as many as somebody allows', () => {
    const held = (gib: number) => partsHeld(gib * 1024 * MIB, {})
    expect([1, 10, 100, 300].map(held)).toEqual([4, 6, 8, 8])
    expect(partsHeld(undefined, {})).toBe(4)
    expect(partsHeld(1024 * MIB, { partSize: 64 * MIB })).toBe(2)
    expect(partsHeld(1024 * MIB, { maxConcurrentParts: 1 })).toBe(1)
  })

  it('grow where the size is unknown, to 64 MiB, and hold half a terabyte', () => {
    const layout = layoutFor(undefined, undefined)
    expect([1, 1000, 1001, 2001, 9999].map((n) => bytesOfPart(layout, n) / MIB)).toEqual([8, 8, 16, 32, 64])
    expect(bytesBefore(layout, MAX_PARTS)).toBeGreaterThan(500e9)
  })
})

describe('the memory of a sink', () => {
  it('is given out in the order it was asked for, and never beyond the limit', async () => {
    const budget = new ByteBudget(10)
    await budget.take(6, never)
    const order: string[] = []
    const large = budget.take(10, never).then(() => order.push('large'))
    const small = budget.take(1, never).then(() => order.push('small'))
    expect(budget.tryTake(1)).toBe(false)
    budget.giveBack(6)
    await large
    expect(order).toEqual(['large'])
    budget.giveBack(10)
    await small
    expect(order).toEqual(['large', 'small'])
  })

  it('is given to the next when one that waits is stopped', async () => {
    const budget = new ByteBudget(10)
    await budget.take(9, never)
    const stop = new AbortController()
    const large = budget.take(5, stop.signal)
    const small = budget.take(1, never)
    stop.abort(new Error('stop'))
    await expect(large).rejects.toThrow('stop')
    await small
  })

  it('never makes stages wait for one another in a ring', async () => {
    const budget = new ByteBudget(2 * MIB)
    const stages = Array.from({ length: 2 }, () => new PartBuffers(budget, 2))
    for (const buffers of stages) {
      const first = await buffers.get(MIB, never, () => Promise.reject(new Error('waited')))
      // The budget is used up by both: each goes on with its own buffer as soon as that is back.
      if (buffers === stages[1]) {
        const second = await buffers.get(MIB, never, async () => {
          buffers.put(first)
          await Promise.resolve()
        })
        expect(second).toBe(first)
      }
    }
    for (const buffers of stages) buffers.close()
    expect(budget.tryTake(2 * MIB)).toBe(true)
  })
})

describe('a place in a bucket', () => {
  it('is read from its URL as people write it', () => {
    expect(parseLocation('s3://bucket')).toMatchObject({ bucket: 'bucket', prefix: '', url: 's3://bucket' })
    expect(parseLocation('s3://bucket/')).toMatchObject({ prefix: '' })
    expect(parseLocation('s3://my.bucket/a//b c%20/')).toMatchObject({
      prefix: 'a/b c%20/',
      url: 's3://my.bucket/a/b c%20',
    })
  })

  it('has keys of 1,024 bytes at most, prefix included', () => {
    const location = new Location('bucket', 'p/')
    expect(location.objectKey('é'.repeat(511))).toHaveLength(513)
    expect(() => location.objectKey('é'.repeat(512))).toThrow(/1026 bytes/)
  })
})
