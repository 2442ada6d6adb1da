import { describe, expect, it } from 'vitest'
import { ask, at, count } from './ask.ts'
import { World } from './dataverse/world.ts'
import { tinyWorld, WORLD_PID } from './dataverse/worlds.ts'
import { PID, standIns, TABLE, worldOf } from './worlds.ts'

const start = standIns()

describe('a file listing', () => {
  it('gives everything without a limit, pages with one, and totalCount since 6.2', async () => {
    const dv = await start({ world: tinyWorld(25) })
    const url = `${dv.url}/api/datasets/2/versions/:latest/files`
    const all = await ask(url)
    expect([count(all, 'data'), at(all, 'totalCount')]).toEqual([25, 25])
    const page = await ask(`${url}?limit=10&offset=20`)
    expect([count(page, 'data'), at(page, 'totalCount')]).toEqual([5, 25])
    expect(at(page, 'data', 0, 'label')).toBe('tiny-0000020.bin')
    expect((await ask(`${url}?limit=abc`)).status).toBe(404)
    expect((await ask(`${url}?orderCriteria=Nothing`)).status).toBe(400)
    const older = await start({ world: tinyWorld(25), profile: '6.1' })
    const without = await ask(`${older.url}/api/datasets/2/versions/1.0/files?limit=10`)
    expect([count(without, 'data'), at(without, 'totalCount')]).toEqual([10, undefined])
    const oldest = await start({ world: tinyWorld(25), profile: '5.12' })
    expect(count(await ask(`${oldest.url}/api/datasets/2/versions/1.0/files?limit=10`), 'data')).toBe(25)
  })

  it('of equal labels in different folders is unstable from page to page, but whole in one call', async () => {
    const files = Array.from({ length: 30 }, (_, index) => ({
      id: 100 + index,
      label: 'data.csv',
      directory: `d${index}`,
    }))
    const ids = async (unstablePaging: boolean): Promise<Set<unknown>> => {
      const dv = await start({ world: worldOf(...files), unstablePaging })
      const seen = new Set<unknown>()
      for (let offset = 0; offset < 30; offset += 5) {
        const page = await ask(`${dv.url}/api/datasets/10/versions/1.0/files?limit=5&offset=${offset}`)
        for (let index = 0; index < 5; index += 1) seen.add(at(page, 'data', index, 'dataFile', 'id'))
      }
      return seen
    }
    expect((await ids(true)).size).toBeLessThan(30)
    expect((await ids(false)).size).toBe(30)
  })

  it('omits what is not there instead of saying null, has an empty persistentId, and md5 only for MD5', async () => {
    const dv = await start({
      world: worldOf(
        { id: 1, label: 'a' },
        { id: 2, label: 'b', checksum: 'SHA-256', pid: 'doi:10.5072/FK2/TEST/B', directory: 'x' },
        { id: 3, label: 'c', checksum: null, statedSize: -1 },
      ),
    })
    const listing = await ask(`${dv.url}/api/datasets/10/versions/1.0/files`)
    expect(listing.text).not.toContain('null')
    expect(at(listing, 'data', 0, 'dataFile')).toMatchObject({
      persistentId: '',
      md5: 'd41d8cd98f00b204e9800998ecf8427e',
    })
    expect(at(listing, 'data', 0, 'directoryLabel')).toBeUndefined()
    expect(at(listing, 'data', 1, 'dataFile', 'md5')).toBeUndefined()
    expect(at(listing, 'data', 1, 'dataFile', 'checksum', 'type')).toBe('SHA-256')
    expect(at(listing, 'data', 2, 'dataFile', 'checksum')).toBeUndefined()
    expect(at(listing, 'data', 2, 'dataFile', 'filesize')).toBe(-1)
  })

  it('filters by type, status, category and text, and counts since 6.1', async () => {
    const dv = await start({
      world: worldOf(
        { id: 1, label: 'a.csv', contentType: 'text/csv', categories: ['Data'] },
        { id: 2, label: 'b.csv', contentType: 'text/csv', restricted: true },
        { id: 3, label: 'c.pdf', contentType: 'application/pdf', embargo: { dateAvailable: '2001-01-01' } },
      ),
    })
    const url = `${dv.url}/api/datasets/10/versions/1.0/files`
    const total = async (query: string): Promise<unknown> => at(await ask(`${url}?${query}`), 'totalCount')
    expect(await total('contentType=text/csv')).toBe(2)
    expect(await total('accessStatus=Public')).toBe(1)
    expect(await total('categoryName=Data')).toBe(1)
    expect(await total('searchText=C.PDF')).toBe(1)
    expect(at(await ask(`${url}/counts`), 'data')).toMatchObject({
      total: 3,
      perContentType: { 'text/csv': 2, 'application/pdf': 1 },
      perAccessStatus: { Public: 1, Restricted: 1 },
    })
  })

  it('of a million files costs no memory for each', async () => {
    const dv = await start({ world: tinyWorld(1_000_000, { datasets: 100 }) })
    const last = await ask(`${dv.url}/api/datasets/${lastFileOf(99)}`)
    expect(at(last, 'totalCount')).toBe(10_000)
    const id = Number(at(last, 'data', 0, 'dataFile', 'id'))
    const bytes = await ask(`${dv.url}/api/access/datafile/${id}`)
    expect(bytes.body.length).toBe(100)
    expect(at(last, 'data', 0, 'label')).toBe('tiny-0009999.bin')
  })
})

/** The route of the last file of a dataset named by PID. */
function lastFileOf(dataset: number): string {
  return `:persistentId/versions/:latest/files?persistentId=${encodeURIComponent(`${WORLD_PID}-${dataset}`)}&limit=1&offset=9999`
}

describe('versions', () => {
  const world = (): World => {
    const made = new World()
    made.dataset(PID, {
      id: 10,
      versions: [
        { number: '1.0', files: [{ id: 1, label: 'a' }] },
        { number: '1.1', files: [{ id: 1, label: 'renamed' }] },
        { number: '2.0', state: 'DEACCESSIONED', files: [] },
        { state: 'DRAFT', files: [{ id: 1, label: 'draft' }] },
      ],
    })
    made.dataset(`${PID}2`, { id: 11, versions: [{ state: 'DRAFT', files: [] }] })
    made.dataset(`${PID}3`, { id: 12, versions: [{ number: '1.0', state: 'DEACCESSIONED', files: [] }] })
    return made
  }
  const tokens = { cur: { user: '@cur', curates: 'all' } } as const

  it.each([
    [':latest', 'renamed'],
    [':latest-published', 'renamed'],
    ['1', 'a'],
    ['1.1', 'renamed'],
    [':latest?key=cur', 'draft'],
    [':draft?key=cur', 'draft'],
  ])('%s is the one that the caller may see', async (selector, label) => {
    const dv = await start({ world: world(), tokens })
    const [version = '', query = ''] = selector.split('?')
    expect(at(await ask(`${dv.url}/api/datasets/10/versions/${version}?${query}`), 'data', 'files', 0, 'label')).toBe(
      label,
    )
  })

  it('that are unknown or deaccessioned are 404, a draft without rights 401, nonsense 400', async () => {
    const dv = await start({ world: world(), tokens })
    const answer = (path: string) => ask(`${dv.url}/api/datasets/${path}`)
    expect(at(await answer('10/versions/9.0/files'), 'message')).toBe('Dataset version 9.0 of dataset 10 not found')
    const statuses = [
      '10/versions/2.0',
      '10/versions/:draft',
      '10/versions/x',
      '11',
      '12',
      '10/versions/2.0?includeDeaccessioned=true&key=cur',
    ]
    const seen = await Promise.all(statuses.map(async (path) => (await answer(path)).status))
    expect(seen).toEqual([404, 401, 400, 401, 200, 200])
    expect(at(await answer('12'), 'data', 'latestVersion')).toBeUndefined()
    expect((await answer('12/versions/:latest')).status).toBe(404)
    expect((await answer('10/versions/2.0?excludeFiles=true&includeDeaccessioned=true')).status).toBe(200)
    expect(at(await answer('99'), 'message')).toBe('Dataset with ID 99 not found.')
  })

  it('are listed newest first, only the released ones for guests, ten or so by some installations', async () => {
    const dv = await start({ world: world(), tokens })
    const listed = await ask(`${dv.url}/api/datasets/10/versions?excludeFiles=true`)
    expect([count(listed, 'data'), at(listed, 'data', 0, 'versionMinorNumber')]).toEqual([2, 1])
    expect(count(await ask(`${dv.url}/api/datasets/10/versions?key=cur`), 'data')).toBe(4)
    dv.set({ versionsPerPage: 1 })
    expect(count(await ask(`${dv.url}/api/datasets/10/versions`), 'data')).toBe(1)
  })

  it('come with the dataset: GET datasets/{id} holds the latest and its files', async () => {
    const dv = await start({ world: world() })
    const answer = await ask(`${dv.url}/api/datasets/:persistentId?persistentId=${PID}`)
    expect(at(answer, 'data')).toMatchObject({ id: 10, protocol: 'doi', authority: '10.5072', identifier: 'FK2/TEST' })
    expect(at(answer, 'data', 'latestVersion')).toMatchObject({
      versionNumber: 1,
      versionMinorNumber: 1,
      versionState: 'RELEASED',
    })
    expect(at(answer, 'data', 'latestVersion', 'files', 0, 'label')).toBe('renamed')
  })

  it('state their download size by mode, and whether anything can be had', async () => {
    const dv = await start({ world: worldOf(TABLE, { id: 1, label: 'a', content: 'xyz' }) })
    const size = async (mode: string): Promise<unknown> =>
      at(await ask(`${dv.url}/api/datasets/10/versions/1.0/downloadsize?mode=${mode}`), 'data', 'storageSize')
    expect([await size('All'), await size('Original'), await size('Archival')]).toEqual([17, 13, 7])
    expect(at(await ask(`${dv.url}/api/datasets/10/versions/1.0/canDownloadAtLeastOneFile`), 'data')).toBe(true)
  })
})

describe('a file’s metadata', () => {
  it('is found by id or PID, with its dataset version on request', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', pid: 'doi:10.5072/FK2/TEST/A' }) })
    const answer = await ask(`${dv.url}/api/files/1?returnDatasetVersion=true`)
    expect(at(answer, 'data', 'datasetVersion')).toMatchObject({
      datasetPersistentId: PID,
      versionNumber: 1,
      versionMinorNumber: 0,
    })
    const byPid = await ask(`${dv.url}/api/files/:persistentId?persistentId=doi:10.5072/FK2/TEST/A`)
    expect([at(byPid, 'data', 'dataFile', 'id'), at(byPid, 'data', 'datasetVersion')]).toEqual([1, undefined])
  })

  it('is 404 for unknown ones, in words that name them, and 400 for what is no number', async () => {
    const dv = await start({ world: worldOf() })
    expect(at(await ask(`${dv.url}/api/files/9`), 'message')).toBe('File with ID 9 not found.')
    expect(at(await ask(`${dv.url}/api/files/:persistentId?persistentId=doi:x`), 'message')).toBe(
      'Datafile with Persistent ID doi:x not found.',
    )
    expect((await ask(`${dv.url}/api/files/abc`)).status).toBe(400)
  })

  it('names the variables of a table', async () => {
    const dv = await start({ world: worldOf(TABLE) })
    expect(at(await ask(`${dv.url}/api/files/50/dataTables`), 'data', 0, 'dataVariables', 1)).toEqual({
      id: 50_001,
      name: 'b',
    })
  })
})

describe('collections and search', () => {
  const world = (): World => {
    const made = new World()
    made.collection('sub', { title: 'Sub' })
    made.collection('deep', { parent: 'sub' })
    made.dataset(PID, { id: 10, title: 'Alpha', collection: 'deep', files: [{ id: 1, label: 'a.csv' }] })
    made.dataset(`${PID}2`, { id: 11, title: 'Beta', files: [] })
    made.dataset(`${PID}3`, { id: 12, title: 'Hidden', versions: [{ state: 'DRAFT', files: [] }] })
    return made
  }

  it('contents are direct children only, collections without alias', async () => {
    const dv = await start({ world: world() })
    const root = await ask(`${dv.url}/api/dataverses/:root/contents`)
    expect(at(root, 'data', 0)).toEqual({ type: 'dataverse', id: 2, title: 'Sub' })
    expect(at(root, 'data', 1)).toMatchObject({
      type: 'dataset',
      id: 11,
      protocol: 'doi',
      authority: '10.5072',
      identifier: 'FK2/TEST2',
    })
    expect(count(root, 'data')).toBe(2)
    expect(count(await ask(`${dv.url}/api/dataverses/2/contents`), 'data')).toBe(1)
    expect((await ask(`${dv.url}/api/dataverses/nowhere/contents`)).status).toBe(404)
  })

  it('search pages through datasets of a subtree', async () => {
    const dv = await start({ world: world() })
    const found = await ask(`${dv.url}/api/search?q=*&type=dataset&sort=name&per_page=1&start=1&show_entity_ids=true`)
    expect(at(found, 'data')).toMatchObject({ total_count: 2, start: 1, count_in_response: 1 })
    expect(at(found, 'data', 'items', 0)).toMatchObject({ global_id: `${PID}2`, name: 'Beta', entity_id: 11 })
    const below = await ask(`${dv.url}/api/search?q=*&type=dataset&subtree=sub`)
    expect(at(below, 'data', 'items', 0, 'global_id')).toBe(PID)
    const files = await ask(`${dv.url}/api/search?q=*&type=file`)
    expect(at(files, 'data', 'items', 0)).toMatchObject({
      file_id: '1',
      dataset_persistent_id: PID,
      canDownloadFile: false,
    })
  })

  it('a sweep by entityId finds each released dataset once, whatever its collection, and no draft or harvested one', async () => {
    const made = world()
    made.dataset(`${PID}4`, { id: 13, harvested: true, files: [] })
    made.dataset(`${PID}5`, { id: 14, linkedTo: ['sub'], files: [] })
    const dv = await start({ world: made, tokens: { t: { user: '@jane', curates: 'all' } } })
    const sweep = async (after: number, more = ''): Promise<unknown> => {
      const range = encodeURIComponent(`entityId:{${after} TO *]`)
      const fixed = 'q=*&type=dataset&show_entity_ids=true&fq=publicationStatus:Published&fq=isHarvested:false'
      const answer = await ask(`${dv.url}/api/search?${fixed}&fq=${range}&sort=entityId&order=asc&per_page=2${more}`)
      const items = at(answer, 'data', 'items')
      return Array.isArray(items) ? items.map((item: { entity_id: number }) => item.entity_id) : answer.status
    }
    expect(await sweep(0)).toEqual([10, 11])
    expect(await sweep(11)).toEqual([14])
    expect(await sweep(14)).toEqual([])
    expect(await sweep(0, '&key=t')).toEqual([10, 11])
    expect(await sweep(0, '&subtree=sub')).toEqual([10, 14])
    expect(await sweep(0, '&subtree=root')).toEqual([10, 11])
    expect(await sweep(0, '&subtree=root&subtree=sub')).toEqual([10, 14])
    expect(await sweep(0, '&subtree=nowhere')).toBe(400)
    const drafts = await ask(`${dv.url}/api/search?q=*&type=dataset&fq=publicationStatus:Draft&key=t`)
    expect(at(drafts, 'data', 'items', 0, 'global_id')).toBe(`${PID}3`)
  })

  it('a query that the index refuses is 400, as is an overloaded index', async () => {
    const dv = await start({ world: world() })
    for (const bad of ['fq=nonsense:1', 'fq=(((', 'sort=nonsense', 'order=up', 'type=thing', 'per_page=-1'])
      expect((await ask(`${dv.url}/api/search?q=*&${bad}`)).status).toBe(400)
    const refused = await ask(`${dv.url}/api/search?q=*&sort=nonsense`)
    expect(at(refused, 'message')).toMatch(/^Search Syntax Error: .*can not sort on undefined field: nonsense$/)
  })

  it('search needs q, at most 1000 a page, and a token where the installation says so', async () => {
    const dv = await start({ world: world() })
    expect((await ask(`${dv.url}/api/search`)).status).toBe(400)
    expect((await ask(`${dv.url}/api/search?q=*&per_page=1001`)).status).toBe(400)
    dv.set({ searchNeedsToken: true })
    expect((await ask(`${dv.url}/api/search?q=*`)).status).toBe(401)
  })
})

describe('facts and limits', () => {
  it('tell version, ZIP limit since 6.1, and whose token it is', async () => {
    const dv = await start({ world: worldOf(), tokens: { t: { user: '@jane' } } })
    expect(at(await ask(`${dv.url}/api/info/version`), 'data')).toEqual({ version: '6.11', build: null })
    expect(at(await ask(`${dv.url}/api/info/zipDownloadLimit`), 'data')).toBe(104_857_600)
    expect(at(await ask(`${dv.url}/api/users/:me?key=t`), 'data', 'identifier')).toBe('@jane')
    const guest = await ask(`${dv.url}/api/users/:me`)
    expect([guest.status, at(guest, 'message')]).toEqual([400, 'User with token null not found.'])
    const older = await start({ world: worldOf(), profile: '5.12' })
    expect((await ask(`${older.url}/api/info/zipDownloadLimit`)).status).toBe(404)
  })

  it('the limiter is one bucket for all guests, one for each user, in whole minutes, without Retry-After', async () => {
    let now = 1_800_000_000_000
    const dv = await start({
      world: worldOf({ id: 1, label: 'a' }),
      tokens: { t: { user: '@jane' }, root: { user: '@root', superuser: true } },
      limiter: { guestPerHour: 2, userPerHour: 60 },
      clock: () => now,
    })
    const url = `${dv.url}/api/datasets/10`
    const statuses = [await ask(url), await ask(url), await ask(url)].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 429])
    const refused = await ask(url)
    expect(refused.statusText).toBe('CUSTOM')
    expect(JSON.parse(refused.text)).toEqual({
      status: 'ERROR',
      message: 'GetDatasetCommand failed: Rate limited due to too many requests.',
    })
    expect(refused.headers).not.toHaveProperty('retry-after')
    expect((await ask(`${url}?key=t`)).status).toBe(200)
    expect((await ask(`${url}?key=root`)).status).toBe(200)
    expect((await ask(`${dv.url}/api/access/datafile/1`)).status).toBe(200)
    now += 29 * 60_000
    expect((await ask(url)).status).toBe(429)
    now += 60_000
    expect((await ask(url)).status).toBe(200)
  })

  it('a blocked route is 503 with a lower-case status, and text results come in two styles', async () => {
    const dv = await start({ world: worldOf(), blocked: ['search'] })
    const blocked = await ask(`${dv.url}/api/search?q=*`)
    expect([blocked.status, blocked.text]).toEqual([
      503,
      '{"status":"error","message":"Endpoint blocked. Access denied."}',
    ])
    const nested = await ask(`${dv.url}/api/files/fixityAlgorithm`)
    expect(JSON.parse(nested.text)).toEqual({ status: 'OK', data: { message: 'MD5' } })
    dv.set({ topLevelMessages: true })
    expect(JSON.parse((await ask(`${dv.url}/api/files/fixityAlgorithm`)).text)).toEqual({
      status: 'OK',
      message: 'MD5',
    })
  })

  it('a folder index links files in the path form', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', directory: 'x/y', content: 'hi' }) })
    const index = await ask(`${dv.url}/api/datasets/10/dirindex?folder=x/y`)
    const link = /href="([^"]+)"/.exec(index.text)?.[1] ?? ''
    expect(link).toBe('/api/access/datafile/x/y/1')
    expect((await ask(dv.url + link)).text).toBe('hi')
  })
})
