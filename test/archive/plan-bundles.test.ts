import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planBundles, type BundleOptions, type Planned } from '../../src/archive/plan-bundles.ts'
import type { Item } from '../../src/model/item.ts'

const CHECKSUM = { algorithm: 'md5', hex: '0'.repeat(32) } as const
const OPTIONS: BundleOptions = { limit: 100, maxFileBytes: 60, maxFiles: 4 }

function item(n: number, size: number | undefined, more: Partial<Item> = {}): Item {
  return {
    n,
    server: 'https://dv.example.edu',
    ref: { kind: 'file', file: 1000 + n, format: 'original' },
    path: `f${n}`,
    expect: { checksum: CHECKSUM, ...(size === undefined ? {} : { size }) },
    origin: { dataset: 'doi:10.5072/FK2/A', version: '1.0' },
    ...more,
  }
}

/** `1+2 3`: a bundle of the items 1 and 2, then item 3 alone. */
function shape(planned: readonly Planned[]): string {
  return planned
    .map((one) => (one.kind === 'single' ? `${one.item.n}` : one.items.map(({ n }) => n).join('+')))
    .join(' ')
}
const plan = (items: Item[], more: Partial<BundleOptions> = {}) => shape(planBundles(items, { ...OPTIONS, ...more }))

describe('planBundles', () => {
  it('keeps the sum strictly below the limit of the server, and below its own', () => {
    expect(plan([item(1, 50), item(2, 49)])).toBe('1+2')
    expect(plan([item(1, 50), item(2, 50)])).toBe('1 2')
    expect(plan([item(1, 20), item(2, 20), item(3, 20)], { maxBytes: 50 })).toBe('1+2 3')
    expect(plan([item(1, 0), item(2, 0)], { limit: 0 })).toBe('1 2')
    expect(plan([item(1, 0), item(2, 0)], { limit: 1 })).toBe('1+2')
  })

  it('keeps to the number of files, and leaves single what is large or alone', () => {
    expect(plan([1, 2, 3, 4, 5, 6].map((n) => item(n, 1)))).toBe('1+2+3+4 5+6')
    expect(plan([item(1, 1), item(2, 61), item(3, 1)])).toBe('1+3 2')
    expect(plan([item(1, 1), item(2, 1)], { minFiles: 3 })).toBe('1 2')
  })

  it.each<[string, (n: number) => Partial<Item>]>([
    ['another dataset', () => ({ origin: { dataset: 'doi:10.5072/FK2/B' } })],
    ['another server', () => ({ server: 'https://other.example.edu' })],
    ['another form', (n) => ({ ref: { kind: 'file', file: n, format: 'archival' } })],
  ])('never mixes in %s', (_, more) => {
    expect(plan([item(1, 1), item(2, 1, more(2)), item(3, 1, more(3)), item(4, 1)])).toBe('1 2+3 4')
  })

  it.each<[string, Partial<Item>]>([
    ['may be withheld', { withheld: 'restricted' }],
    ['cannot be had', { problem: { code: 'SOURCE_NOT_FOUND', message: 'no' } }],
    ['has a PID for its id', { ref: { kind: 'file', file: 'doi:10.5072/FK2/A/F', format: 'original' } }],
    ['is an archive itself', { ref: { kind: 'zip', files: [1, 2], format: 'original' } }],
    ['belongs to no known dataset', { origin: {} }],
    ['has an unknown size', { expect: { checksum: CHECKSUM } }],
    ['has no checksum', { expect: { size: 1 } }],
  ])('never bundles an item that %s', (_, more) => {
    expect(plan([item(1, 1), item(2, 1, more), item(3, 1)])).toBe('1+3 2')
  })

  it('bundles items without a checksum when that is allowed and their listing says how long they are', () => {
    const tab = item(3, 1, { expect: {}, listedSize: 50 })
    const items = [item(1, 1), item(2, 1, { expect: { size: 1 } }), tab, item(4, 1, { expect: {} })]
    expect(plan(items)).toBe('1 2 3 4')
    expect(plan(items, { unverified: true })).toBe('1+2+3 4')
    expect(plan(items, { unverified: true, limit: 52 })).toBe('1+2 3 4')
    expect(plan(items, { unverified: true, maxFileBytes: 49 })).toBe('1+2 3 4')
  })

  it('asks for no file twice in one bundle', () => {
    const again = item(3, 1, { ref: { kind: 'file', file: 1001, format: 'original' } })
    expect(plan([item(1, 1), item(2, 1), again, item(4, 1)])).toBe('1+2 3+4')
  })

  it('plans every item once, in any case within the limits', () => {
    const some = fc.record({
      size: fc.option(fc.nat(120), { nil: undefined }),
      dataset: fc.constantFrom('a', 'b'),
      withheld: fc.boolean(),
      file: fc.nat(30),
    })
    const options = fc.record({
      limit: fc.nat(200),
      maxFileBytes: fc.nat(100),
      maxFiles: fc.integer({ min: 1, max: 8 }),
    })
    fc.assert(
      fc.property(fc.array(some, { maxLength: 40 }), options, (all, limits) => {
        const items = all.map(({ size, dataset, withheld, file }, n) =>
          item(n, size, {
            origin: { dataset },
            ref: { kind: 'file', file, format: 'original' },
            ...(withheld ? { withheld: 'embargoed' as const } : {}),
          }),
        )
        const planned = planBundles(items, limits)
        const every = planned.flatMap((one) => (one.kind === 'single' ? [one.item] : one.items))
        expect(every.map(({ n }) => n).sort((a, b) => a - b)).toEqual(items.map(({ n }) => n))
        for (const one of planned) {
          if (one.kind === 'single') continue
          expect(one.items.length).toBeGreaterThan(1)
          expect(one.items.length).toBeLessThanOrEqual(limits.maxFiles)
          const bytes = one.items.reduce((sum, { expect: { size } }) => sum + (size ?? NaN), 0)
          expect(bytes).toBeLessThan(limits.limit)
          expect(new Set(one.items.map(({ origin }) => origin?.dataset)).size).toBe(1)
          expect(one.items.some(({ withheld }) => withheld !== undefined)).toBe(false)
          expect(new Set(one.items.map(({ ref }) => JSON.stringify(ref))).size).toBe(one.items.length)
        }
      }),
    )
  })
})
