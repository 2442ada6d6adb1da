import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/errors.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { worldOf } from '../fakes/worlds.ts'
import { useRedis } from '../redis.ts'
import { runInProcess } from './in-process.ts'

const redis = useRedis()
const TOKEN = 'token-of-jane'
let dataverse: StandIn
let folder: string

beforeAll(async () => {
  const files = [
    { id: 1, label: 'a.txt', content: 'a' },
    { id: 2, label: 'secret.txt', content: 'b', restricted: true },
  ]
  dataverse = await startDataverse({ world: worldOf(...files), tokens: { [TOKEN]: { user: '@jane', grants: [2] } } })
})
afterAll(() => dataverse.close())
// A blank in the path: printed commands must quote it.
beforeEach(() => mkdirSync((folder = join(mkdtempSync(join(tmpdir(), 'df-advice-')), 'a folder'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const env = () => ({ DATAFERRY_PREFIX: redis.prefix })
const place = () => ['--server', dataverse.url, '--to', join(folder, 'data'), '--redis', redis.url]
const cli = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
  runInProcess(args, { cwd: folder, env: { ...env(), ...more } })

/** The one command of this verb that a text prints on a line of its own, as a shell takes it apart. */
function printed(text: string, verb: string): string[] {
  const lines = text.split('\n').filter((line) => line.trim().startsWith(`dataferry ${verb} `))
  expect(lines).toHaveLength(1)
  const words = execFileSync('bash', ['-c', `printf '%s\\n' ${lines[0] ?? ''}`], { encoding: 'utf8' })
  return words.trimEnd().split('\n').slice(1)
}

describe('a printed command works when it is pasted', () => {
  it('retry, at the end of a run with failures, once the cause is gone', async () => {
    const run = await cli(['run', '1', '2', ...place()])
    expect(run.code).toBe(1)
    expect(run.stdout).toContain('Request access to the file on the server, or')
    const again = await cli(printed(run.stdout, 'retry'), { DATAVERSE_API_TOKEN: TOKEN })
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('All 2 files are there')])
  })

  it('retry of a finished batch, where somebody wants it to be paused', async () => {
    await cli(['run', '2', ...place()])
    const status = await cli(['status', '--json', '--redis', redis.url])
    const { id } = status.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { event: string; id: string; destination: string })
      .find((record) => record.event === 'batch' && record.destination.includes(encodeURI(folder))) ?? { id: '' }
    const paused = await cli(['pause', id.slice(-6), '--redis', redis.url])
    expect([paused.code, paused.stderr]).toEqual([2, expect.stringContaining('has finished already')])
    const again = await cli([...printed(paused.stderr, 'retry'), '--server', dataverse.url], {
      DATAVERSE_API_TOKEN: TOKEN,
    })
    expect(again.code).toBe(0)
  })

  it('run, for what verify found missing', async () => {
    await cli(['run', '1', ...place()])
    const data = join(folder, 'data')
    rmSync(join(data, 'doi-10.5072-FK2-TEST'), { recursive: true })
    const verify = await cli(['verify', data, '--wanted', join(folder, 'again.csv')])
    expect(verify.code).toBe(1)
    const again = await cli(printed(verify.stdout, 'run'), { REDIS_URL: redis.url })
    expect(again.code).toBe(0)
    expect(readFileSync(join(data, 'doi-10.5072-FK2-TEST', 'a.txt'), 'utf8')).toBe('a')
  })
})

describe('retry', () => {
  it('without a batch takes the newest one that has failures', async () => {
    await cli(['run', '2', ...place()])
    await cli(['run', '1', ...place(), '--to', join(folder, 'other')])
    const again = await cli(['retry', '--server', dataverse.url, '--redis', redis.url], { DATAVERSE_API_TOKEN: TOKEN })
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('1 failed file of')])
    const nothing = await cli(['retry', '--redis', redis.url, '--prefix', '{nobody}'])
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('no batch with failures')])
  })
})

describe('verify', () => {
  it.each([
    ['of a folder without records', (at: string) => writeFileSync(join(at, 'x'), 'x')],
    ['of an empty folder', () => undefined],
    ['of a folder that is not there', (at: string) => rmSync(at, { recursive: true })],
  ])('%s cannot start', async (_, make) => {
    make(folder)
    const { code, stdout, stderr } = await cli(['verify', folder])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toContain('no records of dataferry')
  })

  it('of a file cannot start', async () => {
    writeFileSync(join(folder, 'file'), '')
    expect((await cli(['verify', join(folder, 'file')])).code).toBe(3)
  })

  it('names planned files that never came, with what they failed with', async () => {
    await cli(['run', '1', '2', ...place()])
    const { code, stdout } = await cli(['verify', join(folder, 'data')])
    expect(code).toBe(1)
    expect(stdout).toContain('never fetched  doi-10.5072-FK2-TEST/secret.txt  (SOURCE_DENIED)')
    expect(stdout.replaceAll('\n', ' ')).toContain('1 right (1 B read), 1 never fetched')
  })

  it('names what was asked for and not tried, with the command that fetches it', async () => {
    await cli(['enqueue', '1', ...place()])
    const data = join(folder, 'data')
    const verify = await cli(['verify', data])
    expect([verify.code, verify.stdout]).toEqual([1, expect.stringContaining('a.txt  (not tried yet)')])
    expect((await cli(printed(verify.stdout, 'resume'), { REDIS_URL: redis.url })).code).toBe(0)
    expect((await cli(['verify', data])).code).toBe(0)
  })

  it('takes what was only planned for no damage, and names the command that fetches it', async () => {
    const data = join(folder, 'data')
    await cli(['plan', '1', ...place()])
    const nothing = await cli(['verify', data])
    expect([nothing.code, nothing.stderr]).toEqual([3, expect.stringContaining('was only planned')])
    expect(printed(nothing.stderr, 'resume')).toEqual(['resume', data])
    await cli(['run', '2', ...place()], { DATAVERSE_API_TOKEN: TOKEN })
    const verify = await cli(['verify', data])
    expect([verify.code, verify.stdout]).toEqual([0, expect.stringContaining('only planned: nobody has asked for its')])
    expect((await cli(printed(verify.stdout, 'resume'), { REDIS_URL: redis.url })).code).toBe(0)
    expect((await cli(['verify', data])).stdout).not.toContain('only planned')
  })
})

it('no advice promises what nobody is there to do any more', () => {
  for (const { advice } of Object.values(ERROR_CODES)) {
    expect(advice).not.toMatch(/dataferry (?:tries|waits|goes|starts|asks)|by itself|Nothing:|<\w+>/)
  }
})
