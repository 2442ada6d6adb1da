import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { fromBuffer } from 'yauzl'
import type { Entry, ZipFile } from 'yauzl'
import type { Answer } from './ask.ts'
import { ask, at } from './ask.ts'
import { World } from './dataverse/world.ts'
import { PID, standIns, TABLE, worldOf } from './worlds.ts'

const start = standIns()
const TEXT = { 'Content-Type': 'text/plain' }

/** Entry names in order, with the sizes that the archive states; rejects when it is not whole. */
async function entries(answer: Answer): Promise<Record<string, number>> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(answer.body, { lazyEntries: true, decodeStrings: true, validateEntrySizes: true }, (error, opened) =>
      error ? reject(error) : resolve(opened),
    )
  })
  const found: Record<string, number> = {}
  zip.on('entry', (entry: Entry) => {
    found[entry.fileName] = entry.uncompressedSize
    zip.readEntry()
  })
  zip.readEntry()
  await once(zip, 'end')
  return found
}

/** The text of one entry. */
async function textOf(answer: Answer, name: string): Promise<string> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(answer.body, { lazyEntries: true }, (error, opened) => (error ? reject(error) : resolve(opened)))
  })
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      if (entry.fileName !== name) {
        zip.readEntry()
        return
      }
      zip.openReadStream(entry, (error, stream) => {
        if (error) reject(error)
        else void stream.toArray().then((chunks) => resolve(Buffer.concat(chunks).toString()))
      })
    })
    zip.on('end', () => reject(new Error(`no ${name}`)))
    zip.readEntry()
  })
}

describe('an archive of several files', () => {
  it('holds folders, files and, last, the manifest with CRLF lines', async () => {
    const dv = await start({
      world: worldOf({ id: 1, label: 'a.txt', content: 'hello', contentType: 'text/plain', directory: 'x/y' }, TABLE),
    })
    const answer = await ask(`${dv.url}/api/access/datafiles/1, 50,`.replace(' ', '%20'))
    expect(answer.headers['content-disposition']).toBe('attachment; filename="doi-10.5072-fk2-test.zip"')
    expect(Object.keys(await entries(answer))).toEqual(['x/y/', 'x/y/a.txt', 'table.tab', 'MANIFEST.TXT'])
    expect(await textOf(answer, 'MANIFEST.TXT')).toBe(
      'x/y/a.txt (text/plain) 5 bytes.\r\ntable.tab (text/tab-separated-values) 8 bytes.\r\n',
    )
    expect(await textOf(answer, 'table.tab')).toBe('a\tb\n1\t2\n')
  })

  it('gives originals under their names on request', async () => {
    const dv = await start({ world: worldOf(TABLE) })
    const answer = await ask(`${dv.url}/api/access/datafiles/50?format=original`)
    expect(await textOf(answer, 'table.csv')).toBe('a,b\r\n1,2\r\n')
  })

  it('leaves out what the caller may not have, and only the manifest tells', async () => {
    const dv = await start({
      world: worldOf(
        { id: 1, label: 'open', content: 'x' },
        { id: 2, label: 'r.txt', directory: 'deep', restricted: true },
        { id: 3, label: 'e', embargo: { dateAvailable: '2999-01-01' }, restricted: true },
        { id: 4, label: 'o', retention: { dateUnavailable: '2001-01-01' } },
      ),
    })
    const answer = await ask(`${dv.url}/api/access/datafiles/1,2,3,4`)
    expect(answer.status).toBe(200)
    expect(Object.keys(await entries(answer))).toEqual(['open', 'MANIFEST.TXT'])
    expect((await textOf(answer, 'MANIFEST.TXT')).split('\r\n').slice(1)).toEqual([
      'r.txt IS RESTRICTED AND CANNOT BE DOWNLOADED',
      'e IS EMBARGOED AND CANNOT BE DOWNLOADED',
      'o IS RETENTIONEXPIRED AND CANNOT BE DOWNLOADED',
      '',
    ])
    expect((await ask(`${dv.url}/api/access/datafiles/2,3`)).status).toBe(403)
  })

  it('posted as text/plain in three spellings is all or nothing since 6.10, and skips like GET before', async () => {
    const files = [
      { id: 1, label: 'a' },
      { id: 2, label: 'r', restricted: true },
    ]
    const dv = await start({ world: worldOf(...files) })
    const url = `${dv.url}/api/access/datafiles`
    for (const body of ['1', 'fileIds=1', '{"fileIds":[1]}'])
      expect((await ask(url, { method: 'POST', headers: TEXT, body })).status).toBe(200)
    expect((await ask(url, { method: 'POST', headers: TEXT, body: '1,2' })).status).toBe(403)
    expect(
      (await ask(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '1' })).status,
    ).toBe(415)
    expect((await ask(url, { method: 'POST', headers: TEXT, body: '' })).status).toBe(500)
    expect((await ask(url, { method: 'POST', headers: TEXT, body: ',' })).status).toBe(500)
    const older = await start({ world: worldOf(...files), profile: '6.9' })
    const skipped = await ask(`${older.url}/api/access/datafiles`, { method: 'POST', headers: TEXT, body: '1,2' })
    expect(Object.keys(await entries(skipped))).toEqual(['a', 'MANIFEST.TXT'])
  })

  it('stays strictly under the limit, and a later smaller file may still fit', async () => {
    const dv = await start({
      world: worldOf(
        ...[40, 60, 50].map((size, seed) => ({ id: seed + 1, label: `f${size}`, content: { size, seed } })),
      ),
      zipLimit: 100,
    })
    expect(at(await ask(`${dv.url}/api/info/zipDownloadLimit`), 'data')).toBe(100)
    const answer = await ask(`${dv.url}/api/access/datafiles/1,2,3`)
    expect(Object.keys(await entries(answer))).toEqual(['f40', 'f50', 'MANIFEST.TXT'])
    expect(await textOf(answer, 'MANIFEST.TXT')).toContain(
      'f60 (application/octet-stream)  skipped because the total size of the download bundle exceeded the limit of 100 bytes.\r\n',
    )
  })

  it('comes in hash order without duplicates since 6.10, in request order with renamed duplicates before', async () => {
    const files = [1, 16, 17].map((id) => ({ id, label: `f${id}.x` }))
    const names = async (profile: '6.9' | '6.10'): Promise<string[]> => {
      const dv = await start({ world: worldOf(...files), profile })
      return Object.keys(await entries(await ask(`${dv.url}/api/access/datafiles/17,1,16,17`)))
    }
    expect(await names('6.10')).toEqual(['f16.x', 'f17.x', 'f1.x', 'MANIFEST.TXT'])
    expect(await names('6.9')).toEqual(['f17.x', 'f1.x', 'f16.x', 'f17_1.x', 'MANIFEST.TXT'])
  })

  it('names entries after the draft even when an old version is asked for', async () => {
    const world = new World()
    const versions = [
      { files: [{ id: 1, label: 'old' }] },
      { state: 'DRAFT', files: [{ id: 1, label: 'new' }] },
    ] as const
    world.dataset(PID, { id: 10, versions })
    const dv = await start({ world })
    const answer = await ask(`${dv.url}/api/access/dataset/10/versions/1.0`)
    expect(Object.keys(await entries(answer))).toEqual(['new', 'MANIFEST.TXT'])
  })

  it('has a manifest of another name when that one is taken', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'MANIFEST.TXT' }) })
    expect(Object.keys(await entries(await ask(`${dv.url}/api/access/datafiles/1`)))).toEqual([
      'MANIFEST.TXT',
      '0MANIFEST.TXT',
    ])
  })

  it('ignores Range, and has a length only while it is small', async () => {
    const dv = await start({
      world: worldOf({ id: 1, label: 's' }, { id: 2, label: 'b', content: { size: 50_000, seed: 1 } }),
    })
    const small = await ask(`${dv.url}/api/access/datafiles/1`, { headers: { Range: 'bytes=5-' } })
    expect([small.status, small.headers['content-length']]).toEqual([200, String(small.body.length)])
    const big = await ask(`${dv.url}/api/access/datafiles/2`)
    expect(big.headers).not.toHaveProperty('content-length')
    expect(await entries(big)).toMatchObject({ b: 50_000 })
  })

  it('with a lost object is a 500 early, and later a message that ends cleanly without a central directory', async () => {
    const lost = { id: 2, label: 'lost', content: 'x', store: 'missing' as const }
    const dv = await start({ world: worldOf({ id: 1, label: 'b', content: { size: 50_000, seed: 1 } }, lost) })
    expect((await ask(`${dv.url}/api/access/datafiles/2`)).status).toBe(500)
    const cut = await ask(`${dv.url}/api/access/datafiles/1,2`)
    expect([cut.status, cut.complete]).toEqual([200, true])
    expect(cut.body.length).toBeGreaterThan(40_000)
    await expect(entries(cut)).rejects.toThrow('End of central directory')
  })

  it('can be cut at any byte and still look complete', async () => {
    const dv = await start({
      world: worldOf({ id: 1, label: 'b', content: { size: 50_000, seed: 1 } }),
      zipCutAfterBytes: 20_000,
    })
    const cut = await ask(`${dv.url}/api/access/datafiles/1`)
    expect([cut.status, cut.complete, cut.body.length]).toEqual([200, true, 20_000])
  })

  it('is refused for unknown ids and mixed datasets since 6.10, while 6.9 skips and mixes', async () => {
    const world = (): World => {
      const made = worldOf({ id: 1, label: 'a' })
      made.dataset(`${PID}2`, { files: [{ id: 2, label: 'b' }] })
      return made
    }
    const dv = await start({ world: world() })
    expect((await ask(`${dv.url}/api/access/datafiles/1,99`)).status).toBe(404)
    expect(at(await ask(`${dv.url}/api/access/datafiles/1,2`), 'message')).toBe(
      'All files being downloaded must be from the same Dataset.',
    )
    const older = await start({ world: world(), profile: '6.9' })
    expect(Object.keys(await entries(await ask(`${older.url}/api/access/datafiles/1,2,99,x`)))).toEqual([
      'a',
      'b',
      'MANIFEST.TXT',
    ])
    const oldest = await start({ world: world(), profile: '5.9' })
    const named = await ask(`${oldest.url}/api/access/datafiles/1`)
    expect(named.headers['content-disposition']).toBe('attachment; filename="dataverse_files.zip"')
  })

  it('is aborted by a draft up to 6.9: 404 when it comes first, cut when later', async () => {
    const world = new World()
    const big = { id: 1, label: 'big', content: { size: 50_000, seed: 1 } }
    world.dataset(PID, { versions: [{ files: [big] }, { state: 'DRAFT', files: [big, { id: 2, label: 'draft' }] }] })
    const dv = await start({ world, profile: '6.9' })
    expect((await ask(`${dv.url}/api/access/datafiles/2,1`)).status).toBe(404)
    await expect(entries(await ask(`${dv.url}/api/access/datafiles/1,2`))).rejects.toThrow()
    const newer = await start({ world })
    expect(await textOf(await ask(`${newer.url}/api/access/datafiles/1,2`), 'MANIFEST.TXT')).toContain(
      'draft IS NOTAUTHORIZED AND',
    )
  })

  it('counts each file once, and twice when posted; never with gbrecs=true', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a' }, { id: 2, label: 'b' }) })
    const url = `${dv.url}/api/access/datafiles`
    await ask(`${url}/1,2`)
    await ask(`${url}/1,2?gbrecs=true`)
    await ask(url, { method: 'POST', headers: TEXT, body: '2' })
    expect([dv.records.file(1).counted, dv.records.file(2).counted]).toEqual([1, 3])
  })

  it('answers 406 to a client that accepts no ZIP', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a' }) })
    expect((await ask(`${dv.url}/api/access/datafiles/1`, { headers: { Accept: 'application/json' } })).status).toBe(
      406,
    )
  })

  it('may come from an external service: a single-use 303, originals only, no manifest, losses unsaid', async () => {
    let now = 1_800_000_000_000
    const lost = { id: 2, label: 'lost', store: 'missing' as const }
    const dv = await start({ world: worldOf(TABLE, lost), externalZip: true, clock: () => now })
    const next = async (): Promise<string> => (await ask(`${dv.url}/api/access/datafiles/2,50`)).headers.location ?? ''
    const url = await next()
    expect(url).toMatch(/\/cgi-bin\/zipdownload\?\w{16}$/)
    expect(Object.keys(await entries(await ask(url)))).toEqual(['table.csv'])
    expect((await ask(url)).status).toBe(404)
    const late = await next()
    now += 301_000
    expect((await ask(late)).headers['content-type']).toBe('text/html')
  })
})

describe('an archive of a dataset', () => {
  it('is the released version for guests and the draft for who may see it', async () => {
    const world = new World()
    const versions = [{ files: [{ id: 1, label: 'a' }] }, { state: 'DRAFT', files: [{ id: 2, label: 'b' }] }] as const
    world.dataset(PID, { id: 10, versions })
    const dv = await start({ world, tokens: { cur: { user: '@cur', curates: 'all' } } })
    const path = `${dv.url}/api/access/dataset/:persistentId?persistentId=${PID}`
    const guest = await ask(path)
    expect(guest.headers['content-disposition']).toBe('attachment; filename="doi-10.5072-fk2-test_1.0.zip"')
    const curator = await ask(`${path}&key=cur`)
    expect(curator.headers['content-disposition']).toBe('attachment; filename="doi-10.5072-fk2-test_draft.zip"')
    expect(Object.keys(await entries(curator))).toEqual(['b', 'MANIFEST.TXT'])
  })

  it.each([
    ['99', 404, 'Dataset with ID 99 not found.'],
    [
      ':persistentId?persistentId=doi:10.5072/NO',
      404,
      'When accessing a dataset based on Persistent ID, a persistentId query parameter must be present.',
    ],
    [':persistentId?persistentId=nonsense', 400, 'Invalid persistent identifier nonsense'],
    ['10/versions/9.0', 400, 'Could not find requested dataset version.'],
    ['10/versions/abc', 400, "Illegal version identifier 'abc'"],
    ['10/versions/:draft', 401, 'User :guest is not permitted to perform requested action.'],
    ['11', 400, 'Could not find requested dataset.'],
    ['11/versions/1.0', 401, 'User :guest is not permitted to perform requested action.'],
    ['12', 400, 'Could not find requested dataset.'],
    ['13', 403, undefined],
  ])('%s is %i', async (path, status, message) => {
    const world = worldOf({ id: 1, label: 'a' })
    world.dataset(`${PID}2`, { id: 11, versions: [{ state: 'DRAFT', files: [{ id: 20, label: 'd' }] }] })
    world.dataset(`${PID}3`, {
      id: 12,
      versions: [{ number: '1.0', state: 'DEACCESSIONED', files: [{ id: 30, label: 'g' }] }],
    })
    world.dataset(`${PID}4`, { id: 13, files: [{ id: 40, label: 'r', restricted: true }] })
    const dv = await start({ world })
    const answer = await ask(`${dv.url}/api/access/dataset/${path}`)
    expect(answer.status).toBe(status)
    if (message !== undefined) expect(at(answer, 'message')).toBe(message)
  })
})
