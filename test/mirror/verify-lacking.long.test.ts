import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { records } from '../e2e/cli.ts'
import { file } from './file.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'
const WRONG = { ...file('wrong.txt'), checksum: { type: 'MD5', value: '0'.repeat(32) } } as const
const SECRET = { ...file('secret.txt'), restricted: true }

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
})
afterEach(() => home.close())

async function mirrored(...layout: readonly string[]): Promise<void> {
  home.repository.deposit(A, [file('right.txt'), WRONG, SECRET], { collection: 'climate' })
  const scope = ['--collection', 'climate', ...layout]
  expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)).code).toBe(0)
  expect((await home.run()).code).toBe(1)
}

function lacking(text: string): unknown[] {
  return records(text).filter(({ state }) => state === 'unfetched')
}

const FOUND = [
  { path: expect.stringMatching(/wrong\.txt$/) as unknown, mirror: 'm', dataset: A, why: 'CHECKSUM_MISMATCH' },
]

const LAYOUTS = [[[]], [['--layout', 'ocfl']]]
const WAYS = [[[]], [['--quick']], [['--rolling', '30d']]]

describe.each(LAYOUTS)('files that a mirror could not fetch (%s)', (layout) => {
  it.each(WAYS)('are told as never fetched (verify %s)', async (how) => {
    await mirrored(...layout)
    const report = join(home.folder, 'report.ndjson')
    const json = await home.cli('verify', home.destination, ...how, '--json', '--report', report)
    expect(json.code).toBe(1)
    expect(lacking(json.stdout)).toMatchObject(FOUND)
    expect(lacking(readFileSync(report, 'utf8'))).toMatchObject(FOUND)
    const { code, stdout } = await home.cli('verify', home.destination, ...how)
    expect(code).toBe(1)
    expect(stdout).toMatch(/never fetched {2}\S+wrong\.txt {2}\(CHECKSUM_MISMATCH\)\n {4}of m, doi:10\.5072/)
    expect(stdout).toMatch(/ 1\snever\sfetched/)
    expect(stdout).not.toContain('secret')
    expect(stdout).toContain(`dataferry mirror run m --to `)
  })
})

it('a manifest of what is wrong leaves to the mirror what it lacks', async () => {
  await mirrored()
  const wanted = join(home.folder, 'again.csv')
  const { code, stderr, stdout } = await home.cli('verify', home.destination, '--wanted', wanted)
  expect([code, stderr]).toEqual([1, ''])
  expect(stdout).not.toContain('again.csv')
})

it('is all right once a run has fetched them', async () => {
  await mirrored()
  home.repository.updateCurrent(A, () => [file('right.txt'), file('wrong.txt')])
  expect((await home.run('--full')).code).toBe(0)
  expect(await home.cli('verify', home.destination)).toMatchObject({ code: 0 })
})

describe('records of a mirror', () => {
  const told = (text: string): unknown[] =>
    records(text).flatMap(({ event, state, why }) => (event === 'finding' && state === 'unreadable' ? [why] : []))

  it('that are damaged, missing or of no dataset are named, and what the others prove is verified all the same', async () => {
    home.repository.deposit(A, [file('a.txt')], { collection: 'climate' })
    home.repository.deposit('doi:10.5072/FK2/B', [file('b.txt')], { collection: 'climate' })
    await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'climate')
    await home.run()
    const at = join(home.destination, '.dataferry/mirrors/m')
    const [first = '', second = ''] = readdirSync(join(at, 'files')).map((name) => join(at, 'files', name))
    const { run } = JSON.parse(readFileSync(join(at, 'state.json'), 'utf8')) as { run: string }
    const list = join(at, 'runs', run, 'datasets.ndjson')
    const verify = async (): Promise<unknown[]> => {
      const { code, stdout, stderr } = await home.cli('verify', home.destination, '--json')
      const { ok, extra } = records(stdout).at(-1) ?? {}
      return [code, stderr, told(stdout), ok, extra]
    }
    const named = (path: string, what: string): string =>
      `${path.slice(home.destination.length + 1)} ${what}: put it back from a copy of the destination.`
    const [good, lines] = [readFileSync(first, 'utf8'), readFileSync(list, 'utf8')]
    writeFileSync(first, '{"v":1,')
    expect(await verify()).toEqual([1, '', [named(first, 'is damaged')], 3, 1])
    writeFileSync(first, good.replace('a.txt', 'x.txt'))
    expect((await verify()).slice(0, 3)).toEqual([1, '', [named(first, 'is not as the last run wrote it')]])
    rmSync(first)
    expect(await verify()).toEqual([1, '', [named(first, 'is missing')], 3, 1])
    expect(await home.cli('repair', home.destination)).toMatchObject({ code: 1 })
    writeFileSync(first, good)
    writeFileSync(list, lines.slice(0, lines.indexOf('\n') + 1))
    expect((await verify()).slice(0, 3)).toEqual([
      1,
      '',
      [named(list, `lacks the dataset of ${second.slice(home.destination.length + 1)}`)],
    ])
    writeFileSync(list, `{}\n${lines}`)
    expect(await verify()).toEqual([1, '', [named(list, 'has a damaged line, 1')], 4, 0])
    rmSync(list)
    expect((await verify()).slice(0, 3)).toEqual([1, '', [named(list, 'is missing')]])
    writeFileSync(list, lines)
    for (const name of ['state.json', 'mirror.json']) {
      const path = join(at, name)
      const text = readFileSync(path, 'utf8')
      writeFileSync(path, '{')
      expect((await verify()).slice(0, 3)).toEqual([1, '', [named(path, 'is damaged')]])
      rmSync(path)
      expect((await verify()).slice(0, 3)).toEqual([1, '', [named(path, 'is missing')]])
      writeFileSync(path, text)
    }
    expect(await verify()).toEqual([0, '', [], 4, 0])
  })

  it('of one that has never finished a run are told with the command that runs it', async () => {
    await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'climate')
    const { code, stderr } = await home.cli('verify', home.destination)
    expect([code, stderr]).toEqual([3, expect.stringContaining('The mirror m has never been run.')])
    expect(stderr).toContain(`  dataferry mirror run m --to ${home.destination}\n`)
    const pending = join(home.destination, '.dataferry/mirrors/m/pending')
    mkdirSync(pending)
    writeFileSync(join(pending, 'run.json'), '{}')
    expect(await home.cli('verify', home.destination)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('has not finished its first run') as unknown,
    })
  })
})
