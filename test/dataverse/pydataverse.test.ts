import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { fromBuffer, type Entry, type ZipFile } from 'yauzl'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import { NativeApi } from '../../src/dataverse/native-api.ts'
import { World } from '../fakes/dataverse/world.ts'
import { bytesOf, scriptedServer, sendFile } from './scripted-server.ts'
import { BYTES, DATASET, PROFILES, TABLE, withStandIn } from './stand-in.ts'

/** pyDataverse's own acceptance cases, by their names; what each expects is what it expects there. */
async function namesIn(zip: Uint8Array): Promise<string[]> {
  const file = await new Promise<ZipFile>((resolve, reject) => {
    fromBuffer(Buffer.from(zip), { lazyEntries: true }, (error, opened) => (error ? reject(error) : resolve(opened)))
  })
  const names: string[] = []
  for await (const entry of file.eachEntry()) names.push((entry satisfies Entry).fileName)
  return names
}

const LONG = randomBytes(16_484)

function world(): World {
  const made = new World()
  made.dataset(DATASET, {
    id: 1,
    files: [
      { id: 10, label: 'f1.txt', content: BYTES, contentType: 'text/plain', directory: 'folder' },
      { id: 13, label: 'f2.txt', content: 'two', contentType: 'text/plain' },
      { id: 11, label: 'table.tab', tabular: TABLE, contentType: 'text/tab-separated-values' },
    ],
  })
  made.dataset('doi:10.5072/FK2/LONG', { id: 3, files: [{ id: 14, label: 'long.bin', content: LONG }] })
  made.dataset('doi:10.5072/FK2/SINGLE', { id: 2, files: [{ id: 20, label: 'only.txt', content: 'only' }] })
  return made
}

describe.each(PROFILES)('pyDataverse’s cases on %s', (profile) => {
  async function withApi(work: (api: DataAccessApi, url: string) => Promise<void>, apiToken?: string): Promise<void> {
    await withStandIn({ profile, world: world() }, async (server) => {
      await using api = new DataAccessApi({ baseUrl: server.url, apiToken, retries: 0 })
      await work(api, server.url)
    })
  }

  it('get by id', () => withApi(async (api) => expect(Buffer.from((await api.getDatafile(10)).bytes)).toEqual(BYTES)))

  it('download URL', () =>
    withApi(async (api) => {
      const answer = await fetch(await api.getDatafileDownloadUrl(10), { headers: { 'X-Dataverse-key': 'jane' } })
      expect(Buffer.from(await answer.arrayBuffer())).toEqual(BYTES)
    }, 'jane'))

  it('stream by id', () =>
    withApi(async (api) => {
      await using file = await api.streamDatafile(10)
      const chunks: Uint8Array[] = []
      for await (const chunk of file) chunks.push(chunk)
      expect(Buffer.concat(chunks)).toEqual(BYTES)
    }))

  it('stream with range 0–4', () =>
    withApi(async (api) => {
      await using file = await api.streamDatafile(10, { range: { start: 0, end: 4 } })
      expect((await bytesOf(file)).toString()).toBe('Hello')
    }))

  it('get several / stream several', () =>
    withApi(async (api) => {
      const expected = ['f2.txt', 'folder/', 'folder/f1.txt', 'MANIFEST.TXT']
      expect((await namesIn((await api.getDatafiles([10, 13])).bytes)).sort()).toEqual(expected.sort())
      await using stream = await api.streamDatafiles([10, 13])
      expect((await namesIn(await bytesOf(stream))).at(-1)).toBe('MANIFEST.TXT')
    }))

  it('bundle / stream bundle (CSV ingested)', () =>
    withApi(async (api) => {
      const expected = [
        'table.tab',
        'table.csv',
        'table-ddi.xml',
        'tablecitation-endnote.xml',
        'tablecitation-ris.ris',
        'tablecitation-bib.bib',
      ]
      expect(await namesIn((await api.getDatafileBundle(11)).bytes)).toEqual(expect.arrayContaining(expected))
      await using stream = await api.streamDatafilesBundle(11)
      expect(await namesIn(await bytesOf(stream))).toEqual(expect.arrayContaining(expected))
    }))

  it('request access to an own file', () =>
    withApi(async (api) => {
      await expect(api.requestAccess(10)).rejects.toMatchObject({
        status: 400,
        message: expect.stringContaining(
          'You may not request access to this file. It may already be available to you.',
        ) as string,
      })
    }, 'admin'))

  it('whole dataset get / stream', () =>
    withApi(async (api) => {
      expect(await namesIn((await api.getDataset(2)).bytes)).toEqual(['only.txt', 'MANIFEST.TXT'])
      await using stream = await api.streamDataset('doi:10.5072/FK2/SINGLE', { version: ':latest-published' })
      expect(await namesIn(await bytesOf(stream))).toEqual(['only.txt', 'MANIFEST.TXT'])
    }))

  it('dataset: open file, open tabular, list, tabular list', () =>
    withApi(async (api, baseUrl) => {
      const native = new NativeApi({ baseUrl })
      const { signal } = new AbortController()
      const listed = []
      for await (const file of native.files(DATASET, '1.0', signal)) if (!('mislisted' in file)) listed.push(file)
      await native.close()
      expect(listed.map(({ label }) => label).sort()).toEqual(['f1.txt', 'f2.txt', 'table.tab'])
      const tables = listed.filter(({ tabular }) => tabular)
      expect(tables.map(({ id }) => id)).toEqual([11])
      // A .csv reads back as a tab-separated .tab.
      expect(
        Buffer.from((await api.getDatafile(11)).bytes)
          .toString()
          .split('\n')[0],
      ).toBe('a\tb')
    }))

  it('file: id, content type, size, path, restricted', () =>
    withApi(async (_, baseUrl) => {
      const native = new NativeApi({ baseUrl })
      const file = await native.file(10, new AbortController().signal)
      await native.close()
      expect(file).toMatchObject({
        id: 10,
        contentType: 'text/plain',
        size: BYTES.length,
        directory: 'folder',
        label: 'f1.txt',
      })
      expect(file.withheld).toBeUndefined()
    }))
})

describe('pyDataverse’s cases', () => {
  it('dataset: open / stream tabular', async () => {
    await withStandIn({ world: world() }, async (server) => {
      await using api = new DataAccessApi({ baseUrl: server.url })
      await using table = await api.streamDatafile(11, { format: 'tab' })
      const rows: string[][] = []
      for await (const line of createInterface({ input: table.readable() })) rows.push(line.split('\t'))
      expect(rows).toEqual([
        ['a', 'b'],
        ['1', '"x"'],
        ['2', '"y"'],
      ])
    })
  })

  it('file: metadata, tabular schema, url, open, download', async () => {
    await withStandIn({ world: world() }, async (server) => {
      await using api = new DataAccessApi({ baseUrl: server.url })
      expect(await api.getDatafileMetadata(11)).toContain('<var ')
      expect(await api.getDatafileDownloadUrl(10)).toBe(`${server.url}/api/access/datafile/10`)
      await using opened = await api.streamDatafile(10)
      expect(await bytesOf(opened.readable())).toEqual(BYTES)
      const folder = await mkdtemp(join(tmpdir(), 'dataferry-file-'))
      try {
        // pyDataverse's own test has 20 bytes; of a file longer than a chunk it keeps the last chunk only.
        await using download = await api.streamDatafile(14)
        expect(await download.saveTo(join(folder, 'long.bin'))).toBe(LONG.length)
        expect((await readFile(join(folder, 'long.bin'))).equals(LONG)).toBe(true)
      } finally {
        await rm(folder, { recursive: true })
      }
    })
  })

  it('fs: read by path; size cap refused; missing path refused', async () => {
    await withStandIn({ world: world() }, async (server) => {
      await using api = new DataAccessApi({ baseUrl: server.url })
      const native = new NativeApi({ baseUrl: server.url })
      const { signal } = new AbortController()
      const ids = new Map<string, number>()
      for await (const file of native.files(DATASET, '1.0', signal)) {
        if (!('mislisted' in file)) ids.set([file.directory, file.label].filter(Boolean).join('/'), file.id)
      }
      await native.close()
      const byPath = (path: string, maxBytes?: number) => api.getDatafile(ids.get(path) ?? path, { maxBytes })
      expect(Buffer.from((await byPath('folder/f1.txt')).bytes)).toEqual(BYTES)
      await expect(byPath('f2.txt', 2)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
      await expect(byPath('folder/none.txt')).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
    })
  })

  it('auth: token header added; non-string refused; bearer header', async () => {
    await using server = await scriptedServer((_, response) => sendFile(response, ''))
    for (const auth of [{ apiToken: 'abc' }, { bearerToken: 'xyz' }]) {
      await using api = new DataAccessApi({ baseUrl: server.url, ...auth })
      await api.getDatafile(1)
    }
    expect(server.seen[0]?.headers['x-dataverse-key']).toBe('abc')
    expect(server.seen[1]?.headers.authorization).toBe('Bearer xyz')
    // Callers without types can hand in anything.
    const token = 42 as unknown as string
    expect(() => new DataAccessApi({ baseUrl: server.url, apiToken: token })).toThrow('apiToken must be text')
  })
})
