import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeHome, type Home } from '../e2e/cli.ts'
import type { Fault, FaultStep } from '../fakes/dataverse/faults.ts'
import type { Released } from '../fakes/dataverse/repository.ts'
import { Chance, History, pathOf, SHARED } from './history.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'
import { killed } from './killed.ts'
import { expectValid, StoredObject } from './ocfl.ts'

/** What is kept, and how; each by turns. */
const KINDS = [
  ['latest', 'tree'],
  ['all', 'tree'],
  ['latest', 'ocfl'],
  ['all', 'ocfl'],
] as const
const HISTORIES = 6
const DATASETS = 30
const RUNS = 20
/** Requests of one run that meet a fault. */
const MOST_FAULTS = 12

const homeOf = mirrorHomes()
let home: MirrorHome
let shell: Home
beforeEach(async () => {
  home = await homeOf()
  shell = await makeHome()
})
afterEach(async () => {
  await home.close()
  await shell[Symbol.asyncDispose]()
})

describe('whatever happens on the server, on the way and to the run', () => {
  it.each(Array.from({ length: HISTORIES }, (_, n) => [...(KINDS[n % KINDS.length] ?? KINDS[0]), n + 1] as const))(
    'a mirror of %s as %s that says it is complete equals what is released, fetches nothing twice and loses nothing (seed %i)',
    async (versions, layout, seed) => {
      const chance = new Chance(seed * 7919)
      const { repository, server } = home
      const history = new History(repository, chance)
      for (let n = 0; n < DATASETS; n++) history.deposit()
      const scope = ['--collection', 'climate', '--metadata', 'all', '--max-removals', '100%']
      const kind = ['--versions', versions, '--layout', layout]
      expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope, ...kind)).code).toBe(0)
      const expectReleased = layout === 'tree' ? expectInFolders : expectInObjects
      const held = new Holdings(home)
      for (let run = 0; run < RUNS; run++) {
        const lags = chance.next(3) === 0
        server.world.freezeIndex(lags)
        repository.exportsLag = chance.next(3) === 0
        for (let n = chance.next(DATASETS); n > 0; n--) history.step()
        const isHit = chance.next(2) === 0
        if (isHit) for (const fault of trouble(chance)) server.fault(fault)
        if (chance.next(3) === 0) {
          const run = shell.start(['mirror', 'run', 'm', '--to', home.destination], home.env)
          await killed(run, server, chance, 80)
          await held.look()
          if (layout === 'ocfl') await expectValid(home)
        }
        const { code, report } = await home.run(...(chance.next(5) === 0 ? ['--full'] : []))
        await held.look()
        if (!isHit)
          expect([code, report.complete, report['problems'], report.refused]).toEqual([0, true, [], undefined])
        expect(report.complete).toBe(code === 0)
        if (code === 0 && !lags) await expectReleased(versions)
        server.clearFaults()
      }
      server.world.freezeIndex(false)
      for (const pid of repository.pids) repository.reexport(pid)
      // The first of them may still be the rest of a run that was killed.
      for (let n = 0; n < 3; n++) expect((await home.run()).code).toBe(0)
      await held.look()
      await expectReleased(versions)
      await expectMetadata()
      if (layout === 'ocfl') await expectValid(home)
      expect((await home.cli('verify', home.destination)).code).toBe(0)
    },
    15 * 60_000,
  )
})

/** Each dataset that is released in the collection is current, and exactly what it shows is at its place. */
async function expectInFolders(versions: 'latest' | 'all'): Promise<void> {
  const { repository } = home
  const files = Object.entries(await home.files())
  const shown: Record<string, Record<string, string>> = {}
  const released: Record<string, Record<string, string>> = {}
  const current = (await home.datasets('current')).filter(({ pid }) => repository.pids.includes(pid))
  for (const { pid, folder } of current) {
    const found = files.flatMap(([path, content]) =>
      path.startsWith(`${folder}/`) ? [[path.slice(folder.length + 1), content] as const] : [],
    )
    const expected = versionsOf(pid, versions)
    // Versions that were withdrawn since stay.
    const isExpected = (path: string): boolean =>
      versions === 'latest' || expected.some(({ number }) => path.startsWith(`v${number}/`))
    shown[pid] = Object.fromEntries(found.filter(([path]) => isExpected(path)))
  }
  for (const pid of repository.pids) {
    if (repository.released(pid) === undefined || repository.collectionOf(pid) === 'other') continue
    released[pid] = Object.fromEntries(versionsOf(pid, versions).flatMap((one) => filesOf(one, versions)))
  }
  expect(shown).toEqual(released)
}

/** The same of objects: each version of the dataset is there as it was released, and the newest one is the head. */
async function expectInObjects(versions: 'latest' | 'all'): Promise<void> {
  const { repository } = home
  const shown: Record<string, unknown> = {}
  const released: Record<string, unknown> = {}
  for (const { pid } of await home.datasets('current')) {
    if (!repository.pids.includes(pid)) continue
    const object = await StoredObject.of(home, pid)
    const expected = versionsOf(pid, versions)
    shown[pid] = [object?.head, expected.map(({ number }) => object?.version(number))]
  }
  for (const pid of repository.pids) {
    const newest = repository.released(pid)?.number
    if (newest === undefined || repository.collectionOf(pid) === 'other') continue
    const files = versionsOf(pid, versions).map((one) => Object.fromEntries(filesOf(one, 'latest')))
    released[pid] = [newest, files]
  }
  expect(shown).toEqual(released)
}

function versionsOf(pid: string, versions: 'latest' | 'all'): readonly Released[] {
  const all = home.repository.releasedVersions(pid)
  return versions === 'all' ? all : all.slice(-1)
}

function filesOf({ number, files }: Released, versions: 'latest' | 'all'): readonly (readonly [string, string])[] {
  const top = versions === 'all' ? `v${number}/` : ''
  return files.map((file) => [`${top}${pathOf(file)}`, typeof file.content === 'string' ? file.content : ''])
}

/** Of each newest version every form is kept, and names that version. */
async function expectMetadata(): Promise<void> {
  const metadata = await home.files('.dataferry/mirrors/m/metadata')
  for (const { pid, folder } of await home.datasets('current')) {
    const number = home.repository.released(pid)?.number
    if (number === undefined) continue
    const forms = Object.keys(metadata).filter((path) => path.startsWith(`${folder}/v${number}/`))
    expect([pid, forms.length]).toEqual([pid, 6])
    expect(metadata[`${folder}/v${number}/datacite.xml`]).toContain(`<version>${number}</version>`)
  }
}

/** What a mirror has ever held: it stays, wherever it is now, and is asked for no more. */
class Holdings {
  readonly #home: MirrorHome
  /** Downloads of each file when it was first seen whole, by its content. */
  readonly #downloads = new Map<string, { readonly id: number; readonly counted: number }>()
  readonly #idOf = new Map<string, number>()

  constructor(mirror: MirrorHome) {
    this.#home = mirror
  }

  async look(): Promise<void> {
    const { repository, server } = this.#home
    for (const pid of repository.pids) {
      for (const { files } of repository.releasedVersions(pid)) {
        for (const { id, content } of files) {
          if (typeof content === 'string' && id && !SHARED.includes(content)) this.#idOf.set(content, id)
        }
      }
    }
    const own = '.dataferry/mirrors/m'
    const places = [undefined, `${own}/superseded`, `${own}/moving`]
    const there = new Set<string>()
    for (const place of places) for (const content of Object.values(await this.#home.files(place))) there.add(content)
    for (const content of there) {
      const id = this.#idOf.get(content)
      if (id === undefined || this.#downloads.has(content)) continue
      this.#downloads.set(content, { id, counted: server.records.file(id).counted })
    }
    for (const [content, { id, counted }] of this.#downloads) {
      expect([content, there.has(content)]).toEqual([content, true])
      expect([content, server.records.file(id).counted]).toEqual([content, counted])
    }
  }
}

/** What a server, its network and what stands between do to a few requests. */
function trouble(chance: Chance): readonly Fault[] {
  let hits = 0
  const when = (): boolean => hits < MOST_FAULTS && chance.next(12) === 0 && ++hits > 0
  const steps: readonly FaultStep[] = [
    { kind: 'status', status: 500, body: 'json' },
    { kind: 'status', status: 503, body: 'html' },
    { kind: 'status', status: 429, body: 'json', retryAfter: '0' },
    { kind: 'reset' },
    { kind: 'cut', after: 3 },
    { kind: 'early-end', after: 4 },
    { kind: 'flip' },
  ]
  return steps.map((step) => ({ when, steps: [step], repeat: true }))
}
