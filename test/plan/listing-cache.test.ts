import { describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import { ListingCache } from '../../src/plan/listing-cache.ts'
import { never } from '../contracts/sink-bytes.ts'
import { catalogueOf, listed, type Counted, type Datasets } from './catalogue.ts'

/** Datasets `d0`, `d1`, … of `size` files each, with ids in order. */
function datasets(count: number, size: number): Datasets {
  return Object.fromEntries(
    Array.from({ length: count }, (_, d) => [
      `d${d}`,
      [{ version: '1.0', files: Array.from({ length: size }, (__, f) => listed(d * size + f + 1)) }],
    ]),
  )
}

async function findAll(cache: ListingCache, ids: readonly number[]): Promise<void> {
  for (const id of ids) expect((await cache.find(id, never)).file.id).toBe(id)
}

function requests({ calls }: Counted, kind: string): number {
  return calls.filter((call) => call.startsWith(`${kind} `)).length
}

describe('the listing cache', () => {
  it('forgets the oldest listing when too many files are kept, and asks again for what it held', async () => {
    const catalogue = catalogueOf(datasets(3, 10))
    const cache = new ListingCache(catalogue, 20)
    await findAll(cache, [1, 2, 11, 12, 5, 15])
    expect(catalogue.calls).toHaveLength(4 + 2 * 2)
    await findAll(cache, [21, 22, 15, 25])
    expect(requests(catalogue, 'files')).toBe(3)
    expect(requests(catalogue, 'file')).toBe(6)
    await findAll(cache, [5, 6, 7])
    expect(requests(catalogue, 'file')).toBe(8)
    expect(requests(catalogue, 'files')).toBe(4)
  })

  it('keeps a long listing only as far as its bound, and lists it only once', async () => {
    const catalogue = catalogueOf(datasets(1, 100))
    const cache = new ListingCache(catalogue, 30)
    await findAll(cache, [1, 2, 30, 31, 32, 99])
    expect(requests(catalogue, 'files')).toBe(1)
    expect(requests(catalogue, 'file')).toBe(5)
  })

  it('asks for files one by one where the listing is refused', async () => {
    const catalogue = catalogueOf(datasets(1, 10))
    catalogue.fail = (call) => (call.startsWith('files') ? new DataferryError('SOURCE_DENIED', 'No.') : undefined)
    await findAll(new ListingCache(catalogue), [1, 2, 3, 4])
    expect(requests(catalogue, 'file')).toBe(4)
    expect(requests(catalogue, 'files')).toBe(1)
  })

  it('does not take a server that is away for a refusal', async () => {
    const catalogue = catalogueOf(datasets(1, 10))
    const away = new DataferryError('SOURCE_UNREACHABLE', 'Away.')
    catalogue.fail = (call) => (call.startsWith('files') ? away : undefined)
    const cache = new ListingCache(catalogue)
    await findAll(cache, [1])
    await expect(cache.find(2, never)).rejects.toBe(away)
  })

  it('describes a file as of its newest version, whatever was asked for before', async () => {
    const catalogue = catalogueOf({
      d: [
        { version: '1.0', files: [listed(1), listed(2), listed(3, { directory: 'old' })] },
        { version: '2.0', files: [listed(3, { directory: 'new' })] },
      ],
    })
    const cache = new ListingCache(catalogue)
    await findAll(cache, [1, 2])
    expect(await cache.find(3, never)).toMatchObject({ file: { directory: 'new' }, version: { version: '2.0' } })
  })
})
