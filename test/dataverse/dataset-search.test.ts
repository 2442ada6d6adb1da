import { describe, expect, it } from 'vitest'
import { DatasetSearch, type SearchItem, type SearchOptions } from '../../src/dataverse/dataset-search.ts'
import { Installation } from '../../src/dataverse/installation.ts'
import { NativeApi } from '../../src/dataverse/native-api.ts'
import { startDataverse, type StandIn, type StandInOptions } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { scriptedServer, sendJson } from './scripted-server.ts'

const { signal } = new AbortController()
const POLICY = { retries: 3, throttleMs: 1, retryMs: 1 }

function world(count: number): World {
  const made = new World()
  made.collection('sub', { title: 'Sub' })
  made.collection('deep', { parent: 'sub', title: 'Deep' })
  for (let n = 1; n <= count; n += 1)
    made.dataset(`doi:10.5072/FK2/D${n}`, { id: 100 + n, collection: n % 3 === 0 ? 'deep' : 'root', files: [] })
  made.dataset('doi:10.5072/FK2/DRAFT', { id: 9001, versions: [{ state: 'DRAFT', files: [] }] })
  made.dataset('doi:10.5072/FK2/HARVESTED', { id: 9002, harvested: true, files: [] })
  made.dataset('perma:DANS/LINKED', { id: 9003, linkedTo: ['sub'], files: [] })
  return made
}

async function withServer(options: StandInOptions, work: (server: StandIn) => Promise<void>): Promise<void> {
  const server = await startDataverse({ ...options })
  try {
    await work(server)
  } finally {
    await server.close()
  }
}

async function sweep(url: string, scope: SearchOptions = {}, policy = POLICY): Promise<SearchItem[]> {
  const installation = new Installation({ baseUrl: url })
  try {
    const found: SearchItem[] = []
    for await (const page of new DatasetSearch(installation, policy).pages(scope, signal)) found.push(...page)
    return found
  } finally {
    await installation.close()
  }
}

const ids = (found: readonly SearchItem[]): readonly number[] => found.map(({ entity_id: id }) => id)

describe('a search for datasets', () => {
  it('finds each released dataset once, over all pages, and no draft or harvested one', async () => {
    await withServer({ world: world(2100) }, async ({ url }) => {
      const found = await sweep(url)
      expect(ids(found)).toEqual([...Array.from({ length: 2100 }, (_, n) => 101 + n), 9003])
      expect(found.at(-1)).toMatchObject({ global_id: 'perma:DANS/LINKED', identifier_of_dataverse: 'root' })
    })
  })

  it('takes a collection with all below it and what is linked there, or what a query finds', async () => {
    await withServer({ world: world(7) }, async ({ url }) => {
      expect(ids(await sweep(url, { collection: 'sub' }))).toEqual([103, 106, 9003])
      expect(ids(await sweep(url, { collection: 'root' }))).toHaveLength(8)
      expect(ids(await sweep(url, { query: 'FK2/D4' }))).toEqual([104])
      expect(ids(await sweep(url, { query: 'nothing like it' }))).toEqual([])
      await expect(sweep(url, { collection: 'nowhere' })).rejects.toMatchObject({
        code: 'SOURCE_NOT_FOUND',
        message: expect.stringContaining('knows no collection nowhere') as string,
      })
    })
  })

  it('tells what changes without the index where that is asked for', async () => {
    await withServer({ world: world(1) }, async ({ url }) => {
      const [first] = await sweep(url, { details: true })
      expect(first).toMatchObject({ versionState: 'RELEASED', majorVersion: 1, minorVersion: 0, fileCount: 0 })
    })
  })

  it.each([
    ['a failure of the server', 500, 'Internal Dataverse Search Engine Error'],
    ['a proxy', 502, ''],
    [
      'an overloaded index, which says that the search is wrong',
      400,
      'Search Syntax Error: Error from server: overloaded',
    ],
  ])('%s in the middle is tried again, with fewer at a time, and nothing is missing', async (_, status, message) => {
    const sizes: string[] = []
    const all = Array.from({ length: 2500 }, (_, n) => n + 1)
    await using server = await scriptedServer(({ url }, response, count) => {
      const query = new URL(url, 'http://x').searchParams
      sizes.push(query.get('per_page') ?? '')
      if (count === 2) sendJson(response, status, message === '' ? '<html>' : { status: 'ERROR', message })
      else sendJson(response, 200, pageOf(all, query))
    })
    expect(ids(await sweep(server.url))).toEqual(all)
    expect(sizes.slice(0, 4)).toEqual(['1000', '1000', '250', '250'])
  })

  it.each([
    ['stays an error', 400, { status: 'ERROR', message: 'Search Syntax Error: overloaded' }, 'SOURCE_FAILED'],
    [
      'an empty page beside a count',
      200,
      { status: 'OK', data: { total_count: 7, items: [], count_in_response: 0 } },
      'SOURCE_UNEXPECTED',
    ],
    [
      'fewer items than counted',
      200,
      {
        status: 'OK',
        data: { total_count: 7, items: [{ entity_id: 2000, global_id: 'doi:10.5072/A' }], count_in_response: 2 },
      },
      'SOURCE_UNEXPECTED',
    ],
    ['a login page', 200, '<html></html>', 'SOURCE_UNEXPECTED'],
    ['an envelope of another kind', 200, { status: 'OK', data: [] }, 'SOURCE_UNEXPECTED'],
  ])('%s: a page that is not what it should be is never taken for the end', async (_, status, body, code) => {
    await using server = await scriptedServer(({ url }, response, count) => {
      if (count === 1)
        sendJson(
          response,
          200,
          pageOf(
            Array.from({ length: 1500 }, (__, n) => n + 1),
            new URL(url, 'http://x').searchParams,
          ),
        )
      else sendJson(response, status, body)
    })
    await expect(sweep(server.url, { query: 'x' }, { retries: 1, throttleMs: 1, retryMs: 1 })).rejects.toMatchObject({
      code,
    })
    expect(server.seen).toHaveLength(3)
  })

  it('a server that neither filters nor sorts is no endless list', async () => {
    await using server = await scriptedServer((_, response) =>
      sendJson(response, 200, pageOf([5, 6], new URLSearchParams({ per_page: '10' }))),
    )
    await expect(sweep(server.url, {}, { retries: 0, throttleMs: 1, retryMs: 1 })).rejects.toThrow(
      'does not filter and sort by id',
    )
  })

  it('a wrong query of the user’s is told from an overload as far as it can be', async () => {
    await withServer({ world: world(3) }, async ({ url }) => {
      await expect(
        sweep(url, { query: 'nonsense:[' }, { retries: 1, throttleMs: 1, retryMs: 1 }),
      ).rejects.toMatchObject({
        code: 'SOURCE_REJECTED',
        message: expect.stringContaining('Correct the search, or try later') as string,
      })
    })
  })

  it('an installation whose search needs a token says so', async () => {
    await withServer({ world: world(1), searchNeedsToken: true }, async ({ url }) => {
      await expect(sweep(url)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
    })
  })
})

function pageOf(all: readonly number[], query: URLSearchParams): unknown {
  const after = Number(/entityId:\{(\d+) TO \*\]/.exec(query.getAll('fq').join(' '))?.[1] ?? 0)
  const left = all.filter((id) => id > after)
  const items = left.slice(0, Number(query.get('per_page'))).map((id) => ({
    type: 'dataset',
    entity_id: id,
    global_id: `doi:10.5072/FK2/D${id}`,
  }))
  return { status: 'OK', data: { total_count: left.length, items, count_in_response: items.length } }
}

describe('the walk through a collection', () => {
  it('finds its datasets and those of all collections within, as the database has them', async () => {
    await withServer({ world: world(7) }, async ({ url }) => {
      const api = new NativeApi({ baseUrl: url })
      const walk = async (collection: number | string): Promise<string[]> => {
        const found: string[] = []
        for await (const { pid } of api.walk(collection, signal)) found.push(pid)
        return found
      }
      expect(await walk('sub')).toEqual(['doi:10.5072/FK2/D3', 'doi:10.5072/FK2/D6'])
      expect(await walk(2)).toEqual(await walk('sub'))
      expect([...(await walk('root'))].sort()).toEqual(
        [
          ...[1, 2, 3, 4, 5, 6, 7].map((n) => `doi:10.5072/FK2/D${n}`),
          'doi:10.5072/FK2/HARVESTED',
          'perma:DANS/LINKED',
        ].sort(),
      )
      await expect(walk('nowhere')).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
      await api.close()
    })
  })
})
