import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { checkStream } from '../../src/archive/check-stream.ts'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import type { Identifier } from '../../src/dataverse/identifier.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { startDataverse } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { PROFILES, TABLE } from './stand-in.ts'

/** Every outcome of the protocol note's matrix (§1.1), of archives (§1.4, §1.5) and of access requests (§1.7). */
const DATASET = 'doi:10.5072/FK2/MATRIX'
const CLOSED = 'doi:10.5072/FK2/CLOSED'
const GONE = 'doi:10.5072/FK2/GONE'
const pid = (id: number): string => `${DATASET}/${id}`

const TOKENS = {
  jane: { user: '@jane' },
  granted: { user: '@granted', grants: [12, 20, 26] },
  admin: { user: '@admin', superuser: true, curates: 'all' },
} as const
const USERS = ['guest', 'jane', 'granted', 'admin'] as const
type User = (typeof USERS)[number]

function world(): World {
  const made = new World()
  const released = [
    { id: 10, label: 'public.txt', content: 'public', pid: pid(10) },
    { id: 12, label: 'restricted.txt', content: 'restricted', pid: pid(12), restricted: true },
    { id: 20, label: 'embargoed.txt', content: 'embargoed', pid: pid(20), embargo: { dateAvailable: '2999-01-01' } },
    { id: 21, label: 'expired.txt', content: 'expired', pid: pid(21), retention: { dateUnavailable: '2000-01-01' } },
    { id: 26, label: 'table.tab', tabular: TABLE, pid: pid(26), restricted: true },
  ]
  const older = { id: 22, label: 'older.txt', content: 'older', pid: pid(22) }
  const draft = { id: 23, label: 'draft.txt', content: 'draft', pid: pid(23) }
  made.dataset(DATASET, {
    id: 1,
    versions: [
      { number: '1.0', files: [...released, older] },
      { number: '2.0', files: released },
      { state: 'DRAFT', files: [...released, draft] },
    ],
  })
  made.dataset(GONE, {
    id: 2,
    versions: [{ state: 'DEACCESSIONED', files: [{ id: 24, label: 'gone.txt', content: 'gone', pid: pid(24) }] }],
  })
  made.dataset('doi:10.5072/FK2/FAR', {
    id: 3,
    harvested: true,
    files: [{ id: 25, label: 'far.txt', content: 'far', pid: pid(25) }],
  })
  made.dataset('doi:10.5072/FK2/BOOKED', {
    id: 4,
    guestbook: { id: 7, nameRequired: true },
    files: [{ id: 31, label: 'booked.txt', content: 'booked', pid: pid(31) }],
  })
  made.dataset(CLOSED, {
    id: 5,
    fileAccessRequest: false,
    files: [{ id: 41, label: 'closed.txt', content: 'closed', pid: pid(41), restricted: true }],
  })
  made.dataset('doi:10.5072/FK2/LOST', {
    id: 6,
    files: [{ id: 17, label: 'lost.txt', content: 'lost', pid: pid(17), store: 'missing' }],
  })
  return made
}

type As = (user: User) => DataAccessApi

async function withServer(profile: (typeof PROFILES)[number], work: (as: As) => Promise<void>): Promise<void> {
  const server = await startDataverse({ world: world(), tokens: TOKENS, profile })
  const clients = new Map<User, DataAccessApi>()
  const as: As = (user) => {
    const apiToken = user === 'guest' ? undefined : user
    const known = clients.get(user) ?? new DataAccessApi({ baseUrl: server.url, apiToken, retries: 0 })
    clients.set(user, known)
    return known
  }
  try {
    await work(as)
  } finally {
    for (const client of clients.values()) await client.close()
    await server.close()
  }
}

/** `ok`, or the code and status that a call rejects with. */
async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: unknown) => {
      const { code, status } = error as { readonly code?: ErrorCode; readonly status?: number }
      return `${String(code)} ${String(status)}`
    },
  )
}

async function text(answer: Promise<{ readonly bytes: Uint8Array }>): Promise<string> {
  return Buffer.from((await answer).bytes).toString('latin1')
}

/** What the server says about the files of an archive: `a.txt: included`, `b.txt: restricted`. Proves the archive, too. */
async function manifestOf(answer: Promise<{ readonly bytes: Uint8Array }>): Promise<string[]> {
  const { bytes } = await answer
  const { manifest } = await checkStream(Readable.from([bytes]))
  return (manifest?.lines ?? []).map((line) =>
    line.kind === 'included' ? `${line.name}: included` : `${line.label}: ${line.reason}`,
  )
}

const DENIED = 'SOURCE_DENIED 403'
const UNKNOWN = 'SOURCE_NOT_FOUND 404'
const LOST = 'SOURCE_BYTES_MISSING 404'
const REFUSED = 'SOURCE_REJECTED 400'
/** Routes that answer 400 for everything still say it in their words. */
const NO_RIGHT = 'SOURCE_DENIED 400'
const all = (one: string): Record<User, string> => ({ guest: one, jane: one, granted: one, admin: one })

describe.each(PROFILES)('on %s', (profile) => {
  const strict = profile === '6.11'
  const MATRIX: readonly (readonly [situation: string, file: number, Record<User, string>])[] = [
    ['that is public', 10, all('ok')],
    ['that is restricted', 12, { ...all(DENIED), granted: 'ok', admin: 'ok' }],
    ['that is embargoed', 20, { ...all(DENIED), granted: 'ok', admin: 'ok' }],
    ['with an expired retention period', 21, all(DENIED)],
    ['only in a draft', 23, { ...all(DENIED), admin: 'ok' }],
    ['only in a deaccessioned version', 24, { ...all(DENIED), admin: 'ok' }],
    ['only in an older released version', 22, all('ok')],
    ['that is unknown', 99, all(UNKNOWN)],
    ['that is harvested', 25, all(UNKNOWN)],
    ['without its bytes', 17, all(LOST)],
    ['behind a guestbook', 31, strict ? { ...all('SOURCE_GUESTBOOK 400'), admin: 'ok' } : all('ok')],
  ]

  it.each(MATRIX)('a file %s, by id and by PID, in memory, as a stream and as a URL', async (_, id, expected) => {
    await withServer(profile, async (as) => {
      for (const user of USERS) {
        for (const file of [id, String(id), pid(id)] satisfies Identifier[]) {
          const api = as(user)
          const found = {
            user,
            file,
            memory: await outcome(api.getDatafile(file)),
            stream: await outcome(api.streamDatafile(file).then((download) => download.close())),
            url: await outcome(api.getDatafileDownloadUrl(file)),
          }
          const one = expected[user]
          expect(found).toEqual({ user, file, memory: one, stream: one, url: one })
        }
      }
    })
  })

  it('a bundle and the DDI of a restricted table are for who may have it', async () => {
    await withServer(profile, async (as) => {
      for (const file of [26, pid(26)]) {
        expect(await outcome(as('jane').getDatafileBundle(file))).toBe(DENIED)
        expect((await text(as('granted').getDatafileBundle(file))).slice(0, 2)).toBe('PK')
        // This route refuses a missing right with 400.
        expect(await outcome(as('jane').getDatafileMetadata(file))).toBe(NO_RIGHT)
        expect(await as('granted').getDatafileMetadata(file)).toContain('<')
      }
      expect(await outcome(as('jane').getDatafileBundle(99))).toBe(UNKNOWN)
      expect(await outcome(as('jane').getDatafileMetadata(99))).toBe(UNKNOWN)
    })
  })

  it('a ZIP names what it leaves out, with status 200; what is unknown spoils it since 6.10', async () => {
    await withServer(profile, async (as) => {
      for (const [file, reason] of [
        [12, 'restricted.txt: restricted'],
        [20, 'embargoed.txt: embargoed'],
        [21, 'expired.txt: retention-expired'],
        ...(strict ? ([[23, 'draft.txt: not-authorized']] as const) : []),
      ] as const) {
        const lines = await manifestOf(as('guest').getDatafiles([10, file]))
        expect(lines.sort()).toEqual([reason, 'public.txt: included'].sort())
      }
      expect(await manifestOf(as('granted').getDatafiles([10, 12]))).toContain('restricted.txt: included')
      expect(await outcome(as('guest').getDatafiles([10, 99]))).toBe(strict ? UNKNOWN : 'ok')
      expect(await outcome(as('guest').getDatafiles([12, 20]))).toBe(strict ? DENIED : 'ok')
      expect(await outcome(as('guest').getDatafiles([10, 31]))).toBe(strict ? REFUSED : 'ok')
    })
  })

  it('a dataset version as ZIP is what the caller may see of it', async () => {
    await withServer(profile, async (as) => {
      for (const dataset of [1, DATASET]) {
        const zip = (user: User, version?: string) => as(user).getDataset(dataset, { version })
        expect(await manifestOf(zip('guest'))).not.toContain('draft.txt: included')
        expect(await manifestOf(zip('admin'))).toContain('draft.txt: included')
        expect(await manifestOf(zip('guest', '1.0'))).toContain('older.txt: included')
        expect(await manifestOf(zip('admin', ':latest-published'))).not.toContain('draft.txt: included')
        expect(await outcome(zip('guest', ':draft'))).toBe('SOURCE_DENIED 401')
        expect(await outcome(zip('jane', ':draft'))).toBe('SOURCE_DENIED 401')
        expect(await outcome(zip('guest', '9.0'))).toBe(REFUSED)
        expect(await outcome(zip('guest', 'abc'))).toBe(REFUSED)
      }
      expect(await outcome(as('guest').getDataset(99))).toBe(UNKNOWN)
      expect(await outcome(as('guest').getDataset('doi:10.5072/FK2/NONE'))).toBe(UNKNOWN)
      expect(await outcome(as('guest').getDataset(GONE))).toBe(REFUSED)
      expect(await outcome(as('guest').getDataset(CLOSED))).toBe(strict ? DENIED : 'ok')
    })
  })

  it('each way to fail with an access request is told', async () => {
    await withServer(profile, async (as) => {
      for (const [user, file] of [
        ['guest', 12],
        ['jane', 99],
        ['jane', 10],
        ['jane', 20],
        ['jane', 21],
        ['jane', 41],
        ['granted', 12],
      ] as const) {
        expect({ user, file, by: await outcome(as(user).requestAccess(file)) }).toEqual({ user, file, by: REFUSED })
        expect(await outcome(as(user).requestAccess(pid(file)))).toBe(REFUSED)
      }
      const decisions: readonly (readonly [User, Identifier, string, Record<'grant' | 'reject' | 'revoke', string>])[] =
        [
          ['guest', 12, '@jane', { grant: NO_RIGHT, reject: 'SOURCE_FAILED 500', revoke: 'SOURCE_DENIED 401' }],
          ['jane', pid(12), '@jane', { grant: NO_RIGHT, reject: NO_RIGHT, revoke: 'SOURCE_DENIED 401' }],
          ['admin', 99, '@jane', { grant: REFUSED, reject: REFUSED, revoke: REFUSED }],
          ['admin', pid(12), '@nobody', { grant: REFUSED, reject: REFUSED, revoke: REFUSED }],
          ['admin', 12, '@jane', { grant: 'ok', reject: REFUSED, revoke: 'ok' }],
          ['admin', pid(12), '@jane', { grant: 'ok', reject: REFUSED, revoke: 'ok' }],
        ]
      for (const [user, file, who, expected] of decisions) {
        const api = as(user)
        expect({
          grant: await outcome(api.grantFileAccess(file, who)),
          reject: await outcome(api.rejectFileAccess(file, who)),
          revoke: await outcome(api.revokeFileAccess(file, who)),
        }).toEqual(expected)
      }
      expect(await outcome(as('guest').listFileAccessRequests(12))).toBe('SOURCE_DENIED 401')
      expect(await outcome(as('jane').listFileAccessRequests(pid(12)))).toBe(DENIED)
      expect(await outcome(as('admin').listFileAccessRequests(99))).toBe(REFUSED)
      for (const user of ['guest', 'jane'] as const) {
        expect(await outcome(as(user).allowAccessRequest(DATASET))).toBe(NO_RIGHT)
      }
      expect(await outcome(as('admin').allowAccessRequest(99))).toBe(REFUSED)
      expect(await outcome(as('guest').userFileAccessRequested(pid(12)))).toBe('SOURCE_DENIED 401')
      expect(await outcome(as('jane').userFileAccessRequested(99))).toBe(UNKNOWN)
    })
  })

  it('what the server thinks of a user’s permissions is handed on, also where a download tells otherwise', async () => {
    await withServer(profile, async (as) => {
      const may = (user: User, file: Identifier) => as(user).userPermissions(file)
      if (profile.startsWith('5')) {
        expect(await outcome(may('jane', 10))).toBe(UNKNOWN)
        return
      }
      expect(await may('jane', pid(10))).toMatchObject({ canDownloadFile: true, canManageFilePermissions: false })
      expect(await may('jane', 12)).toMatchObject({ canDownloadFile: false })
      expect(await may('granted', 12)).toMatchObject({ canDownloadFile: true })
      expect(await may('admin', 12)).toMatchObject({ canManageFilePermissions: true, canEditOwnerDataset: true })
      // Blind to embargoes and to older versions.
      expect(await may('jane', 20)).toMatchObject({ canDownloadFile: true })
      expect(await may('jane', 22)).toMatchObject({ canDownloadFile: false })
      expect(await outcome(may('guest', 10))).toBe('SOURCE_DENIED 401')
      expect(await outcome(may('jane', 99))).toBe(UNKNOWN)
    })
  })

  it('a bad token is refused everywhere, also for what is public', async () => {
    const server = await startDataverse({ world: world(), tokens: TOKENS, profile })
    const api = new DataAccessApi({ baseUrl: server.url, apiToken: 'expired', retries: 0 })
    try {
      const calls = [
        () => api.getDatafile(10),
        () => api.getDatafileDownloadUrl(pid(10)),
        () => api.getDatafiles([10]),
        () => api.getDatafileBundle(26),
        () => api.getDataset(1),
        () => api.requestAccess(12),
        () => api.listFileAccessRequests(12),
        () => api.grantFileAccess(12, '@jane'),
        () => api.userFileAccessRequested(12),
        () => api.getAuxiliaryFiles(10),
      ]
      for (const call of calls) expect(await outcome(call())).toBe('TOKEN_REJECTED 401')
    } finally {
      await api.close()
      await server.close()
    }
  })
})
