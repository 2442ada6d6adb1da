import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ask, at } from './ask.ts'
import { World } from './dataverse/world.ts'
import { PID, standIns, TABLE, worldOf } from './worlds.ts'

const start = standIns()
const md5 = (data: string | Buffer): string => createHash('md5').update(data).digest('hex')
const file = (path: string | number): string => `/api/access/datafile/${path}`

describe('a single file', () => {
  it('comes whole, with its name percent-encoded in both headers, and without validators or Accept-Ranges', async () => {
    const dv = await start({
      world: worldOf({ id: 1, label: 'my file ü.txt', content: 'hello', contentType: 'text/plain' }),
    })
    const answer = await ask(dv.url + file(1))
    expect(answer.status).toBe(200)
    expect(answer.text).toBe('hello')
    expect(answer.headers['content-length']).toBe('5')
    expect(answer.headers['content-disposition']).toBe('attachment; filename="my%20file%20%C3%BC.txt"')
    expect(answer.headers['content-type']).toBe('text/plain; name="my%20file%20%C3%BC.txt";charset=UTF-8')
    for (const absent of ['etag', 'last-modified', 'accept-ranges']) expect(answer.headers).not.toHaveProperty(absent)
  })

  it('is found by number, by PID, by a made-up folder path, and under /api/v1', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: 'x', pid: 'doi:10.5072/FK2/TEST/F' }) })
    const paths = ['1', '1/', 'some/folder/1', ':persistentId?persistentId=doi:10.5072/FK2/TEST/F']
    for (const path of paths) expect((await ask(dv.url + file(path))).text).toBe('x')
    expect((await ask(`${dv.url}/api/v1/access/datafile/1`)).text).toBe('x')
  })

  it('that is unknown answers like an unknown route, and echoes the query with its token', async () => {
    const dv = await start({ world: worldOf(), tokens: { secret: { user: '@jane' } } })
    const unknown = await ask(`${dv.url}${file(99)}?key=secret`)
    const route = await ask(`${dv.url}/api/nothing`)
    expect([unknown.status, route.status]).toEqual([404, 404])
    expect(at(unknown, 'message')).toBe(at(route, 'message'))
    expect(at(unknown, 'requestUrl')).toBe(`${dv.url}/api/v1/access/datafile/99?key=secret`)
    expect(at(unknown, 'code')).toBe(404)
  })

  it('is refused with 401 to a bad token even when it is public, whether by header or by query', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a' }), tokens: { good: { user: '@jane' } } })
    const byHeader = await ask(dv.url + file(1), { headers: { 'X-Dataverse-key': 'bad' } })
    expect(JSON.parse(byHeader.text)).toEqual({ status: 'ERROR', message: 'Bad API key' })
    expect((await ask(`${dv.url}${file(1)}?key=bad`)).status).toBe(401)
    expect((await ask(`${dv.url}${file(1)}?key=bad`, { headers: { 'X-Dataverse-key': 'good' } })).status).toBe(200)
    expect((await ask(dv.url + file(1), { headers: { Authorization: 'Bearer x' } })).status).toBe(200)
  })

  it('answers HEAD like GET without a body, and counts it', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: 'hello' }) })
    const answer = await ask(dv.url + file(1), { method: 'HEAD' })
    expect([answer.status, answer.headers['content-length'], answer.body.length]).toEqual([200, '5', 0])
    expect(dv.records.file(1).counted).toBe(1)
  })

  it('whose object is gone from the disk is 404 with a text of its own', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: 'x', store: 'missing' }) })
    const answer = await ask(dv.url + file(1))
    expect(at(answer, 'message')).toBe('Datafile 1: Failed to locate and/or open physical file.')
  })

  it('of a harvested dataset is 404', async () => {
    const world = new World()
    world.dataset(PID, { harvested: true, files: [{ id: 7, label: 'a' }] })
    const dv = await start({ world })
    expect(at(await ask(dv.url + file(7)), 'message')).toContain('harvested file')
  })

  it('of 5 GB is had at any offset without being made', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'big', content: { size: 5_000_000_000, seed: 4 } }) })
    const far = await ask(dv.url + file(1), { headers: { Range: 'bytes=4999999000-' } })
    const near = await ask(dv.url + file(1), { headers: { Range: 'bytes=4999999500-4999999599' } })
    expect(far.body.length).toBe(1000)
    expect(near.body.equals(far.body.subarray(500, 600))).toBe(true)
  })

  it('that is generated has the same bytes whole as in parts, and the checksum of its listing', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: { size: 700_001, seed: 4 } }) })
    const whole = await ask(dv.url + file(1))
    const parts = [[0, 9], [10, 262_143], [262_144, 700_000]] // prettier-ignore
    const read = await Promise.all(
      parts.map(([from, to]) => ask(dv.url + file(1), { headers: { Range: `bytes=${from}-${to}` } })),
    )
    expect(Buffer.concat(read.map(({ body }) => body)).equals(whole.body)).toBe(true)
    const listing = await ask(`${dv.url}/api/datasets/10/versions/:latest/files`)
    expect(at(listing, 'data', 0, 'dataFile', 'md5')).toBe(md5(whole.body))
  })
})

describe('access', () => {
  const later = { dateAvailable: '2999-01-01' }
  const over = { dateUnavailable: '2001-01-01' }

  it('is 403 for restricted, embargoed and retention-expired files, the last for superusers too', async () => {
    const dv = await start({
      world: worldOf(
        { id: 1, label: 'r', restricted: true },
        { id: 2, label: 'e', embargo: later },
        { id: 3, label: 'x', retention: over },
      ),
      tokens: { root: { user: '@root', superuser: true }, jane: { user: '@jane', grants: [1] } },
    })
    const statuses = async (key?: string): Promise<number[]> => {
      const headers = key === undefined ? {} : { 'X-Dataverse-key': key }
      const answers = await Promise.all([1, 2, 3].map((id) => ask(dv.url + file(id), { headers })))
      return answers.map(({ status }) => status)
    }
    expect(await statuses()).toEqual([403, 403, 403])
    expect(await statuses('jane')).toEqual([200, 403, 403])
    expect(await statuses('root')).toEqual([200, 200, 403])
  })

  it('follows the clock: an embargo ends on its day', async () => {
    let now = Date.parse('2026-12-31T23:00:00Z')
    const dv = await start({
      world: worldOf({ id: 1, label: 'e', embargo: { dateAvailable: '2027-01-01' } }),
      clock: () => now,
    })
    expect((await ask(dv.url + file(1))).status).toBe(403)
    now = Date.parse('2027-01-01T01:00:00Z')
    expect((await ask(dv.url + file(1))).status).toBe(200)
  })

  it('to drafts and deaccessioned files needs rights on the dataset; a file of an older release stays public', async () => {
    const world = new World()
    const [old, draft, gone] = [
      { id: 1, label: 'old' },
      { id: 2, label: 'draft' },
      { id: 3, label: 'gone' },
    ]
    world.dataset(PID, {
      id: 10,
      versions: [
        { number: '1.0', files: [old] },
        { number: '1.1', state: 'DEACCESSIONED', files: [gone] },
        { number: '2.0', files: [] },
        { state: 'DRAFT', files: [draft] },
      ],
    })
    const dv = await start({ world, tokens: { cur: { user: '@cur', curates: [PID] } } })
    const headers = { 'X-Dataverse-key': 'cur' }
    expect((await ask(dv.url + file(1))).status).toBe(200)
    for (const id of [2, 3]) {
      expect((await ask(dv.url + file(id))).status).toBe(403)
      expect((await ask(dv.url + file(id), { headers })).status).toBe(200)
    }
    const metadata = await Promise.all([1, 2, 3].map((id) => ask(`${dv.url}/api/files/${id}`)))
    expect(metadata.map(({ status }) => status)).toEqual([200, 401, 404])
    expect(dv.records.file(2).counted).toBe(0)
  })

  it('fails in a fixed order: 401, then 404, then 403, then 400, then 404 for the format', async () => {
    const world = new World()
    const guestbook = { id: 7, nameRequired: true }
    world.dataset(PID, {
      guestbook,
      files: [
        { id: 1, label: 'r', restricted: true },
        { id: 2, label: 'a' },
      ],
    })
    world.dataset(`${PID}2`, { files: [{ id: 3, label: 'a', store: 'missing' }] })
    const dv = await start({ world })
    const status = async (path: string): Promise<number> => (await ask(dv.url + file(path))).status
    expect(await status('99?key=bad')).toBe(401)
    expect(await status('99?format=tab')).toBe(404)
    expect(await status('1?format=tab')).toBe(403)
    expect(await status('2?format=tab')).toBe(400)
    expect(at(await ask(dv.url + file('3?format=tab')), 'message')).toContain('API endpoint does not exist')
  })
})

describe('a tabular file', () => {
  it('comes as header line and stored rows, with filesize excluding the header and the checksum of the original', async () => {
    const dv = await start({ world: worldOf(TABLE) })
    const answer = await ask(dv.url + file(50))
    expect(answer.text).toBe('a\tb\n1\t2\n')
    expect(answer.headers['content-length']).toBe('8')
    const listing = await ask(`${dv.url}/api/datasets/10/versions/1.0/files`)
    expect(at(listing, 'data', 0, 'dataFile')).toMatchObject({
      filesize: 4,
      originalFileSize: 10,
      originalFileName: 'table.csv',
      originalFileFormat: 'text/csv',
      tabularData: true,
      md5: md5('a,b\r\n1,2\r\n'),
    })
  })

  it('is had in every other form, the range spanning header and rows', async () => {
    const dv = await start({ world: worldOf(TABLE) })
    const text = async (query: string): Promise<string> => (await ask(dv.url + file(`50?${query}`))).text
    expect(await text('format=original')).toBe('a,b\r\n1,2\r\n')
    expect(await text('format=tab')).toBe('a\tb\n1\t2\n')
    expect(await text('noVarHeader=true')).toBe('1\t2\n')
    expect(await text('variables=v50001')).toBe('b\n2\n')
    expect(await text('variables=50001,7')).toBe('b\n2\n')
    expect(await text('variables=7,8')).toBe('a\tb\n1\t2\n')
    expect(await text('format=prep')).toContain('variables')
    expect((await ask(dv.url + file('50?format=RData'))).status).toBe(200)
    const range = await ask(dv.url + file(50), { headers: { Range: 'bytes=2-5' } })
    expect([range.text, range.headers['content-range']]).toEqual(['b\n1\t', 'bytes 2-5/8'])
  })

  it('stored with its header has its full size listed, and no headerless form: 503', async () => {
    const dv = await start({ world: worldOf({ ...TABLE, tabular: { ...TABLE.tabular, storedWithHeader: true } }) })
    expect((await ask(dv.url + file(50))).text).toBe('a\tb\n1\t2\n')
    expect(at(await ask(`${dv.url}/api/files/50`), 'data', 'dataFile', 'filesize')).toBe(8)
    expect((await ask(dv.url + file('50?noVarHeader=true'))).status).toBe(503)
  })

  it('of an old installation has the MD5 of its headerless rows', async () => {
    const dv = await start({ world: worldOf({ ...TABLE, tabular: { ...TABLE.tabular, legacyChecksum: true } }) })
    expect(at(await ask(`${dv.url}/api/files/50`), 'data', 'dataFile', 'checksum', 'value')).toBe(md5('1\t2\n'))
  })

  it('differs from others, for which format=original is ignored and the other forms are 404', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: 'x' }) })
    expect((await ask(dv.url + file('1?format=original'))).text).toBe('x')
    for (const query of [
      'format=tab',
      'format=RData',
      'format=prep',
      'noVarHeader=true',
      'variables=1',
      'imageThumb=true',
      'format=originalXYZ',
    ])
      expect((await ask(dv.url + file(`1?${query}`))).status, query).toBe(404)
  })

  it('refuses unknown values of its own parameters with 404', async () => {
    const dv = await start({ world: worldOf(TABLE), rserve: false })
    for (const query of ['format=subset', 'noVarHeader=yes', 'format=RData', 'format=GlobusTransfer'])
      expect((await ask(dv.url + file(`50?${query}`))).status, query).toBe(404)
  })

  it('has a bundle of all its forms; of other files the bundle breaks off behind the file, or is a 500', async () => {
    const large = { id: 2, label: 'b.bin', content: { size: 70_000, seed: 1 } }
    const dv = await start({ world: worldOf(TABLE, { id: 1, label: 'a.bin' }, large) })
    const bundle = await ask(dv.url + file('bundle/50'), { headers: { Range: 'bytes=5-' } })
    expect(bundle.status).toBe(200)
    expect(bundle.headers['content-disposition']).toBe('attachment; filename="table-bundle.zip"')
    for (const name of ['table.tab', 'table.csv', 'table.RData', 'table-ddi.xml', 'tablecitation-ris.ris'])
      expect(bundle.body.includes(name), name).toBe(true)
    expect((await ask(dv.url + file('bundle/1'))).status).toBe(500)
    const cut = await ask(dv.url + file('bundle/2'))
    expect([cut.status, cut.body.length > 70_000, cut.body.includes('PK\x05\x06')]).toEqual([200, true, false])
  })

  it('has DDI metadata; other files and missing rights are 400 there', async () => {
    const dv = await start({ world: worldOf(TABLE, { id: 1, label: 'a' }, { ...TABLE, id: 51, restricted: true }) })
    expect((await ask(dv.url + file('50/metadata/ddi'))).text).toContain('<var ID="v50000" name="a"/>')
    expect((await ask(dv.url + file('1/metadata'))).status).toBe(400)
    expect((await ask(dv.url + file('51/metadata'))).status).toBe(400)
  })
})

describe('ranges', () => {
  const ranged = async (range: string, profile: '5.9' | '6.11' = '6.11', content = '0123456789') => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content }), profile })
    return ask(dv.url + file(1), { headers: { Range: range } })
  }

  it.each([
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=8-99', '89', 'bytes 8-9/10'],
  ])('%s gives 206 with its place', async (range, text, place) => {
    const answer = await ranged(range)
    expect([answer.status, answer.text]).toEqual([206, text])
    expect(answer.headers).toMatchObject({
      'content-range': place,
      'accept-ranges': 'bytes',
      'content-length': String(text.length),
    })
  })

  it.each([
    ['bytes=10-', 'Start is larger than end or size of file.'],
    ['bytes=5-4', 'Start is larger than end or size of file.'],
    ['bytes=-', 'Start is larger than end or size of file.'],
    ['bytes=0-1,3-4', 'Only one range is allowed.'],
    ['bytes= 0-1', 'The format is bytes=<range-start>-<range-end> where start and end are optional.'],
    ['lines=0-1', 'The format is bytes=<range-start>-<range-end> where start and end are optional.'],
  ])('%s gives 416 as JSON, without Content-Range', async (range, message) => {
    const answer = await ranged(range)
    expect(answer.status).toBe(416)
    expect(answer.headers).not.toHaveProperty('content-range')
    expect(JSON.parse(answer.text)).toEqual({
      status: 'ERROR',
      code: 416,
      message: `Error due to Range header: ${message}`,
    })
  })

  it('of an empty file is 404, while the file itself is 200 with length 0', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a' }) })
    expect((await ask(dv.url + file(1), { headers: { Range: 'bytes=0-' } })).status).toBe(404)
    const whole = await ask(dv.url + file(1))
    expect([whole.status, whole.headers['content-length']]).toEqual([200, '0'])
  })

  it('with a suffix longer than the file break the server', async () => {
    const answer = await ranged('bytes=-11')
    expect([answer.status, at(answer, 'internalError')]).toEqual([500, 'IOException'])
  })

  it('are answered by 5.9 with the part, but as a 200 without Content-Range', async () => {
    const answer = await ranged('bytes=2-4', '5.9')
    expect([answer.status, answer.text]).toEqual([200, '234'])
    expect(answer.headers).not.toHaveProperty('content-range')
  })
})

describe('the download counter', () => {
  it('counts a file that is streamed behind its last byte, and one that broke off not at all', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: { size: 20_000_000, seed: 1 } }) })
    expect((await ask(dv.url + file(1), { stopAfter: 1000 })).complete).toBe(false)
    dv.fault({ file: 1, steps: [{ kind: 'cut', after: 19_999_999 }] })
    expect((await ask(dv.url + file(1))).complete).toBe(false)
    expect(dv.records.file(1)).toMatchObject({ requests: 2, counted: 0 })
    await ask(dv.url + file(1))
    expect(dv.records.file(1)).toMatchObject({ requests: 3, counted: 1 })
  })

  it('counts a file in an object store with the redirect, whether anybody follows it or not', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: 'hello', store: 's3-redirect' }) })
    await ask(dv.url + file(1))
    await ask(`${dv.url}${file(1)}?gbrecs=true`)
    expect(dv.records.file(1).counted).toBe(1)
  })

  it('tells the number as text', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: 'hello' }) })
    await ask(dv.url + file(1))
    expect(at(await ask(`${dv.url}/api/files/1/downloadCount`), 'data')).toEqual({ message: '1' })
  })

  it('counts every GET and range, and nothing with gbrecs=true', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', content: 'hello' }) })
    await ask(dv.url + file(1))
    await ask(dv.url + file(1), { headers: { Range: 'bytes=1-' } })
    await ask(`${dv.url}${file(1)}?gbrecs=true`)
    await ask(dv.url + file(1), { headers: { Range: 'bytes=99-' } })
    expect(dv.records.file(1)).toMatchObject({ requests: 4, counted: 2 })
  })

  it('leaves out thumbnails and format=prep', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a.png', contentType: 'image/png', content: 'x' }, TABLE) })
    expect((await ask(dv.url + file('1?imageThumb=true'))).headers['content-type']).toContain('image/png')
    await ask(dv.url + file('50?format=prep'))
    expect([dv.records.file(1).counted, dv.records.file(50).counted]).toEqual([0, 0])
  })
})

describe('auxiliary files and citations', () => {
  const auxiliary = [
    { tag: 'dpJson', version: 'v1', content: '{"a":1}', contentType: 'application/json', type: 'DP', isPublic: true },
    { tag: 'secret', version: 'v1', content: 's', contentType: 'text/plain' },
  ]

  it('list only what may be seen, come whole whatever the range, and have no checksum', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a', auxiliary }, { id: 2, label: 'b' }) })
    const list = await ask(dv.url + file('1/auxiliary'))
    expect(at(list, 'data')).toEqual([
      {
        formatTag: 'dpJson',
        formatVersion: 'v1',
        fileSize: 7,
        contentType: 'application/json',
        isPublic: true,
        type: 'DP',
      },
    ])
    const one = await ask(dv.url + file('1/auxiliary/dpJson/v1'), { headers: { Range: 'bytes=2-' } })
    expect([one.status, one.text]).toEqual([200, '{"a":1}'])
    expect((await ask(dv.url + file('1/auxiliary/secret/v1'))).status).toBe(403)
    expect((await ask(dv.url + file('1/auxiliary/none/v1'))).status).toBe(404)
    expect((await ask(dv.url + file('2/auxiliary'))).status).toBe(404)
  })

  it('cite a file since 6.11', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a' }) })
    expect((await ask(dv.url + file('1/citation/BibTeX'))).text).toContain(PID)
    expect((await ask(dv.url + file('1/citation/Other'))).status).toBe(400)
    const older = await start({ world: worldOf({ id: 1, label: 'a' }), profile: '6.10' })
    expect((await ask(older.url + file('1/citation/BibTeX'))).status).toBe(404)
  })
})
