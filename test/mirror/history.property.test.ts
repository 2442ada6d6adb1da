import { afterEach, describe, expect, it } from 'vitest'
import type { FileSpec } from '../fakes/dataverse/specs.ts'
import { rounds } from '../rounds.ts'
import { Chance, History } from './history.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

/** Histories of `npm test`; the long tests have more, longer ones, of more datasets. */
const { numRuns: HISTORIES } = rounds(1)
const IS_LONG = HISTORIES > 1
const [DATASETS, RUNS] = IS_LONG ? [30, 20] : [8, 6]

const homeOf = mirrorHomes()
let home: MirrorHome
afterEach(() => home.close())

describe('whatever happens on the server', () => {
  it.each(Array.from({ length: HISTORIES }, (_, n) => [n + 1]))(
    'a mirror that says it is complete equals what is released, fetches nothing twice and loses nothing (seed %i)',
    async (seed) => {
      home = await homeOf()
      const chance = new Chance(seed * 7919)
      const { repository, server } = home
      const history = new History(repository, chance)
      for (let n = 0; n < DATASETS; n++) history.deposit()
      const versions = chance.next(2) === 0 ? 'latest' : 'all'
      const scope = ['--collection', 'climate', '--versions', versions, '--max-removals', '100%']
      expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)).code).toBe(0)
      const held = new Set<string>()
      for (let run = 0; run < RUNS; run++) {
        const lags = chance.next(3) === 0
        server.world.freezeIndex(lags)
        const steps = chance.next(DATASETS)
        for (let n = 0; n < steps; n++) history.step()
        server.set({ searchFails: IS_LONG && chance.next(10) === 0 ? 'overloaded' : undefined })
        const { code, report } = await home.run(...(chance.next(5) === 0 ? ['--full'] : []))
        expect([code, report.complete, report['problems'], report.refused]).toEqual([0, true, [], undefined])
        for (const content of Object.values(everything(home))) held.add(content)
        expect(new Set(Object.values(everything(home)))).toEqual(held)
        if (!lags && versions === 'latest') expect(shown(home)).toEqual(released(home))
      }
      server.world.freezeIndex(false)
      server.set({ searchFails: undefined })
      for (let n = 0; n < 2; n++) expect((await home.run()).code).toBe(0)
      if (versions === 'latest') expect(shown(home)).toEqual(released(home))
      const end = server.world.freshId()
      for (let id = 1; id < end; id++) expect(server.records.file(id).counted).toBeLessThan(2)
    },
    15 * 60_000,
  )
})

/** Contents of all that was ever held, wherever it is now. */
function everything(home: MirrorHome): Readonly<Record<string, string>> {
  return { ...home.files(), ...withPrefix('aside', home.files('.dataferry/mirrors/m/superseded')) }
}

function withPrefix(prefix: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [`${prefix}/${path}`, content]))
}

/** Contents of each dataset that is current by the mirror's own state; a destroyed one may be so for one more run. */
function shown(home: MirrorHome): Record<string, readonly string[]> {
  const { repository } = home
  const all = Object.entries(home.files())
  const found: Record<string, readonly string[]> = {}
  for (const { folder, pid } of home.datasets('current')) {
    if (!repository.pids.includes(pid)) continue
    found[pid] = all.flatMap(([path, content]) => (path.startsWith(`${folder}/`) ? [content] : [])).sort()
  }
  return found
}

/** Contents of each dataset of the collection that is released now. */
function released({ repository }: MirrorHome): Record<string, readonly string[]> {
  const found: Record<string, readonly string[]> = {}
  for (const pid of repository.pids) {
    const files = repository.released(pid)?.files
    if (files && repository.collectionOf(pid) !== 'other') found[pid] = files.map(contentsOf).sort()
  }
  return found
}

function contentsOf({ content }: FileSpec): string {
  return typeof content === 'string' ? content : ''
}
