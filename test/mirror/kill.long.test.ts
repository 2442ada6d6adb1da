import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { makeHome, type Home } from '../e2e/cli.ts'
import { Repository } from '../fakes/dataverse/repository.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import { Chance, History } from './history.ts'
import { killed } from './killed.ts'
import { bucketPlace, changesOfLastRun, folderPlace, type Place } from './place.ts'

const KILLS = 20
const DATASETS = 25

/** Two homes over one repository: one is disturbed. */
const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
})

interface Mirror {
  readonly home: Home
  readonly place: Place
  readonly server: StandIn
}

it('a run that is killed again and again ends as an undisturbed one, byte for byte and row for row', async () => {
  await compareWithKilled(({ data }) => Promise.resolve(folderPlace(data)), KILLS)
})

it('a mirror of objects whose run is killed again and again ends as an undisturbed one', async () => {
  await compareWithKilled(({ data }) => Promise.resolve(folderPlace(data)), KILLS, 'ocfl')
})

await describeWithOneS3('a mirror in a bucket', (kind) => {
  let store: S3Server
  beforeAll(async () => {
    store = await kind.start()
  })
  afterAll(() => store.stop())

  it('whose run is killed again and again ends as an undisturbed one, too', async () => {
    await compareWithKilled(() => bucketPlace(store), KILLS / 2)
  })

  it('of objects whose run is killed again and again ends as an undisturbed one, too', async () => {
    await compareWithKilled(() => bucketPlace(store), KILLS / 2, 'ocfl')
  })
})

async function compareWithKilled(
  newPlace: (home: Home) => Promise<Place>,
  kills: number,
  layout: 'tree' | 'ocfl' = 'tree',
): Promise<void> {
  const world = new World()
  for (const alias of ['climate', 'ice', 'other']) world.collection(alias)
  const server = await startDataverse({ world, latencyMs: 5 })
  open.push({ [Symbol.asyncDispose]: () => server.close() })
  const chance = new Chance(42)
  const history = new History(new Repository(world), chance)
  for (let n = 0; n < DATASETS; n++) history.deposit()
  const [calm, hit] = [await mirrorOf(server, newPlace, layout), await mirrorOf(server, newPlace, layout)]
  for (let round = 0; round < 3; round++) {
    expect((await calm.home.run(['mirror', 'run', 'm', ...to(calm)], calm.place.env)).code).toBe(0)
    await endKilled(hit, chance, round === 0 ? kills : kills / 4)
    expect(await tree(hit.place)).toEqual(await tree(calm.place))
    expect(await changesOfLastRun(hit.place)).toEqual(await changesOfLastRun(calm.place))
    for (let n = 0; n < DATASETS; n++) history.step()
  }
}

async function mirrorOf(
  server: StandIn,
  newPlace: (home: Home) => Promise<Place>,
  layout: 'tree' | 'ocfl',
): Promise<Mirror> {
  const home = await makeHome()
  open.push(home)
  const mirror = { home, server, place: await newPlace(home) }
  const args = ['mirror', 'create', 'm', '--collection', 'root', '--metadata', 'all', '--max-removals', '100%']
  expect((await home.run([...args, '--layout', layout, ...to(mirror)], mirror.place.env)).code).toBe(0)
  return mirror
}

/** Kills the run so often, each time at another moment of it, and lets it go on to its end. */
async function endKilled(mirror: Mirror, chance: Chance, kills: number): Promise<void> {
  const { home, place, server } = mirror
  const args = ['mirror', 'run', 'm', ...to(mirror)]
  for (let kill = 0; kill < kills; kill++) {
    const { code, stderr } = await killed(home.start(args, place.env), server, chance, 20)
    if (code === undefined) continue
    expect([code, stderr]).toEqual([0, expect.any(String)])
    return
  }
  const { code, stderr } = await home.run(args, place.env)
  expect([code, stderr]).toEqual([0, expect.any(String)])
}

function to({ place, server }: Mirror): readonly string[] {
  return ['--to', place.url, '--server', server.url]
}

/** Every file of the mirror with its content, but for what tells of runs and times. */
async function tree(place: Place): Promise<Record<string, string>> {
  const own = await place.files('.dataferry/mirrors/m')
  const kept = Object.entries(own).filter(([path]) => !/^(?:runs|files)\/|^(?:state|mirror)\.json$/.test(path))
  const shown = Object.entries(await place.files()).flatMap(([path, text]) => withoutTimes(path, text))
  return Object.fromEntries([...shown, ...kept.map(([path, text]) => [join('own', path), text] as const)])
}

/** Inventories say when a version was made that had been released before. */
function withoutTimes(path: string, text: string): readonly (readonly [string, string])[] {
  if (/inventory\.json\.sha\d+$/.test(path)) return []
  return [[path, path.endsWith('inventory.json') ? text.replaceAll(/"created": "[^"]*"/g, '"created": ""') : text]]
}
