import { afterEach, beforeEach, expect, it } from 'vitest'
import { mirrorHomes, type MirrorHome } from './home.ts'

/** Two of each part: without files their ids have no gaps. */
const DATASETS = 14
const FIRST = Date.parse('2026-11-27T03:00:00Z')
const DAY_MS = 24 * 60 * 60 * 1000

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  for (let n = 0; n < DATASETS; n++) home.repository.deposit(`doi:10.5072/FK2/D${n}`, [], { collection: 'climate' })
  const created = await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'climate')
  expect(created.code).toBe(0)
  await lookedAt(0)
})
afterEach(() => home.close())

/** Datasets whose versions a run asks for that begins so many days after the first one. */
async function lookedAt(day: number, ...args: readonly string[]): Promise<number> {
  home.clock.here = new Date(FIRST + day * DAY_MS)
  return (await home.run(...args)).report.requests['versions'] ?? 0
}

it('a mirror that runs daily looks at a seventh of its datasets a night, whatever the search says', async () => {
  for (let day = 1; day <= 8; day++) expect(await lookedAt(day)).toBe(2)
})

it('a night that begins a few seconds early counts as one', async () => {
  for (let day = 1; day <= 8; day++) expect(await lookedAt(day - day / 10_000)).toBe(2)
})

it('one that has not run for a week looks at all of them, and at a seventh a night again from then on', async () => {
  expect(await lookedAt(20)).toBe(DATASETS)
  expect(await lookedAt(20.5)).toBe(0)
  expect(await lookedAt(21)).toBe(2)
})

it('the status says since when every dataset has been looked at, which after the first run is its time', async () => {
  const { stdout } = await home.cli('mirror', 'status', 'm', '--to', home.destination)
  expect(stdout).toContain('every dataset has been looked at since 2026-11-27T03:00:00.000Z')
})
