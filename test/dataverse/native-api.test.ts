import { describe, expect, it } from 'vitest'
import { NativeApi, type NativeApiOptions } from '../../src/dataverse/native-api.ts'
import type { ListedFile, MislistedFile } from '../../src/model/listing.ts'
import { World } from '../fakes/dataverse/world.ts'
import { scriptedServer, sendJson } from './scripted-server.ts'
import { BOOKED, BYTES, DATASET, PROFILES, withStandIn } from './stand-in.ts'

const { signal } = new AbortController()

async function withNative<T>(options: NativeApiOptions, work: (api: NativeApi) => Promise<T>): Promise<T> {
  const api = new NativeApi(options)
  try {
    return await work(api)
  } finally {
    await api.close()
  }
}

async function everything<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const value of values) list.push(value)
  return list
}

/** All files of a listing in which nothing is wrong. */
async function all(values: AsyncIterable<ListedFile | MislistedFile>): Promise<ListedFile[]> {
  const listed = await everything(values)
  return listed.map((file) => {
    if ('mislisted' in file) throw new Error(file.mislisted)
    return file
  })
}

describe('a server that deploys', () => {
  it('is asked again, and nothing that it does not find is taken for unknown', async () => {
    await withStandIn({ deploying: true }, (server) =>
      withNative({ baseUrl: server.url, retries: 0 }, async (api) => {
        const calls = [
          () => api.version(DATASET, ':latest', signal),
          () => api.file(10, signal),
          () => all(api.files(1, '1.0', signal)),
          () => api.zipDownloadLimit(signal),
          () => api.serverVersion(signal),
        ]
        for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'SOURCE_FAILED', remedy: 'retry' })
        server.set({ deploying: false })
        for (const call of calls) await call()
      }),
    )
  })
})

describe.each(PROFILES)('NativeApi on %s', (profile) => {
  it('pins a version and lists its files', async () => {
    await withStandIn({ profile }, (server) =>
      withNative({ baseUrl: server.url }, async (api) => {
        for (const dataset of [1, DATASET, `https://doi.org/${DATASET.slice(4)}`]) {
          expect(await api.version(dataset, ':latest', signal)).toMatchObject({ dataset: DATASET, version: '1.0' })
        }
        expect(await api.version(BOOKED, '1', signal)).toMatchObject({ version: '1.0', guestbookId: 7 })
        const files = new Map((await all(api.files(1, '1.0', signal))).map((file) => [file.id, file]))
        expect([...files.keys()].sort()).toEqual([10, 11, 12, 13, 14, 15, 16, 18])
        expect(files.get(10)).toMatchObject({
          pid: `${DATASET}/PLAIN`,
          label: 'hello.txt',
          directory: 'raw/2024',
          size: BYTES.length,
          tabular: false,
          checksum: { algorithm: 'md5' },
        })
        expect(files.get(11)).toMatchObject({
          tabular: true,
          original: { name: 'table.csv', size: 12, contentType: 'text/csv' },
        })
        expect(files.get(12)).toMatchObject({ withheld: 'restricted' })
        expect(files.get(12)).not.toHaveProperty('pid')
      }),
    )
  })

  it('finds one file, by id and by PID, with its version', async () => {
    await withStandIn({ profile }, (server) =>
      withNative({ baseUrl: server.url }, async (api) => {
        for (const file of [10, '10', `${DATASET}/PLAIN`]) {
          expect(await api.file(file, signal)).toMatchObject({ id: 10, in: { dataset: DATASET, version: '1.0' } })
        }
        await expect(api.file(99, signal)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        await expect(api.version(99, ':latest', signal)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
        await expect(api.version(DATASET, '9.0', signal)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
      }),
    )
  })

  it('lists every file of a large dataset exactly once, equal names included', async () => {
    const large = new World()
    const files = Array.from({ length: 2500 }, (_, index) => ({
      id: 1000 + index,
      label: `same-${index % 7}.txt`,
      directory: `folder-${index}`,
      content: 'x',
    }))
    large.dataset('doi:10.5072/FK2/LARGE', { id: 5, files })
    await withStandIn({ profile, world: large }, (server) =>
      withNative({ baseUrl: server.url }, async (api) => {
        const ids = (await all(api.files(5, '1.0', signal))).map(({ id }) => id)
        expect(ids.length).toBe(2500)
        expect(new Set(ids).size).toBe(2500)
      }),
    )
  })

  it('knows the server, and whose token it holds', async () => {
    await withStandIn({ profile }, async (server) => {
      await withNative({ baseUrl: server.url, apiToken: 'jane' }, async (api) => {
        expect(await api.serverVersion()).toBe(profile)
        const [major = 0, minor = 0] = profile.split('.').map(Number)
        expect(await api.tellsCase(signal)).toBe(major < 6 || minor < 5)
        expect(await api.zipDownloadLimit()).toBe(profile.startsWith('5') ? undefined : 104_857_600)
        expect(await api.tokenUser()).toMatchObject({ identifier: '@jane' })
      })
      await withNative({ baseUrl: server.url, apiToken: 'wrong' }, async (api) => {
        await expect(api.tokenUser()).rejects.toMatchObject({ code: 'TOKEN_REJECTED' })
      })
      await withNative({ baseUrl: server.url }, async (api) => {
        await expect(api.tokenUser()).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
      })
    })
  })
})

describe('what is not shown', () => {
  const [OLD, GONE, DRAFT] = [1, 2, 3].map((n) => `doi:10.5072/FK2/UNSEEN${n}`) as [string, string, string]

  function unseen(): World {
    const world = new World()
    const file = (id: number) => ({ id, label: `${id}.txt`, content: 'x' })
    const deaccession = { note: 'The consent was withdrawn.', link: 'https://example.org/new' }
    world.dataset(OLD, {
      id: 1,
      versions: [{ files: [file(10)] }, { state: 'DEACCESSIONED', deaccession, files: [file(10), file(11)] }],
    })
    world.dataset(GONE, { id: 2, versions: [{ state: 'DEACCESSIONED', deaccession, files: [file(20)] }] })
    world.dataset(DRAFT, { id: 3, versions: [{ state: 'DRAFT', files: [file(30)] }] })
    return world
  }

  const withdrawn = {
    code: 'SOURCE_DEACCESSIONED',
    message: expect.stringContaining(
      'was deaccessioned: The consent was withdrawn. See https://example.org/new',
    ) as string,
  }

  it.each<[string, (api: NativeApi) => Promise<unknown>, object]>([
    ['a deaccessioned dataset', (api) => api.version(GONE, ':latest', signal), withdrawn],
    ['a deaccessioned version', (api) => api.version(1, '2.0', signal), withdrawn],
    ['a version that is not there', (api) => api.version(OLD, '9.0', signal), { code: 'SOURCE_NOT_FOUND' }],
    [
      'an unpublished dataset',
      (api) => api.version(DRAFT, ':latest', signal),
      { code: 'SOURCE_DENIED', message: expect.stringContaining('is not published') as string },
    ],
    ['an unknown dataset', (api) => api.version(`${OLD}X`, ':latest', signal), { code: 'SOURCE_NOT_FOUND' }],
    ['a file of a deaccessioned version', (api) => api.file(11, signal), { code: 'SOURCE_DEACCESSIONED' }],
    [
      'an unpublished file',
      (api) => api.file(30, signal),
      { code: 'SOURCE_DENIED', message: expect.stringContaining('is not published') as string },
    ],
    ['an unknown file', (api) => api.file(99, signal), { code: 'SOURCE_NOT_FOUND' }],
  ])('is told apart: %s', async (_, ask, error) => {
    await withStandIn({ world: unseen() }, (server) =>
      withNative({ baseUrl: server.url }, async (api) => expect(ask(api)).rejects.toMatchObject(error)),
    )
  })

  it('is asked about no further where the server knows no such dataset', async () => {
    await withStandIn({ world: unseen() }, (server) =>
      withNative({ baseUrl: server.url }, async (api) => {
        await expect(api.version(`${OLD}X`, ':latest', signal)).rejects.toThrow()
        await expect(api.version(99, ':latest', signal)).rejects.toThrow()
        expect(server.requests).toHaveLength(2)
      }),
    )
  })

  it('is shown to those who may edit: a file of a deaccessioned version', async () => {
    await withStandIn({ world: unseen() }, (server) =>
      withNative({ baseUrl: server.url, apiToken: 'admin' }, async (api) =>
        expect(await api.file(11, signal)).toMatchObject({ id: 11, in: { version: '2.0' } }),
      ),
    )
  })
})

describe('NativeApi', () => {
  it('knows the token of a preview URL, which belongs to nobody', async () => {
    const tokens = { p: { user: '#1', curates: [DATASET], preview: true } }
    await withStandIn({ tokens }, (server) =>
      withNative({ baseUrl: server.url, apiToken: 'p' }, async (api) => expect(await api.tokenUser()).toBeUndefined()),
    )
  })

  it('unpublished things are denied to guests and shown to curators', async () => {
    const drafts = new World()
    const files = [{ id: 10, label: 'a.txt', content: 'a' }]
    drafts.dataset('doi:10.5072/FK2/DRAFT', { id: 5, versions: [{ state: 'DRAFT', files }] })
    await withStandIn({ world: drafts }, async (server) => {
      await withNative({ baseUrl: server.url }, async (api) => {
        await expect(api.version(5, ':draft', signal)).rejects.toMatchObject({ code: 'SOURCE_DENIED', status: 401 })
      })
      await withNative({ baseUrl: server.url, apiToken: 'admin' }, async (api) => {
        expect(await api.version(5, ':latest', signal)).toMatchObject({ version: ':draft' })
        expect((await all(api.files(5, ':draft', signal))).length).toBe(1)
      })
    })
  })

  it('tries again after errors that pass, and after being told to wait', async () => {
    const answers = [502, 429, 200]
    await using server = await scriptedServer((_, response, count) => {
      const status = answers[count - 1] ?? 200
      sendJson(response, status, { status: status === 200 ? 'OK' : 'ERROR', data: { version: '6.11' } })
    })
    await withNative({ baseUrl: server.url, throttleMs: 1 }, async (api) => {
      expect(await api.serverVersion()).toBe('6.11')
    })
    expect(server.seen.length).toBe(3)
  })

  it.each([[[]], [[{ status: 'OK', data: [] }]], ['OK'], [null]])('a listing that is %j is none', async (answer) => {
    await using server = await scriptedServer((_, response) => sendJson(response, 200, answer))
    await withNative({ baseUrl: server.url, retries: 0 }, async (api) => {
      await expect(all(api.files(5, '1.0', signal))).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    })
  })

  it('gives up when it was told not to try again, or is called off while it waits', async () => {
    await using server = await scriptedServer((_, response) => sendJson(response, 429, { status: 'ERROR' }))
    await withNative({ baseUrl: server.url, retries: 0 }, async (api) => {
      await expect(api.serverVersion()).rejects.toMatchObject({ code: 'SOURCE_THROTTLED' })
    })
    const reason = new Error('enough')
    const controller = new AbortController()
    await withNative({ baseUrl: server.url }, async (api) => {
      const asking = api.serverVersion(controller.signal)
      setTimeout(() => controller.abort(reason), 50)
      await expect(asking).rejects.toBe(reason)
    })
  })

  it('a listing that breaks off is fetched again, and no file comes twice', async () => {
    const elements = Array.from({ length: 300 }, (_, index) => ({ label: `f${index}`, dataFile: { id: index + 1 } }))
    const text = JSON.stringify({ status: 'OK', totalCount: 300, data: elements })
    await using server = await scriptedServer((_, response, count) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(text.length) })
      if (count > 1) response.end(text)
      else response.write(text.slice(0, text.length / 2), () => response.destroy())
    })
    await withNative({ baseUrl: server.url }, async (api) => {
      expect((await all(api.files(1, '1.0', signal))).map(({ id }) => id)).toEqual(
        elements.map((_, index) => index + 1),
      )
    })
    expect(server.seen.length).toBe(2)
  })

  it('a listing with fewer files than the server counts is no listing', async () => {
    await using server = await scriptedServer((_, response) => {
      sendJson(response, 200, { status: 'OK', totalCount: 2, data: [{ label: 'a', dataFile: { id: 1 } }] })
    })
    await withNative({ baseUrl: server.url, retries: 0 }, async (api) => {
      await expect(all(api.files(1, '1.0', signal))).rejects.toMatchObject({ code: 'SOURCE_MISLISTED' })
    })
  })

  it('a listing with more files than the server counts is no listing, however long it goes on', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"status":"OK","totalCount":3,"data":[{"dataFile":{"id":1}}')
      let id = 1
      const more = (): void => {
        while (!response.destroyed && response.write(`,{"dataFile":{"id":${(id += 1)}}}`));
      }
      response.on('drain', more)
      more()
    })
    await withNative({ baseUrl: server.url, retries: 0 }, async (api) => {
      await expect(all(api.files(1, '1.0', signal))).rejects.toMatchObject({
        code: 'SOURCE_MISLISTED',
        message: expect.stringContaining('says that dataset 1 has 3 files, but lists more') as string,
      })
    })
  })

  it('pages that repeat the same files end, whatever the server counts', async () => {
    const data = Array.from({ length: 1000 }, (_, index) => ({ label: `f${index}`, dataFile: { id: index + 1 } }))
    await using server = await scriptedServer((_, response) =>
      sendJson(response, 200, { status: 'OK', totalCount: 1_000_000_000, data }),
    )
    await withNative({ baseUrl: server.url, retries: 0 }, async (api) => {
      await expect(all(api.files(1, '1.0', signal))).rejects.toThrow('has 1000000000 files, but lists 1000.')
    })
    expect(server.seen).toHaveLength(3)
  })

  it.each([
    ['a listing', '{"status":"OK","totalCount":2,"data":[{"label":"'],
    ['an envelope', '{"status":"OK","data":{"version":"'],
  ])('a text without end in %s is refused before memory is', async (what, begin) => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write(begin)
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(64 * 1024)));
      }
      response.on('drain', more)
      more()
    })
    await withNative({ baseUrl: server.url }, async (api) => {
      const asking = what === 'a listing' ? all(api.files(1, '1.0', signal)) : api.serverVersion()
      await expect(asking).rejects.toMatchObject({
        code: 'SOURCE_MISLISTED',
        message: expect.stringContaining('a text of more than 1 Mi characters') as string,
      })
    })
  })

  it.each([
    [
      '{"label":"odd.csv","directoryLabel":"/in","dataFile":{"id":"x"}}',
      'odd.csv',
      'odd.csv (file x)',
      'dataFile.id: ',
    ],
    ['{"dataFile":{"id":1e300}}', 'file 1e+300', 'file 1e+300', 'dataFile.id: '],
    ['{"label":"odd","dataFile":{"id":7,"filesize":-2}}', 'odd', 'odd (file 7)', 'dataFile.filesize: '],
    ['{"label":"odd","dataFile":{"id":7,"filesize":NaN}}', 'odd', 'odd (file 7)', 'dataFile.filesize: '],
    ['{"label":"odd","dataFile":{"id":7,"filesize":9007199254740993}}', 'odd', 'odd (file 7)', 'dataFile.filesize: '],
    ['{"label":"odd","dataFile":{"id":7,"filesize":1.5}}', 'odd', 'odd (file 7)', 'dataFile.filesize: '],
    ['{"label":{},"dataFile":{"filename":"f","id":7}}', 'f', 'f (file 7)', 'label: '],
    ['{"label":"odd"}', 'odd', 'odd (a file without id)', 'dataFile: '],
    ['7', 'a file without id', 'a file without id', 'the entry: '],
  ])(
    'an element that cannot be a file costs itself, by name, and nothing else: %s',
    async (odd, label, name, problem) => {
      const text = `{"status":"OK","totalCount":3,"data":[{"label":"a","dataFile":{"id":1}},${odd},{"label":"b","dataFile":{"id":2}}]}`
      await using server = await scriptedServer((_, response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(text),
      )
      await withNative({ baseUrl: server.url }, async (api) => {
        const listed = await everything(api.files(1, '1.0', signal))
        expect(listed).toHaveLength(3)
        expect(listed[0]).toMatchObject({ id: 1 })
        expect(listed[1]).toMatchObject({
          label,
          mislisted: expect.stringContaining(
            `, in dataset 1, lists ${name} in a way that cannot be right: ${problem}`,
          ) as string,
        })
        expect(listed[2]).toMatchObject({ id: 2 })
      })
      expect(server.seen).toHaveLength(1)
    },
  )

  it('an answer whose elements are no files, for ever, is left', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"status":"OK","data":[0')
      const some = ',0'.repeat(32 * 1024)
      const more = (): void => {
        while (!response.destroyed && response.write(some));
      }
      response.on('drain', more)
      more()
    })
    await withNative({ baseUrl: server.url }, async (api) => {
      await expect(everything(api.files(1, '1.0', signal))).rejects.toMatchObject({ code: 'SOURCE_MISLISTED' })
    })
    expect(server.seen).toHaveLength(1)
  })

  it('each question, and each page of a listing, takes a slot until its answer is read, and gives it back', async () => {
    const data = Array.from({ length: 1000 }, (_, index) => ({ dataFile: { id: index + 1 } }))
    let failing = true
    await using server = await scriptedServer(({ url }, response) => {
      if (url.includes('offset=0') && failing) {
        failing = false
        response.writeHead(500).end()
      } else if (url.includes('/files?')) sendJson(response, 200, { status: 'OK', totalCount: 1001, data: pageOf(url) })
      else sendJson(response, 200, { status: 'OK', data: { version: '6.11' } })
    })
    const pageOf = (url: string): readonly unknown[] => (url.includes('offset=0') ? data : [{ dataFile: { id: 1001 } }])
    const slots = { taken: 0, open: 0 }
    const takeSlot = (): Promise<{ release(): void }> => {
      slots.taken += 1
      slots.open += 1
      return Promise.resolve({ release: () => (slots.open -= 1) })
    }
    await withNative({ baseUrl: server.url, takeSlot }, async (api) => {
      expect(await api.serverVersion(signal)).toBe('6.11')
      expect(slots).toEqual({ taken: 1, open: 0 })
      for await (const file of api.files(1, '1.0', signal)) {
        expect(slots.open).toBe(1)
        if (!('mislisted' in file) && file.id === 1001) break
      }
      // The first page twice, as it failed, and the second one.
      expect(slots).toEqual({ taken: 4, open: 0 })
    })
  })

  it('the files that old servers list with a version are passed over', async () => {
    const files = Array.from({ length: 20_000 }, (_, id) => ({ label: 'f'.repeat(400), dataFile: { id } }))
    const version = { datasetPersistentId: 'doi:10.5072/FK2/A', versionNumber: 1, versionMinorNumber: 2, files }
    await using server = await scriptedServer((_, response) =>
      sendJson(response, 200, { status: 'OK', data: { ...version, license: 'CC0' } }),
    )
    await withNative({ baseUrl: server.url }, async (api) => {
      expect(await api.version(1, '1.2', signal)).toEqual({ dataset: 'doi:10.5072/FK2/A', version: '1.2' })
    })
  })

  it('reads files as servers old and new describe them', async () => {
    const checksum = { type: 'SHA-1', value: 'A'.repeat(40) }
    const cases: [object, Partial<ListedFile>][] = [
      [{ filesize: -1, md5: 'b'.repeat(32), checksum: null }, { checksum: { algorithm: 'md5', hex: 'b'.repeat(32) } }],
      [
        { checksum, embargo: { dateAvailable: '2026-07-23' } },
        {
          withheld: 'embargoed',
          availableFrom: '2026-07-23',
          embargoEnds: '2026-07-23',
          checksum: { algorithm: 'sha1', hex: 'a'.repeat(40) },
        },
      ],
      [
        { embargo: { dateAvailable: '2026-07-22' }, checksum: { type: 'MD5', value: 'short' } },
        { embargoEnds: '2026-07-22' },
      ],
      [
        { retention: { dateUnavailable: '2026-07-21' } },
        { withheld: 'retention-expired', availableUntil: '2026-07-21' },
      ],
      [{ retention: { dateUnavailable: '2026-07-22' } }, {}],
      [
        { tabularData: true, originalFileSize: -1, originalFileName: 'x.csv' },
        { tabular: true, original: { name: 'x.csv' } },
      ],
      [
        { originalFileFormat: 'text/csv', originalFileSize: 0 },
        { tabular: true, original: { contentType: 'text/csv' } },
      ],
    ]
    const data = cases.map(([dataFile], index) => ({
      label: null,
      dataFile: { id: index + 1, filename: 'f', ...dataFile },
    }))
    await using server = await scriptedServer((_, response) =>
      sendJson(response, 200, { data, status: 'OK', totalCount: data.length }),
    )
    await withNative({ baseUrl: server.url, now: () => new Date('2026-07-22T12:00:00Z') }, async (api) => {
      expect(await all(api.files(1, '1.0', signal))).toEqual(
        cases.map(([, expected], index) => ({ id: index + 1, label: 'f', directory: '', tabular: false, ...expected })),
      )
    })
  })

  it('a server that does not say where it found a file is asked for its dataset', async () => {
    await using server = await scriptedServer(({ url }, response) => {
      const data = url.startsWith('/api/files/')
        ? { label: 'a', dataFile: { id: 42 } }
        : url.startsWith('/api/search')
          ? { items: [{ file_id: '42', dataset_persistent_id: 'doi:10.5072/FK2/A' }] }
          : { versionNumber: 2, versionMinorNumber: 1, versionState: 'RELEASED' }
      sendJson(response, 200, { status: 'OK', data })
    })
    await withNative({ baseUrl: server.url }, async (api) => {
      expect(await api.file(42, signal)).toMatchObject({ id: 42, in: { dataset: 'doi:10.5072/FK2/A', version: '2.1' } })
    })
  })

  it('a login page instead of JSON is no answer', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>{"status":"OK"}</body></html>')
    })
    await withNative({ baseUrl: server.url, retries: 0 }, async (api) => {
      await expect(api.serverVersion()).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
      await expect(all(api.files(1, '1.0', signal))).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    })
  })
})
