import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { worldOf } from '../fakes/worlds.ts'
import { useRedis } from '../redis.ts'
import { records } from '../e2e/cli.ts'
import { runInProcess, type Ended } from './in-process.ts'

const redis = useRedis()
let dataverse: StandIn
let folder: string

beforeAll(async () => {
  const files = ['a', 'b', 'c'].map((name, n) => ({ id: n + 1, label: `${name}.txt`, content: name.repeat(50) }))
  dataverse = await startDataverse({ world: worldOf(...files) })
})
afterAll(() => dataverse.close())
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'df-repair-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const data = (name: string): string => join(folder, 'data/doi-10.5072-FK2-TEST', name)
const cli = (...args: readonly string[]): Promise<Ended> =>
  runInProcess([...args, '--redis', redis.url], { cwd: folder, env: { DATAFERRY_PREFIX: redis.prefix } })
const repair = (...args: readonly string[]): Promise<Ended> => cli('repair', join(folder, 'data'), ...args)

describe('repair from the server', () => {
  beforeEach(async () => {
    const { code } = await cli('run', '1', '2', '3', '--server', dataverse.url, '--to', join(folder, 'data'))
    expect(code).toBe(0)
  })

  it('fetches only what is wrong, keeps what was damaged aside, and leaves no batch of its own', async () => {
    rmSync(data('a.txt'))
    writeFileSync(data('b.txt'), 'x'.repeat(50))
    const before = dataverse.requests.length
    const { code, stdout } = await repair()
    expect([code, stdout]).toEqual([0, expect.stringContaining('2 files repaired (100 B)')])
    expect(readFileSync(data('a.txt'), 'utf8')).toBe('a'.repeat(50))
    expect(readFileSync(data('b.txt'), 'utf8')).toBe('b'.repeat(50))
    const asked = dataverse.requests.slice(before).filter(({ url }) => url.startsWith('/api/access/datafile/'))
    expect(asked).toHaveLength(2)
    const aside = /the damaged file: (\S+)/.exec(stdout)?.[1] ?? ''
    expect(readFileSync(join(folder, 'data', aside), 'utf8')).toBe('x'.repeat(50))
    expect(readdirSync(join(folder, 'data/.dataferry')).filter((name) => name.startsWith('repair-'))).toEqual([])
    const verified = await runInProcess(['verify', join(folder, 'data')], { cwd: folder })
    expect(verified.code).toBe(0)
  })
})

it('names what the server has no more, and what it has otherwise now, and leaves what is here', async () => {
  const [a, b] = ['a', 'b'].map((name, n) => ({ id: n + 1, label: `${name}.txt`, content: name.repeat(50) }))
  if (!a || !b) throw new Error('no files')
  const before = await startDataverse({ world: worldOf(a, b) })
  expect((await cli('run', '1', '2', '--server', before.url, '--to', join(folder, 'data'))).code).toBe(0)
  await before.close()
  const port = Number(new URL(before.url).port)
  const after = await startDataverse({ world: worldOf({ ...b, content: 'other'.repeat(10) }), port })
  try {
    writeFileSync(data('a.txt'), 'x'.repeat(50))
    writeFileSync(data('b.txt'), 'y'.repeat(50))
    const { code, stdout } = await repair('--json')
    expect(code).toBe(1)
    expect(records(stdout).filter(({ event }) => event === 'not-repaired')).toMatchObject([
      { path: 'doi-10.5072-FK2-TEST/a.txt', state: 'changed', code: 'SOURCE_NOT_FOUND' },
      { path: 'doi-10.5072-FK2-TEST/b.txt', state: 'changed', code: 'MANIFEST_MISMATCH' },
    ])
    expect(readFileSync(data('a.txt'), 'utf8')).toBe('x'.repeat(50))
    expect(readFileSync(data('b.txt'), 'utf8')).toBe('y'.repeat(50))
  } finally {
    await after.close()
  }
})
