import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openLogFile } from '../../src/cli/log-file.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { runInProcess } from './in-process.ts'

const ESCAPE = '\u001b[2J'
let dataverse: StandIn
let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'df-log-'))
  const world = new World()
  world.dataset('doi:10.5072/FK2/ABCDEF', { files: [{ id: 1, label: 'a.txt', content: 'alpha' }] })
  dataverse = await startDataverse({ world, tokens: { 'a-secret-token': { user: '@jane' } } })
})
afterAll(async () => {
  await dataverse.close()
  await rm(cwd, { recursive: true })
})

const linesOf = async (file: string): Promise<Record<string, unknown>[]> =>
  (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

it('a log file that cannot be opened is said in one sentence, with exit code 2', async () => {
  const pipe = join(cwd, 'nobody-reads')
  spawnSync('sh', ['-c', 'mkfifo "$1"', 'sh', pipe])
  for (const path of [join(cwd, 'nowhere', 'x.log'), cwd, pipe]) {
    const { code, stderr } = await runInProcess(['config', '--log-file', path], { cwd })
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^dataferry: The log file .* cannot be opened: E\w+: .*\n {2}Name another one with --log-file\.\n$/,
    )
  }
})

it('a log is not added to a file of a destination that is no log, or put among its records', async () => {
  const data = join(cwd, 'data')
  await mkdir(join(data, '.dataferry'), { recursive: true })
  await writeFile(join(data, 'a.csv'), 'a,b')
  await symlink('data/a.csv', join(cwd, 'link'))
  for (const path of [join(data, 'a.csv'), join(cwd, 'link'), join(data, '.dataferry', 'new.log')]) {
    const { code, stderr } = await runInProcess(['config', '--log-file', path], { cwd })
    expect([code, stderr]).toEqual([2, expect.stringContaining('in a destination of dataferry, and is no log')])
  }
  expect(await readFile(join(data, 'a.csv'), 'utf8')).toBe('a,b')
  for (let turn = 0; turn < 2; turn++) {
    expect((await runInProcess(['config', '--log-file', join(data, 'run.log')], { cwd })).code).toBe(0)
  }
})

it('a log file has begin and end of each command, is added to, and is its owner’s to read', async () => {
  const file = join(cwd, 'a.log')
  await runInProcess(['config', '--log-file', file], { cwd })
  const { stderr } = await runInProcess(['plan', `x${ESCAPE}`, '--log-file', 'a.log'], { cwd })
  expect(stderr).not.toContain('"level"')
  expect(await linesOf(file)).toMatchObject([
    { msg: 'command begins', command: 'config' },
    { msg: 'command ended', command: 'config', code: 0 },
    { msg: 'command begins', command: 'plan' },
    { msg: 'command ended', command: 'plan', code: 2, problem: expect.any(String) as string },
  ])
  expect(await readFile(file, 'utf8')).not.toContain('\u001b')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

it('with --log-level debug it has every request, without secrets', async () => {
  const file = join(cwd, 'debug.log')
  const env = { DATAVERSE_SERVER: dataverse.url, DATAVERSE_API_TOKEN: 'a-secret-token' }
  const args = ['plan', '1', '--to', join(cwd, 'to'), '--log-file', file, '--log-level', 'debug']
  expect((await runInProcess(args, { cwd, env })).code).toBe(0)
  const requests = (await linesOf(file)).filter(({ msg }) => msg === 'request')
  expect(requests).toContainEqual(
    expect.objectContaining({ method: 'GET', url: `${dataverse.url}/api/files/1`, status: 200 }),
  )
  expect(await readFile(file, 'utf8')).not.toContain('a-secret-token')
})

it.runIf(existsSync('/dev/full'))('a disk that fills under a log stops nothing, and is said once', () => {
  const lost: string[] = []
  const sheet = openLogFile('/dev/full', (reason) => lost.push(reason))
  for (let i = 0; i < 3; i += 1) sheet.write('{"msg":"x"}\n')
  expect(lost).toEqual([expect.stringContaining('ENOSPC')])
})
