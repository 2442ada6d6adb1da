import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DataAccessApi, type DataAccessOptions } from '../../src/dataverse/data-access-api.ts'
import { bytesOf, scriptedServer, sendFile, sendJson } from './scripted-server.ts'
import { BOOKED, BYTES, DATASET, PROFILES, TABLE, withStandIn } from './stand-in.ts'

const TAB = 'a\tb\n1\t"x"\n2\t"y"\n'
const RESPONSE = { name: 'A', email: 'a@example.org', answers: [{ id: 31, value: 'Teaching' }] }

async function withApi<T>(options: DataAccessOptions, work: (api: DataAccessApi) => Promise<T>): Promise<T> {
  await using api = new DataAccessApi({ retries: 0, ...options })
  return await work(api)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'dataferry-client-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe.each(PROFILES)('DataAccessApi on %s', (profile) => {
  const strict = profile === '6.11'

  it('columns are those that were asked for, or none: the server would send the whole table', async () => {
    await withStandIn({ profile }, (server) =>
      withApi({ baseUrl: server.url }, async (api) => {
        const [own, foreign] = [11_000, 4711]
        expect((await api.getDatafile(11, { variables: [own] })).bytes.toString()).toBe('a\n1\n2\n')
        for (const variables of [[foreign], [own, `v${foreign}`]]) {
          const message = expect.stringMatching(/^File 11 has no variable v?4711\. It has 11000/) as string
          const refused = { code: 'ARGUMENT_INVALID', message }
          await expect(api.getDatafile(11, { variables })).rejects.toMatchObject(refused)
          await expect(api.getDatafileDownloadUrl(11, { variables })).rejects.toMatchObject(refused)
        }
        await expect(api.getDatafile(10, { variables: [own] })).rejects.toMatchObject({ code: 'SOURCE_REJECTED' })
      }),
    )
  })

  it('getDatafile gives the bytes with name, type and size, by id and by PID, never parsed', async () => {
    await withStandIn({ profile }, (server) =>
      withApi({ baseUrl: server.url }, async (api) => {
        for (const id of [10, '10', `${DATASET}/PLAIN`]) {
          const file = await api.getDatafile(id)
          expect(file).toMatchObject({ name: 'hello.txt', size: BYTES.length })
          expect(file.contentType).toContain('text/plain')
          expect(text(file.bytes)).toBe(BYTES.toString())
        }
        expect(text((await api.getDatafile(18)).bytes)).toBe('{"not":"parsed"}')
        expect((await api.getDatafile(13)).name).toBe('stored.bin')
      }),
    )
  })

  it('gives every form that the server has', async () => {
    await withStandIn({ profile }, (server) =>
      withApi({ baseUrl: server.url }, async (api) => {
        expect(text((await api.getDatafile(11, { format: 'original' })).bytes)).toBe(TABLE.original)
        expect(text((await api.getDatafile(11, { format: 'tab' })).bytes)).toBe(TAB)
        expect(text((await api.getDatafile(11, { format: 'tabular' })).bytes)).toBe(TAB)
        expect(text((await api.getDatafile(11, { noVarHeader: true })).bytes)).toBe(TABLE.tab)
        expect((await api.getDatafile(11, { format: 'prep' })).size).toBeGreaterThan(0)
        await expect(api.getDatafile(10, { format: 'tab' })).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        await expect(api.getDatafile(10, { imageThumb: true })).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
      }),
    )
  })

  it('a range gives just those bytes, and a failed status is never data', async () => {
    await withStandIn({ profile }, (server) =>
      withApi({ baseUrl: server.url }, async (api) => {
        for (const [range, expected] of [
          [{ start: 0, end: 4 }, BYTES.subarray(0, 5)],
          [{ start: 7 }, BYTES.subarray(7)],
          [{ start: 7, end: 10_000 }, BYTES.subarray(7)],
          [{ start: 3, end: 3 }, BYTES.subarray(3, 4)],
        ] as const) {
          await using file = await api.streamDatafile(10, { range })
          expect(await bytesOf(file)).toEqual(expected)
        }
        await expect(api.streamDatafile(10, { range: { start: 5000 } })).rejects.toMatchObject({
          code: 'SOURCE_REJECTED',
        })
        await expect(api.streamDatafile(10, { range: { start: 5, end: 2 } })).rejects.toMatchObject({
          code: 'ARGUMENT_INVALID',
        })
        await expect(api.streamDatafile(99)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        await expect(api.getDatafile(12)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
        if (strict) await expect(api.getDatafiles([12])).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
      }),
    )
  })

  it('access can be asked for, seen, granted, used, revoked and rejected', async () => {
    await withStandIn({ profile, topLevelMessages: strict }, (server) =>
      withApi({ baseUrl: server.url, apiToken: 'jane' }, (jane) =>
        withApi({ baseUrl: server.url, apiToken: 'admin' }, async (admin) => {
          expect(await admin.listFileAccessRequests(12)).toEqual([])
          expect(await jane.userFileAccessRequested(12)).toBe(false)
          expect((await jane.requestAccess(12)).message).toContain('requested')
          await expect(jane.requestAccess(12)).rejects.toMatchObject({ code: 'SOURCE_REJECTED', status: 400 })
          expect(await jane.userFileAccessRequested(12)).toBe(true)
          expect(await admin.listFileAccessRequests(12)).toMatchObject([
            { identifier: '@jane', requestState: 'created' },
          ])
          await expect(jane.listFileAccessRequests(12)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
          expect((await admin.grantFileAccess(12, '@jane')).message).toContain('granted')
          expect(text((await jane.getDatafile(12)).bytes)).toBe('secret')
          expect((await admin.revokeFileAccess(12, '@jane')).message).toContain('revoked')
          await expect(jane.getDatafile(12)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
          await expect(jane.revokeFileAccess(12, '@jane')).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
          await jane.requestAccess(12)
          expect((await admin.rejectFileAccess(12, '@jane')).message).toContain('rejected')
          expect((await admin.allowAccessRequest(1, false)).message).toContain('no longer')
          expect((await admin.allowAccessRequest(DATASET)).message).toContain('will now')
          await expect(jane.listFileAccessRequests(99)).rejects.toMatchObject({ code: 'SOURCE_REJECTED' })
        }),
      ),
    )
  })

  it('an unknown token is refused for public files too, and a guest is told that a token is wanted', async () => {
    await withStandIn({ profile }, async (server) => {
      await withApi({ baseUrl: server.url, apiToken: 'nobody' }, async (api) => {
        for (const call of [
          () => api.getDatafile(10),
          () => api.getDatafiles([10]),
          () => api.getDataset(1),
          () => api.getDatafileBundle(11),
        ]) {
          await expect(call()).rejects.toMatchObject({ code: 'TOKEN_REJECTED', status: 401 })
        }
      })
      await withApi({ baseUrl: server.url }, async (api) => {
        await expect(api.listFileAccessRequests(10)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
        await expect(api.userFileAccessRequested(10)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
      })
    })
  })

  it('metadata, auxiliary files and citations', async () => {
    await withStandIn({ profile }, (server) =>
      withApi({ baseUrl: server.url, apiToken: 'jane' }, async (api) => {
        expect(await api.getDatafileMetadata(11)).toContain('<')
        await expect(api.getDatafileMetadata(10)).rejects.toMatchObject({ code: 'SOURCE_REJECTED', status: 400 })
        expect(await api.getAuxiliaryFiles(`${DATASET}/PLAIN`)).toMatchObject([{ formatTag: 'dpJson', fileSize: 7 }])
        expect(await api.getAuxiliaryFiles(11)).toEqual([])
        await expect(api.getAuxiliaryFiles(99)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        await using auxiliary = await api.streamAuxiliaryFile(10, 'dpJson', 'v1')
        expect((await bytesOf(auxiliary)).toString()).toBe('{"a":1}')
        const citation = api.getDatafileCitation(10, 'BibTeX')
        if (strict) expect(await citation).toContain('@data')
        else await expect(citation).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        const permissions = api.userPermissions(10)
        if (profile.startsWith('5')) await expect(permissions).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        else expect(await permissions).toMatchObject({ canDownloadFile: true, canManageFilePermissions: false })
      }),
    )
  })

  it('a guestbook is answered when it must be, and only then', async () => {
    await withStandIn({ profile }, (server) =>
      withApi({ baseUrl: server.url }, async (api) => {
        expect(text((await api.getDatafile(10, { guestbookResponse: RESPONSE })).bytes)).toBe(BYTES.toString())
        const calls = [
          () => api.getDatafile(31, { guestbookResponse: RESPONSE }),
          () => api.getDatafiles([31], { guestbookResponse: RESPONSE }),
          () => api.getDataset(BOOKED, { guestbookResponse: RESPONSE }),
          () => api.getDataset(BOOKED, { version: '1.0', guestbookResponse: RESPONSE }),
        ]
        for (const call of calls) expect((await call()).size).toBeGreaterThan(0)
        await using part = await api.streamDatafile(31, { guestbookResponse: RESPONSE, range: { start: 7 } })
        expect(await bytesOf(part)).toEqual(BYTES.subarray(7))
        if (!strict) return
        for (const call of [
          () => api.getDatafile(31),
          () => api.getDatafileDownloadUrl(31),
          () => api.getDataset(BOOKED),
        ]) {
          await expect(call()).rejects.toMatchObject({
            code: 'SOURCE_GUESTBOOK',
            status: 400,
            message: expect.stringMatching(/name, email, answer 31 "What for\?": Teaching \| Research/) as string,
          })
        }
        await expect(api.getDatafile(31, { guestbookResponse: { name: 'A' } })).rejects.toMatchObject({
          code: 'SOURCE_GUESTBOOK',
          message: expect.stringContaining('Email') as string,
        })
        const url = await api.getDatafileDownloadUrl(31, { guestbookResponse: RESPONSE })
        expect(url).toContain('token=')
      }),
    )
  })
})

describe('DataAccessApi', () => {
  it('the download URL is where the server redirects to, or its own with the options, and the count stays honest', async () => {
    await withStandIn({}, (server) =>
      withApi({ baseUrl: server.url, apiToken: 'jane' }, async (api) => {
        const stored = await api.getDatafileDownloadUrl(13)
        expect(stored.startsWith(server.storageUrl)).toBe(true)
        expect(server.records.file(13).counted).toBe(1)
        expect((await api.getDatafileDownloadUrl(13, { countDownload: false })).startsWith(server.storageUrl)).toBe(
          true,
        )
        expect(server.records.file(13).counted).toBe(1)
        expect(await api.getDatafileDownloadUrl(11, { format: 'original' })).toBe(
          `${server.url}/api/access/datafile/11?format=original`,
        )
        expect(await api.getDatafileDownloadUrl(16, { countDownload: false })).toBe(
          `${server.url}/api/access/datafile/16?gbrecs=true`,
        )
        expect(server.records.file(16).counted).toBe(0)
        await expect(api.getDatafileDownloadUrl(99)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        await expect(api.getDatafileDownloadUrl(12)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
        expect(server.requests.filter(({ origin }) => origin === 'storage')).toEqual([])
      }),
    )
  })

  it('a file is saved under its name only when it is whole', async () => {
    await withStandIn({}, (server) =>
      withApi({ baseUrl: server.url }, async (api) =>
        withFolder(async (folder) => {
          const path = join(folder, 'big.bin')
          server.fault({ file: 16, steps: [{ kind: 'cut', after: 1_500_000 }] })
          await using broken = await api.streamDatafile(16)
          await expect(broken.saveTo(path)).rejects.toMatchObject({ code: 'SHORT_BODY' })
          expect(await readdir(folder)).toEqual([])
          await using whole = await api.streamDatafile(16)
          expect(whole).toMatchObject({ size: 3_000_000, totalSize: 3_000_000 })
          expect(await whole.saveTo(path)).toBe(3_000_000)
          expect((await readFile(path)).equals(Buffer.from((await api.getDatafile(16)).bytes))).toBe(true)
          expect(await readdir(folder)).toEqual(['big.bin'])
          await expect(whole.saveTo(path)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
          await using nowhere = await api.streamDatafile(10)
          await expect(nowhere.saveTo(join(folder, 'no', 'such', 'folder'))).rejects.toMatchObject({
            code: 'SINK_FAILED',
          })
        }),
      ),
    )
  })

  it('a stream can be read as a Readable, and leaving it closes the connection', async () => {
    await withStandIn({ bytesPerSecond: 1_000_000 }, (server) =>
      withApi({ baseUrl: server.url, connections: 1 }, async (api) => {
        await using file = await api.streamDatafile(10)
        expect(await bytesOf(file.readable())).toEqual(BYTES)
        const left = await api.streamDatafile(16)
        left.readable().destroy()
        const unread = await api.streamDatafile(16)
        await unread[Symbol.asyncDispose]()
        // With one connection this would wait for ever if one of the two still held it.
        expect((await api.getDatafile(10)).size).toBe(BYTES.length)
      }),
    )
  })

  it('files too large for memory are refused politely, with and without a stated length', async () => {
    await withStandIn({}, (server) =>
      withApi({ baseUrl: server.url }, async (api) => {
        await expect(api.getDatafile(16, { maxBytes: 1000 })).rejects.toThrow(/3000000 bytes.*streamDatafile.*maxBytes/)
        server.set({ stripContentLength: true })
        await expect(api.getDatafile(16, { maxBytes: 1000 })).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
        expect((await api.getDatafile(16, { maxBytes: 3_000_000 })).size).toBe(3_000_000)
      }),
    )
  })

  it('a server that ignores ranges still gives just the bytes asked for', async () => {
    await using server = await scriptedServer((_, response) => sendFile(response, BYTES))
    await withApi({ baseUrl: server.url }, async (api) => {
      await using file = await api.streamDatafile(1, { range: { start: 7, end: 15 } })
      expect(file).toMatchObject({ size: 9, totalSize: BYTES.length })
      expect((await bytesOf(file)).toString()).toBe('Dataverse')
      await expect(api.streamDatafile(1, { range: { start: 500 } })).rejects.toMatchObject({ code: 'SOURCE_REJECTED' })
    })
  })

  it('users are named as the server names them', async () => {
    await using server = await scriptedServer((_, response) =>
      sendJson(response, 200, { status: 'OK', data: { message: 'done' } }),
    )
    await withApi({ baseUrl: server.url }, async (api) => {
      await expect(api.grantFileAccess(1, 'jane@example.org')).rejects.toThrow('e-mail')
      await expect(api.grantFileAccess(1, '17')).rejects.toThrow('numbers')
      await expect(api.grantFileAccess(1, 'jane')).rejects.toThrow('@name')
      expect(await api.grantFileAccess('doi:10.5072/A/B', '@jane')).toEqual({ message: 'done' })
      await api.revokeFileAccess(1, '&explicit/1-staff')
      await api.allowAccessRequest('doi:10.5072/A', false)
      await api.requestAccess(1, { guestbookResponse: RESPONSE })
      await api.requestAccess(1)
    })
    expect(server.seen).toMatchObject([
      { method: 'PUT', url: '/api/access/datafile/:persistentId/grantAccess/@jane?persistentId=doi:10.5072/A/B' },
      { method: 'DELETE', url: '/api/access/datafile/1/revokeAccess/&explicit%2F1-staff' },
      { method: 'PUT', url: '/api/access/:persistentId/allowAccessRequest?persistentId=doi:10.5072/A', body: 'false' },
      {
        method: 'PUT',
        url: '/api/access/datafile/1/requestAccess',
        body: JSON.stringify({ guestbookResponse: RESPONSE }),
      },
      { method: 'PUT', url: '/api/access/datafile/1/requestAccess', body: '' },
    ])
  })

  it('what changes something is sent once, what reads is tried again', async () => {
    await using server = await scriptedServer((_, response, count) => {
      if (count === 2) sendFile(response, 'bytes')
      else sendJson(response, 502, { status: 'ERROR', message: 'bad gateway' })
    })
    await withApi({ baseUrl: server.url, retries: 2 }, async (api) => {
      expect(text((await api.getDatafile(1)).bytes)).toBe('bytes')
      await expect(api.requestAccess(1)).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
    })
    expect(server.seen.length).toBe(3)
  })

  it('the guestbook’s signed URL is opened byte for byte, without the token', async () => {
    const path =
      "/api/access/datafile/1?gbrecs=true&gbrids=9&until=2026-07-22T10:11:12.345&user=o'neil&method=GET&token=ab"
    await using server = await scriptedServer((request, response) => {
      if (request.url === path) sendFile(response, 'bytes')
      else if (request.method === 'POST')
        sendJson(response, 200, { status: 'OK', data: { signedUrl: `${server.url}${path}` } })
      else
        sendJson(response, 400, {
          status: 'ERROR',
          message: 'without the required Guestbook response for guestbookID 7.',
        })
    })
    await withApi({ baseUrl: server.url, apiToken: 'sesame' }, async (api) => {
      expect(text((await api.getDatafile(1, { guestbookResponse: RESPONSE })).bytes)).toBe('bytes')
    })
    expect(server.seen.map(({ method, headers }) => [method, headers['x-dataverse-key']])).toEqual([
      ['GET', 'sesame'],
      ['POST', 'sesame'],
      ['GET', undefined],
    ])
    expect(server.seen[1]?.body).toBe(JSON.stringify({ guestbookResponse: RESPONSE }))
  })

  it('a call can be called off', async () => {
    const reason = new Error('enough')
    await using server = await scriptedServer(() => undefined)
    await withApi({ baseUrl: server.url, retries: 5 }, async (api) => {
      const controller = new AbortController()
      const asking = api.getDatafile(1, { signal: controller.signal })
      controller.abort(reason)
      await expect(asking).rejects.toBe(reason)
      await expect(api.userPermissions(1, { signal: controller.signal })).rejects.toBe(reason)
    })
  })
})
