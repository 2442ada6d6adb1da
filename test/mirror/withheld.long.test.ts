import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSpec } from '../fakes/dataverse/specs.ts'
import { mirrorHomes, TOKEN, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'
const OPEN: FileSpec = { label: 'open.txt', content: 'open' }
const SECRET: FileSpec = { label: 'secret.txt', content: 'secret', restricted: true }
const LATER: FileSpec = { label: 'later.txt', content: 'later', embargo: { dateAvailable: '2026-12-24' } }
/** A run to which nothing seems to have changed. */
const QUIET = { search: 2 }

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  const created = await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'climate')
  expect(created.code).toBe(0)
})
afterEach(() => home.close())

/** How the next run goes: its end, its requests for files of the dataset, and files that are missing after it. */
async function run(...args: readonly string[]): Promise<readonly [code: number, asked: number, missing: number]> {
  const before = home.server.records.total
  const { code, report } = await home.run(...args)
  const asked = home.server.records.list(before).filter(({ url }) => url.startsWith('/api/access/datafile/')).length
  return [code, asked, report.files['missing'] ?? 0]
}

describe('a file that is embargoed', () => {
  it('is asked for again at noon UTC of its day, and not before', async () => {
    home.repository.deposit(A, [OPEN, LATER], { collection: 'climate' })
    home.clock.here = new Date('2026-12-20T03:00:00Z')
    expect(await run()).toEqual([1, 2, 1])
    home.clock.here = new Date('2026-12-20T12:00:00Z')
    expect(await run()).toEqual([0, 0, 1])
    home.clock.here = new Date('2026-12-24T11:59:59Z')
    expect(await run()).toEqual([0, 0, 1])
    home.clock.here = new Date('2026-12-24T12:00:00Z')
    expect(await run()).toEqual([0, 1, 0])
    expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/later.txt': 'later' })
    home.clock.here = new Date('2026-12-24T13:00:00Z')
    expect((await home.run()).report.requests).toEqual(QUIET)
  })

  it('is asked for again at noon also where it was refused on its day, as it was yet the day before there', async () => {
    home.repository.deposit(A, [LATER], { collection: 'climate' })
    home.clock.server = new Date('2026-12-23T23:00:00Z')
    home.clock.here = new Date('2026-12-24T03:00:00Z')
    expect(await run()).toEqual([1, 1, 1])
    home.clock.server = new Date('2026-12-24T00:30:00Z')
    home.clock.here = new Date('2026-12-24T12:30:00Z')
    expect(await run()).toEqual([0, 1, 0])
  })

  it('is not asked for early by a sweep that only sees the day change', async () => {
    home.repository.deposit(A, [LATER], { collection: 'climate' })
    home.clock.here = new Date('2026-12-10T03:00:00Z')
    await run()
    // All parts are due: every dataset is listed again.
    home.clock.here = new Date('2026-12-24T03:00:00Z')
    home.clock.server = new Date('2026-12-23T23:00:00Z')
    expect(await run()).toEqual([0, 0, 1])
  })
})

describe('a file that is restricted', () => {
  beforeEach(async () => {
    home.repository.deposit(A, [OPEN, SECRET], { collection: 'climate' })
    expect(await run()).toEqual([1, 2, 1])
  })

  it('is not asked for in every run, nor because somebody works on a draft', async () => {
    expect(await run()).toEqual([0, 0, 1])
    home.repository.edit(A)
    expect(await run()).toEqual([0, 0, 1])
  })

  it('is asked for again when its version was changed, though nothing of the file was', async () => {
    home.repository.updateCurrent(A, (files) => files)
    expect(await run()).toEqual([1, 1, 1])
    home.repository.publish(A, (files) => files, true)
    expect(await run()).toEqual([1, 1, 1])
    expect(await run()).toEqual([0, 0, 1])
  })

  it('is asked for again where somebody asks for everything: a right that was given moves nothing', async () => {
    expect(await run('--full')).toEqual([1, 1, 1])
    expect(await run()).toEqual([0, 0, 1])
  })
})

describe('a restricted file that this user may have', () => {
  it('is fetched again where it was lost here', async () => {
    home.repository.deposit(A, [OPEN, SECRET], { collection: 'climate' })
    const withToken = async (): Promise<number> =>
      (await home.with({ DATAVERSE_API_TOKEN: TOKEN }, 'mirror', 'run', 'm', '--to', home.destination)).code
    expect(await withToken()).toBe(0)
    await home.place.remove('doi-10.5072-FK2-A/secret.txt')
    home.repository.publish(A, (files) => files.map((one) => ({ ...one, directory: 'else' })))
    expect(await withToken()).toBe(1)
    expect(await withToken()).toBe(0)
    expect(await home.files('doi-10.5072-FK2-A')).toEqual({ 'else/open.txt': 'open', 'else/secret.txt': 'secret' })
  })
})

describe('a file behind a guestbook', () => {
  it('is missing with its code, and counted', async () => {
    const guestbook = { id: 7, enabled: true, nameRequired: true }
    home.repository.deposit(A, [OPEN], { collection: 'climate', guestbook })
    const { code, report } = await home.run()
    expect([code, report.files]).toMatchObject([1, { fetched: 0, failed: 1, missing: 1 }])
    const status = await home.cli('mirror', 'status', 'm', '--to', home.destination, '--json')
    expect(status.stdout).toContain('"code":"SOURCE_GUESTBOOK"')
    expect(await run()).toEqual([0, 0, 1])
  })
})
