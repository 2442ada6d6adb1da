import { describe, expect, it } from 'vitest'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import { FileAccessApi } from '../../src/dataverse/file-access-api.ts'
import { NativeApi } from '../../src/dataverse/native-api.ts'
import type { StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { DATASET, withStandIn } from './stand-in.ts'

const { signal } = new AbortController()
const BEFORE = new Date(Date.now() - 3_600_000)

async function withAccess<T>(server: StandIn, apiToken: string, work: (api: FileAccessApi) => Promise<T>): Promise<T> {
  const api = new FileAccessApi({ baseUrl: server.url, apiToken, retries: 0 })
  try {
    return await work(api)
  } finally {
    await api.close()
  }
}

async function decide(server: StandIn, verb: 'grantFileAccess' | 'rejectFileAccess', file: number): Promise<void> {
  await using api = new DataAccessApi({ baseUrl: server.url, apiToken: 'admin', retries: 0 })
  await api[verb](file, '@jane')
}

describe('access to a restricted file', () => {
  it('is requested, is known to be, is granted, and is told by the search', async () => {
    await withStandIn({}, (server) =>
      withAccess(server, 'jane', async (api) => {
        expect(await api.hasRequested(12, signal)).toBe(false)
        expect(await api.request(12, signal)).toEqual({ kind: 'made' })
        expect(await api.request(12, signal)).toEqual({ kind: 'exists' })
        expect(await api.hasRequested(12, signal)).toBe(true)
        expect(await api.permitted([12, 99], signal)).toEqual({ yes: new Set(), no: new Set([12]) })
        await decide(server, 'grantFileAccess', 12)
        expect(await api.permitted([12], signal)).toEqual({ yes: new Set([12]), no: new Set() })
        expect(await api.request(12, signal)).toEqual({ kind: 'available' })
      }),
    )
  })

  it.each([
    ['', {}],
    [', by a server whose notifications name nothing', { namelessNotifications: true }],
    [', by a server that knows only texts', { profile: '5.12' }],
    [', beside one of a dataset that was destroyed', { destroyedDataset: true }],
  ] as const)('that is rejected is told by its dataset, from a time on%s', async (_, options) => {
    await withStandIn(options, (server) =>
      withAccess(server, 'jane', async (api) => {
        await api.request(12, signal)
        expect(await api.rejections(BEFORE, signal)).toEqual([])
        await decide(server, 'rejectFileAccess', 12)
        expect(await api.rejections(BEFORE, signal)).toMatchObject([{ dataset: DATASET }])
        expect(await api.rejections(new Date(Date.now() + 3_600_000), signal)).toEqual([])
      }),
    )
  })

  it('that cannot be requested is told with the reason', async () => {
    const world = new World()
    world.dataset(DATASET, { fileAccessRequest: false, files: [{ id: 1, label: 'a', restricted: true }] })
    await withStandIn({ world }, (server) =>
      withAccess(server, 'jane', async (api) => {
        expect(await api.request(1, signal)).toMatchObject({
          kind: 'refused',
          why: expect.stringContaining('not accepted') as string,
        })
      }),
    )
  })

  it('older servers say less, and nothing is made of it', async () => {
    await withStandIn({ profile: '5.12' }, (server) =>
      withAccess(server, 'jane', async (api) => {
        await api.request(12, signal)
        expect(await api.permitted([12], signal)).toEqual({ yes: new Set(), no: new Set() })
      }),
    )
  })
})

it('why a file is withheld is told with its day, which is that of the server', async () => {
  const world = new World()
  world.dataset(DATASET, {
    files: [
      { id: 1, label: 'a', embargo: { dateAvailable: '2999-01-01' } },
      { id: 2, label: 'b', retention: { dateUnavailable: '2000-01-01' } },
      { id: 3, label: 'c', restricted: true },
      { id: 4, label: 'd' },
    ],
  })
  await withStandIn({ world }, (server) =>
    withAccess(server, 'jane', async (api) => {
      const facts = await Promise.all([1, 2, 3, 4].map((file) => api.facts(file, signal)))
      expect(facts).toEqual([
        { withheld: 'embargoed', withheldDay: '2999-01-01' },
        { withheld: 'retention-expired', withheldDay: '2000-01-01' },
        { withheld: 'restricted' },
        {},
      ])
    }),
  )
})

it('the day on which a token expires is told, and never the token', async () => {
  const tokens = { jane: { user: '@jane', expires: '2999-12-31' } }
  await withStandIn({ tokens }, async (server) => {
    const api = new NativeApi({ baseUrl: server.url, apiToken: 'jane', retries: 0 })
    expect(await api.tokenExpiry(signal)).toEqual(new Date('2999-12-31T00:00:00Z'))
    server.set({ clockAheadMs: 1_000 * 366 * 86_400_000 })
    await expect(api.tokenExpiry(signal)).rejects.toMatchObject({ code: 'TOKEN_REJECTED' })
    await api.close()
  })
})
