import { expect, it } from 'vitest'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import { DataferryError } from '../../src/errors.ts'
import type { Guestbook, GuestbookResponse } from '../../src/model/guestbook.ts'
import type { Ref } from '../../src/model/item.ts'
import type { OpenOptions, OpenSource } from '../../src/model/source.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'

const MANY = Array.from({ length: 400 }, (_, i) => 10_000_000 + i)
const NEVER = new AbortController().signal

function world(): World {
  const made = new World()
  made.dataset('doi:10.5072/FK2/BOOKED', {
    id: 1,
    guestbook: { id: 7, nameRequired: true },
    files: [
      { id: 10, label: 'own.txt', content: '0123456789' },
      { id: 11, label: 'stored.txt', content: '0123456789', store: 's3-redirect' },
      { id: 12, label: 'table.tab', tabular: { original: 'a\n1\n', header: ['a'], tab: '1\n', originalName: 't.csv' } },
      ...MANY.map((id) => ({ id, label: `${id}.txt`, content: 'x' })),
    ],
  })
  return made
}

/** A source with answers, and a server whose clock can be moved. */
async function withSource(
  work: (
    source: OpenSource,
    server: StandIn,
    later: (ms: number) => void,
    asked: readonly Guestbook[],
  ) => Promise<void>,
): Promise<void> {
  let now = Date.now()
  const server = await startDataverse({ world: world(), clock: () => now, presignTtlMs: 3_600_000 })
  const asked: Guestbook[] = []
  const respond = (guestbook: Guestbook): GuestbookResponse => {
    asked.push(guestbook)
    return { name: 'Ada' }
  }
  await using api = new DataAccessApi({ baseUrl: server.url })
  try {
    await work(api.answering(respond), server, (ms) => (now += ms), asked)
  } finally {
    await server.close()
  }
}

const file = (id: number): Ref => ({ kind: 'file', file: id, format: 'original' })

async function read(source: OpenSource, ref: Ref, from = 0, options: Partial<OpenOptions> = {}) {
  const { body, ...opened } = await source(ref, from, { signal: NEVER, count: true, ...options })
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(Uint8Array.from(chunk))
  return { ...opened, bytes: Buffer.concat(chunks) }
}

it('one answer serves a file for a minute, then the server wants another', () =>
  withSource(async (source, server, later, asked) => {
    const opened = await read(source, file(10))
    expect(opened).toMatchObject({ counted: true, answered: { id: 7 }, bytes: Buffer.from('0123456789') })
    expect((await read(source, file(10), 4)).bytes.toString()).toBe('456789')
    expect(server.guestbookRecords).toHaveLength(1)
    later(61_000)
    expect((await read(source, file(10), 8)).bytes.toString()).toBe('89')
    expect(server.guestbookRecords).toHaveLength(2)
    expect(server.records.file(10).counted).toBe(2)
    expect(asked).toHaveLength(2)
    expect(server.requests.filter(({ url }) => url.includes('/guestbooks/'))).toHaveLength(1)
  }))

it('a link to the store goes on for as long as it works', () =>
  withSource(async (source, server, later) => {
    const { answered } = await read(source, file(11))
    later(10 * 60_000)
    const before = server.requests.length
    expect(await read(source, file(11), 4)).toMatchObject({ answered, bytes: Buffer.from('456789') })
    expect(server.requests.slice(before).map(({ origin }) => origin)).toEqual(['storage'])
    expect(server.guestbookRecords).toHaveLength(1)
    later(2 * 3_600_000)
    expect((await read(source, file(11), 4)).bytes.toString()).toBe('456789')
    expect(server.guestbookRecords).toHaveLength(2)
  }))

it('what is asked beside a download makes no record of its own', () =>
  withSource(async (source, server) => {
    for (const beside of [{ spare: true }, { headerless: true }]) {
      await expect(read(source, file(12), 0, beside)).rejects.toMatchObject({ code: 'SOURCE_GUESTBOOK' })
    }
    expect(server.guestbookRecords).toEqual([])
    await read(source, file(10))
    expect((await read(source, file(10), 0, { spare: true })).bytes).toHaveLength(10)
    expect(server.guestbookRecords).toHaveLength(1)
  }))

it.each<[string, Ref, number]>([
  ['a ZIP of files', { kind: 'zip', files: [10, 12], format: 'original' }, 2],
  ['a ZIP of a list too long for a URL', { kind: 'zip', files: MANY, format: 'original' }, MANY.length],
  [
    'a ZIP of a version',
    { kind: 'dataset-zip', dataset: 'doi:10.5072/FK2/BOOKED', version: '1.0', format: 'original' },
    403,
  ],
  ['all forms of a table', { kind: 'all-forms', file: 12 }, 1],
])('%s comes after an answer, with a record for each file', (_, ref, count) =>
  withSource(async (source, server) => {
    const { bytes, answered } = await read(source, ref)
    expect(bytes.subarray(0, 2).toString()).toBe('PK')
    expect(answered).toMatchObject({ id: 7 })
    expect(server.guestbookRecords).toHaveLength(count)
  }),
)

it('a request that fails after its answer goes on with that answer', () =>
  withSource(async (source, server) => {
    server.fault({ path: 'token=', steps: [{ kind: 'status', status: 500 }] })
    await expect(read(source, file(10))).rejects.toMatchObject({ code: 'SOURCE_FAILED' })
    expect((await read(source, file(10))).bytes).toHaveLength(10)
    expect(server.guestbookRecords).toHaveLength(1)
  }))

it('what the answers lack is not sent', async () => {
  const server = await startDataverse({ world: world() })
  await using api = new DataAccessApi({ baseUrl: server.url })
  const source = api.answering(() => {
    throw new DataferryError('SOURCE_GUESTBOOK', 'name is required')
  })
  await expect(read(source, file(10))).rejects.toMatchObject({ message: 'name is required' })
  await expect(read(api.answering(undefined), file(10))).rejects.toMatchObject({
    code: 'SOURCE_GUESTBOOK',
    message: expect.stringContaining('It asks for name.') as string,
  })
  expect(server.requests.filter(({ method }) => method === 'POST')).toEqual([])
  await server.close()
})
