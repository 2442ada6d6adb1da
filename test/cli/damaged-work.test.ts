import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { worldOf } from '../fakes/worlds.ts'
import { useRedis } from '../redis.ts'
import { runInProcess, type Ended } from './in-process.ts'

const redis = useRedis()
let dataverse: StandIn
let cwd: string

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'df-work-'))
  dataverse = await startDataverse({
    world: worldOf({ id: 1, label: 'one', content: 'one' }, { id: 2, label: 'two', content: 'two' }),
  })
})
afterAll(async () => {
  await dataverse.close()
  rmSync(cwd, { recursive: true })
})

/** One command in a Redis prefix of its own. */
function cli(name: string, ...args: readonly string[]): Promise<Ended> {
  const DATAFERRY_PREFIX = `${redis.prefix.slice(0, -1)}-${name}}`
  return runInProcess(args, { cwd, env: { REDIS_URL: redis.url, DATAFERRY_PREFIX, DATAVERSE_SERVER: dataverse.url } })
}

const parked = 'paused'
const finished = 'finished'
it.each([
  ['batch.json', (text: string) => text.replace('"v": 1', '"v": 2'), parked],
  ['batch.json', (text: string) => text.slice(0, 20), parked],
  ['plan.json', () => '', parked],
  ['items.index', () => '', finished],
  ['items.ndjson', () => '\0'.repeat(100), finished],
])('workers come to an end although %s is damaged', async (record, damage, state) => {
  const name = `${record}-${Math.random()}`.replaceAll('.', '')
  const to = join(cwd, name)
  expect((await cli(name, 'enqueue', '1', '2', '--to', to)).code).toBe(0)
  const folder = join(to, '.dataferry')
  const batch = readdirSync(folder).find((found) => found.startsWith('command-line-')) ?? ''
  const path = join(folder, batch, record)
  writeFileSync(path, damage(readFileSync(path, 'utf8')))
  const worked = await cli(name, 'work', '--processes', '1', '--until-done')
  expect(worked.stderr).not.toMatch(/bug in dataferry|\n {4}at /)
  const status = await cli(name, 'status', batch, '--json')
  const known: unknown = JSON.parse(status.stdout.split('\n').find((line) => line.includes('"batch"')) ?? '{}')
  expect(known).toMatchObject({ state })
  if (state === parked) expect(status.stdout).toContain('RECORD_UNREADABLE')
  if (record === 'items.index') expect(known).toMatchObject({ done: 2 })
  if (record === 'items.ndjson') expect(known).toMatchObject({ failed: 2 })
})
