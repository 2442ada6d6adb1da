import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { makeHome, type Home } from '../e2e/cli.ts'
import { Repository } from '../fakes/dataverse/repository.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { Chance, History } from './history.ts'

const KILLS = 20
const DATASETS = 25

/** Two homes over one repository: one is disturbed. */
const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
})

it('a run that is killed again and again ends as an undisturbed one, byte for byte and row for row', async () => {
  const world = new World()
  for (const alias of ['climate', 'ice', 'other']) world.collection(alias)
  const server = await startDataverse({ world, latencyMs: 15 })
  open.push({ [Symbol.asyncDispose]: () => server.close() })
  const chance = new Chance(42)
  const history = new History(new Repository(world), chance)
  for (let n = 0; n < DATASETS; n++) history.deposit()
  const [calm, hit] = [await homeOf(server), await homeOf(server)]
  for (let round = 0; round < 3; round++) {
    expect((await calm.run(['mirror', 'run', 'm', ...to(calm, server)])).code).toBe(0)
    await killed(hit, server, chance, round === 0 ? KILLS : KILLS / 4)
    expect(tree(hit)).toEqual(tree(calm))
    expect(changes(hit)).toEqual(changes(calm))
    for (let n = 0; n < DATASETS; n++) history.step()
  }
})

async function homeOf(server: StandIn): Promise<Home> {
  const home = await makeHome()
  open.push(home)
  const args = ['mirror', 'create', 'm', '--collection', 'root', '--metadata', 'all', '--max-removals', '100%']
  expect((await home.run([...args, ...to(home, server)])).code).toBe(0)
  return home
}

/** Kills the run so often, each time a little later in it, and lets it go on to its end. */
async function killed(home: Home, server: StandIn, chance: Chance, kills: number): Promise<void> {
  const args = ['mirror', 'run', 'm', ...to(home, server)]
  for (let kill = 0; kill < kills; kill++) {
    const { child, ended } = home.start(args)
    const done = await Promise.race([ended, sleep(600 + chance.next(2_000))])
    if (done) {
      expect(done.code).toBe(0)
      return
    }
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  const { code, stderr } = await home.run(args)
  expect([code, stderr]).toEqual([0, expect.any(String)])
}

function to(home: Home, server: StandIn): readonly string[] {
  return ['--to', home.data, '--server', server.url]
}

/** Every file of the mirror with its content, but for what tells of runs and times. */
function tree({ data }: Pick<Home, 'data'>, path = ''): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of readdirSync(join(data, path))) {
    const inner = path === '' ? name : `${path}/${name}`
    if (/^\.dataferry\/(?:destination\.json|parts|marks)$|\/(?:runs|state\.json|mirror\.json|files)$/.test(inner))
      continue
    if (statSync(join(data, inner)).isDirectory()) Object.assign(found, tree({ data }, inner))
    else found[inner] = readFileSync(join(data, inner), 'utf8')
  }
  return found
}

function changes({ data }: Home): string {
  const runs = join(data, '.dataferry', 'mirrors', 'm', 'runs')
  return readFileSync(join(runs, readdirSync(runs).sort().at(-1) ?? '', 'changes.csv'), 'utf8')
}
