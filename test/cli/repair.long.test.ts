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
const cli = (args: readonly string[], signal?: AbortSignal): Promise<Ended> =>
  runInProcess(args, {
    cwd: folder,
    env: { DATAFERRY_PREFIX: redis.prefix, REDIS_URL: redis.url },
    ...(signal && { signal }),
  })
const repair = (...args: readonly string[]): Promise<Ended> => cli(['repair', join(folder, 'data'), ...args])

describe('repair from the server', () => {
  beforeEach(async () => {
    const { code } = await cli(['run', '1', '2', '3', '--server', dataverse.url, '--to', join(folder, 'data')])
    expect(code).toBe(0)
  })

  it('fetches only what is wrong, and leaves nothing but the files: no batch, nothing aside', async () => {
    rmSync(data('a.txt'))
    writeFileSync(data('b.txt'), 'x'.repeat(50))
    const before = dataverse.requests.length
    const { code, stdout } = await repair()
    expect([code, stdout]).toEqual([0, expect.stringContaining('2 files repaired (100 B)')])
    expect(readFileSync(data('a.txt'), 'utf8')).toBe('a'.repeat(50))
    expect(readFileSync(data('b.txt'), 'utf8')).toBe('b'.repeat(50))
    const asked = dataverse.requests.slice(before).filter(({ url }) => url.startsWith('/api/access/datafile/'))
    expect(asked).toHaveLength(2)
    expect(stdout).not.toContain('damaged')
    expect(readdirSync(join(folder, 'data/.dataferry')).filter((name) => name.startsWith('repair'))).toEqual([])
    const verified = await runInProcess(['verify', join(folder, 'data')], { cwd: folder })
    expect(verified.code).toBe(0)
  })

  it('leaves the damaged files aside where that is asked for', async () => {
    writeFileSync(data('b.txt'), 'x'.repeat(50))
    const { code, stdout } = await repair('--keep-damaged')
    expect(code).toBe(0)
    const aside = /the damaged file: (\S+)/.exec(stdout)?.[1] ?? ''
    expect(readFileSync(join(folder, 'data', aside), 'utf8')).toBe('x'.repeat(50))
    expect((await repair()).code).toBe(0)
    expect(readFileSync(join(folder, 'data', aside), 'utf8')).toBe('x'.repeat(50))
  })

  it('drops the batch of a repair that was cut short where something else is right at one of its paths by now', async () => {
    writeFileSync(data('b.txt'), 'x'.repeat(50))
    dataverse.set({ bytesPerSecond: 5 })
    const stop = new AbortController()
    const before = dataverse.requests.length
    const parked = cli(['repair', join(folder, 'data')], stop.signal)
    await expect
      .poll(() => dataverse.requests.slice(before).map(({ url }) => url))
      .toContainEqual(expect.stringContaining('/datafile/2'))
    stop.abort()
    expect((await parked).code).toBe(130)
    dataverse.set({ bytesPerSecond: 1e9 })
    const list = join(folder, 'list.csv')
    writeFileSync(list, 'id,path\n3,doi-10.5072-FK2-TEST/b.txt\n')
    const run = await cli([
      'run',
      list,
      '-e',
      'overwrite-different',
      '--server',
      dataverse.url,
      '--to',
      join(folder, 'data'),
    ])
    expect(run.code).toBe(0)
    const asked = dataverse.requests.length
    expect(await repair()).toMatchObject({ code: 0 })
    expect(readFileSync(data('b.txt'), 'utf8')).toBe('c'.repeat(50))
    expect(dataverse.requests.slice(asked).filter(({ url }) => url.includes('/datafile/'))).toEqual([])
    expect(readdirSync(join(folder, 'data/.dataferry')).filter((name) => name.startsWith('repair'))).toEqual([])
  })
})

describe('what was planned and never fetched', () => {
  const printed = (text: string, verb: string): string[] =>
    text.split('\n').filter((line) => line.startsWith(`  dataferry ${verb} `))

  it('is left to the command that goes on with its batch, and verify names the same one', async () => {
    const to = ['--server', dataverse.url, '--to', join(folder, 'data')]
    expect((await cli(['enqueue', '1', ...to])).code).toBe(0)
    const [verified, repaired] = [await cli(['verify', join(folder, 'data')]), await repair('--server', dataverse.url)]
    for (const { code, stdout } of [verified, repaired]) {
      expect([code, printed(stdout, 'resume')]).toEqual([1, [expect.stringContaining(join(folder, 'data'))]])
      expect(stdout).not.toContain('nothing is missing')
    }
    const [command = ''] = printed(repaired.stdout, 'resume')
    expect((await cli(command.trim().split(' ').slice(1))).code).toBe(0)
    expect(await repair()).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing is missing') as unknown })
  })

  it('is tried again by retry where it failed, and what was there is repaired all the same', async () => {
    const to = ['--server', dataverse.url, '--to', join(folder, 'data')]
    dataverse.fault({ file: 2, steps: [{ kind: 'status', status: 404, body: 'json' }], repeat: true })
    expect((await cli(['run', '1', '2', ...to])).code).toBe(1)
    rmSync(data('a.txt'))
    const { code, stdout } = await repair('--server', dataverse.url)
    expect([code, stdout]).toEqual([1, expect.stringContaining('1 file repaired')])
    dataverse.clearFaults()
    const [command = ''] = printed(stdout, 'retry')
    expect((await cli(command.trim().split(' ').slice(1))).code).toBe(0)
    expect((await repair()).code).toBe(0)
  })
})

it('names what the server has no more, and what it has otherwise now, and leaves what is here', async () => {
  const [a, b] = ['a', 'b'].map((name, n) => ({ id: n + 1, label: `${name}.txt`, content: name.repeat(50) }))
  if (!a || !b) throw new Error('no files')
  const before = await startDataverse({ world: worldOf(a, b) })
  expect((await cli(['run', '1', '2', '--server', before.url, '--to', join(folder, 'data')])).code).toBe(0)
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
