import { readFileSync } from 'node:fs'
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
