import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import type { Ref } from '../../src/model/item.ts'
import { isAfterCounting, type OpenOptions } from '../../src/model/source.ts'
import { bytesOf, scriptedServer, sendFile, sendJson } from './scripted-server.ts'
import { BYTES, DATASET, PROFILES, TABLE, withStandIn } from './stand-in.ts'

const { signal } = new AbortController()
const COUNTED: OpenOptions = { signal, count: true }
const AGAIN: OpenOptions = { signal, count: false }
const TAB = 'a\tb\n1\t"x"\n2\t"y"\n'

function file(id: number | string, format: 'original' | 'archival' = 'archival'): Ref {
  return { kind: 'file', file: id, format }
}

async function withApi<T>(baseUrl: string, work: (api: DataAccessApi) => Promise<T>, apiToken?: string): Promise<T> {
  await using api = new DataAccessApi({ baseUrl, apiToken })
  return await work(api)
}

describe.each(PROFILES)('open on %s', (profile) => {
  it('gives a file whole, with its size', async () => {
    await withStandIn({ profile }, (server) =>
      withApi(server.url, async (api) => {
        for (const id of [10, `${DATASET}/PLAIN`, 13]) {
          const opened = await api.open(file(id), 0, COUNTED)
          expect(opened).toMatchObject({ from: 0, size: BYTES.length, counted: id === 13 })
          expect(await bytesOf(opened.body)).toEqual(BYTES)
        }
        expect((await bytesOf((await api.open(file(14), 0, COUNTED)).body)).length).toBe(0)
        expect(server.records.file(10).counted).toBe(2)
        expect(server.records.leaks).toBe(0)
      }),
    )
  })

  it('tells of a store that fails that its link was counted', async () => {
    let stored: (response: ServerResponse) => void = (response) => response.destroy()
    await using store = await scriptedServer((_, response) => stored(response))
    await using server = await scriptedServer((_, response) => {
      response.writeHead(303, { location: `${store.url}/x` }).end()
    })
    await withApi(server.url, async (api) => {
      const failed = () => api.open(file(10), 0, COUNTED).catch(isAfterCounting)
      expect(await failed()).toBe(true)
      stored = (response) => response.writeHead(503).end()
      expect(await failed()).toBe(true)
    })
    await withApi(store.url, async (api) => {
      expect(await api.open(file(10), 0, COUNTED).catch(isAfterCounting)).toBe(false)
    })
  })

  it('goes on from a byte, and the continuation is not counted', async () => {
    await withStandIn({ profile }, (server) =>
      withApi(server.url, async (api) => {
        for (const expectedSize of [undefined, BYTES.length]) {
          for (const id of [10, 13]) {
            const opened = await api.open(file(id), 7, { ...AGAIN, ...(expectedSize ? { expectedSize } : {}) })
            expect(opened).toMatchObject({ from: 7, size: BYTES.length })
            expect(await bytesOf(opened.body)).toEqual(BYTES.subarray(7))
          }
        }
        expect(server.records.file(10).counted).toBe(0)
      }),
    )
  })

  it('gives each form of a tabular file', async () => {
    await withStandIn({ profile }, (server) =>
      withApi(server.url, async (api) => {
        const text = async (ref: Ref, options = COUNTED): Promise<string> =>
          (await bytesOf((await api.open(ref, 0, options)).body)).toString()
        expect(await text(file(11, 'original'))).toBe(TABLE.original)
        expect(await text(file(11))).toBe(TAB)
        expect(await text(file(11, 'original'), { ...COUNTED, headerless: true })).toBe(TABLE.tab)
        expect(await text(file(10, 'original'))).toBe(BYTES.toString())
      }),
    )
  })

  it('tells refusals apart', async () => {
    await withStandIn({ profile }, async (server) => {
      await withApi(server.url, async (api) => {
        await expect(api.open(file(12), 0, COUNTED)).rejects.toMatchObject({ code: 'SOURCE_DENIED', status: 403 })
        await expect(api.open(file(99), 0, COUNTED)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        await expect(api.open(file(17), 0, COUNTED)).rejects.toMatchObject({
          code: 'SOURCE_BYTES_MISSING',
          remedy: 'retry',
        })
        await expect(api.open(file(10), BYTES.length, AGAIN)).rejects.toMatchObject({
          code: 'SOURCE_CHANGED',
          status: 416,
        })
      })
      await withApi(
        server.url,
        async (api) => {
          await expect(api.open(file(10), 0, COUNTED)).rejects.toMatchObject({ code: 'TOKEN_REJECTED', status: 401 })
        },
        'no-such-token',
      )
      await withApi(
        server.url,
        async (api) => {
          expect((await bytesOf((await api.open(file(12), 0, COUNTED)).body)).toString()).toBe('secret')
        },
        'granted',
      )
    })
  })

  it('takes archives, whatever byte is asked for', async () => {
    await withStandIn({ profile }, (server) =>
      withApi(server.url, async (api) => {
        const refs: Ref[] = [
          { kind: 'zip', files: [10, 11], format: 'original' },
          { kind: 'dataset-zip', dataset: DATASET, version: '1.0', format: 'original' },
          { kind: 'all-forms', file: 11 },
        ]
        for (const ref of refs) {
          const opened = await api.open(ref, 5, AGAIN)
          expect(opened.from).toBe(0)
          expect((await bytesOf(opened.body)).subarray(0, 2).toString()).toBe('PK')
        }
      }),
    )
  })
})

describe('open', () => {
  it('an HTML data file is a file, a page in its place is not', async () => {
    await withStandIn({}, (server) =>
      withApi(server.url, async (api) => {
        expect((await bytesOf((await api.open(file(15), 0, COUNTED)).body)).toString()).toContain('data')
        server.fault({ file: 10, steps: [{ kind: 'status', status: 200, body: 'html' }] })
        await expect(api.open(file(10), 0, COUNTED)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
      }),
    )
  })

  it('a bare HTML answer is taken for the file only when HTML is expected', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html;charset=UTF-8' }).end('<html>')
    })
    await withApi(server.url, async (api) => {
      await expect(api.open(file(1), 0, COUNTED)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
      await expect(api.open(file(1), 0, { ...COUNTED, expectedContentType: 'text/csv' })).rejects.toMatchObject({
        code: 'SOURCE_UNEXPECTED',
      })
      const opened = await api.open(file(1), 0, { ...COUNTED, expectedContentType: 'text/html' })
      expect((await bytesOf(opened.body)).toString()).toBe('<html>')
    })
  })

  it('an expired storage link is asked for again, and is no denial', async () => {
    await withStandIn({}, (server) =>
      withApi(
        server.url,
        async (api) => {
          for (const status of [400, 403]) {
            server.fault({ origin: 'storage', steps: [{ kind: 'status', status, body: 'html' }] })
            await expect(api.open(file(13), 0, COUNTED)).rejects.toMatchObject({
              code: 'SOURCE_FAILED',
              remedy: 'retry',
            })
          }
        },
        'jane',
      ),
    )
  })

  it('a server that deploys knows every file again in a minute', async () => {
    await withStandIn({ deploying: true }, (server) =>
      withApi(server.url, async (api) => {
        await expect(api.open(file(10), 0, COUNTED)).rejects.toMatchObject({ code: 'SOURCE_FAILED', remedy: 'retry' })
        server.set({ deploying: false })
        expect(await bytesOf((await api.open(file(10), 0, COUNTED)).body)).toEqual(BYTES)
      }),
    )
  })

  it('a wrong Content-Range is never trusted', async () => {
    await withStandIn({}, (server) =>
      withApi(server.url, async (api) => {
        server.fault({ file: 10, steps: [{ kind: 'wrong-range', shift: 3 }] })
        await expect(api.open(file(10), 7, AGAIN)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
      }),
    )
  })

  it.each([
    ['missing', {}],
    ['beyond what was asked', { 'content-range': 'bytes 8-53/54' }],
    ['of another length', { 'content-range': 'bytes 7-20/54' }],
  ])('a 206 whose Content-Range is %s is refused', async (_, headers) => {
    await using server = await scriptedServer((__, response) => {
      response.writeHead(206, { 'content-length': '47', ...headers }).end(BYTES.subarray(7))
    })
    await withApi(server.url, async (api) => {
      await expect(api.open(file(1), 7, AGAIN)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    })
  })

  it('a 206 that begins earlier than asked says so', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(206, { 'content-range': `bytes 4-${BYTES.length - 1}/${BYTES.length}`, etag: '"v1"' })
      response.end(BYTES.subarray(4))
    })
    await withApi(server.url, async (api) => {
      const opened = await api.open(file(1), 7, AGAIN)
      expect(opened).toMatchObject({ from: 4, size: BYTES.length, etag: '"v1"' })
      expect(await bytesOf(opened.body)).toEqual(BYTES.subarray(4))
    })
  })

  describe('a 200 to a range', () => {
    /** As 5.8 and older (ignores ranges) or 5.9–5.11 (honours them without saying so); with or without a length. */
    function oldServer(silent: boolean, withLength: boolean): ReturnType<typeof scriptedServer> {
      return scriptedServer(({ headers }, response) => {
        const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
        const bytes = silent ? BYTES.subarray(Number(from), to === '' ? undefined : Number(to) + 1) : BYTES
        if (withLength) sendFile(response, bytes)
        else response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(bytes)
      })
    }

    it.each([
      [true, true, { from: 7, size: BYTES.length }],
      [true, false, { from: 7, size: undefined }],
      [false, true, { from: 0, size: BYTES.length }],
      [false, false, { from: 0, size: undefined }],
    ])('is placed right (silently honoured: %s, with a length: %s)', async (silent, withLength, extent) => {
      await using server = await oldServer(silent, withLength)
      await withApi(server.url, async (api) => {
        const opened = await api.open(file(1), 7, AGAIN)
        expect(opened).toMatchObject(extent)
        expect(await bytesOf(opened.body)).toEqual(BYTES.subarray(extent.from))
      })
      expect(server.seen.map(({ headers }) => headers.range)).toEqual(['bytes=7-', 'bytes=0-0'])
      expect(server.seen[1]?.url).toContain('gbrecs=true')
    })

    it('with the length of the whole is the whole, without another question', async () => {
      await using server = await oldServer(false, true)
      await withApi(server.url, async (api) => {
        const opened = await api.open(file(1), 7, { ...AGAIN, expectedSize: BYTES.length })
        expect(opened.from).toBe(0)
        expect(await bytesOf(opened.body)).toEqual(BYTES)
      })
      expect(server.seen.length).toBe(1)
    })

    it('is refused when the server then answers another way', async () => {
      await using server = await scriptedServer((_, response, count) => {
        if (count === 1) sendFile(response, BYTES)
        else response.writeHead(206, { 'content-range': `bytes 0-0/${BYTES.length}` }).end('H')
      })
      await withApi(server.url, async (api) => {
        await expect(api.open(file(1), 7, AGAIN)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
      })
    })
  })

  it('a compressed answer is refused', async () => {
    await using server = await scriptedServer((_, response) => sendFile(response, 'x', { 'content-encoding': 'gzip' }))
    await withApi(server.url, async (api) => {
      await expect(api.open(file(1), 0, COUNTED)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    })
  })

  it('never tries again by itself', async () => {
    await using server = await scriptedServer((_, response) =>
      sendJson(response, 429, { status: 'ERROR' }, { 'retry-after': '3' }),
    )
    await withApi(server.url, async (api) => {
      await expect(api.open(file(1), 0, COUNTED)).rejects.toMatchObject({
        code: 'SOURCE_THROTTLED',
        retryAfterMs: 3000,
      })
    })
    expect(server.seen.length).toBe(1)
  })

  it('long id lists go by POST as text', async () => {
    await using server = await scriptedServer((_, response) => sendFile(response, 'PK'))
    const files = Array.from({ length: 500 }, (_, index) => 100_000 + index)
    await withApi(server.url, async (api) => {
      await bytesOf((await api.open({ kind: 'zip', files, format: 'original' }, 0, AGAIN)).body)
    })
    expect(server.seen).toMatchObject([
      {
        method: 'POST',
        url: '/api/access/datafiles?format=original&gbrecs=true',
        body: `fileIds=${files.join(',')}`,
        headers: { 'content-type': 'text/plain' },
      },
    ])
  })

  it('no error holds the token, though the server repeats the request with it', async () => {
    await using server = await scriptedServer((request, response) => {
      const requestUrl = `http://dv.example.edu${request.url}?key=sesame-1&token=abc`
      sendJson(response, 403, { status: 'ERROR', code: 403, message: `${requestUrl} with sesame-1`, requestUrl })
    })
    await withApi(
      server.url,
      async (api) => {
        const error: unknown = await api.open(file(1), 0, COUNTED).catch((reason: unknown) => reason)
        expect(error).toMatchObject({ code: 'SOURCE_DENIED' })
        expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/sesame|key=|token=/)
      },
      'sesame-1',
    )
  })
})
