import { afterEach, expect, it } from 'vitest'
import { mirrorHomes, type MirrorHome } from './home.ts'

/** `npm run bench -- mirror` counts the same with 10,000, of which it changes one in a hundred. */
const DATASETS = 200
const CHANGED = 10
/** A page of up to a thousand datasets, and one that is empty. */
const SEARCH = 2

const homeOf = mirrorHomes()
let home: MirrorHome
afterEach(() => home.close())

it(
  'asks a page at a time for what is unchanged, and three more times for what was changed',
  { timeout: 240_000 },
  async () => {
    home = await homeOf()
    const { repository, destination } = home
    for (let n = 0; n < DATASETS; n++) repository.deposit(`doi:10.5072/FK2/D${n}`, [], { collection: 'climate' })
    expect((await home.cli('mirror', 'create', 'm', '--to', destination, '--collection', 'climate')).code).toBe(0)
    expect((await home.run()).report.datasets).toEqual({ added: DATASETS })

    expect(await requestsOf({ unchanged: DATASETS })).toEqual([SEARCH, { search: SEARCH }])

    for (let n = 0; n < CHANGED; n++) repository.updateCurrent(`doi:10.5072/FK2/D${n * 20}`, (files) => files)
    const looks = { versions: CHANGED, files: CHANGED, version: CHANGED }
    const changed = await requestsOf({ unchanged: DATASETS - CHANGED, updated: CHANGED })
    expect(changed).toEqual([SEARCH + 3 * CHANGED, { search: SEARCH, ...looks }])
  },
)

/** Requests that the server has had in a run, and those that the run counts itself. */
async function requestsOf(datasets: Readonly<Record<string, number>>): Promise<readonly [number, unknown]> {
  const before = home.server.records.total
  const { code, report } = await home.run()
  expect([code, report.datasets]).toEqual([0, datasets])
  return [home.server.records.total - before, report.requests]
}
