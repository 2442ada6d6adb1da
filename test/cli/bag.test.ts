import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { mirrorHomes, type MirrorHome } from '../mirror/home.ts'

const open = mirrorHomes()
const PID = 'doi:10.5072/FK2/GRIDS'
const BAG = 'doi-10-5072-FK2-GRIDSv-1-0'

let home: MirrorHome
let bags: string
beforeEach(async () => {
  home = await open()
  bags = join(home.destination, '..', 'bags')
  home.repository.deposit(PID, [
    { label: 'a.csv', directory: 'raw', content: 'a,b\n1,2\n' },
    { label: 'read me.txt', content: 'Hello' },
  ])
  const to = ['--to', home.destination]
  expect((await home.cli('mirror', 'create', 'm', '--datasets', listed(PID), ...to)).code).toBe(0)
  expect((await home.run()).code).toBe(0)
})
afterEach(() => home.close())

function listed(...pids: readonly string[]): string {
  const file = join(home.destination, '..', 'datasets.txt')
  mkdirSync(join(home.destination, '..'), { recursive: true })
  writeFileSync(file, `${pids.join('\n')}\n`)
  return file
}

const bag = (...args: readonly string[]) => home.cli('bag', ...args, '--from', home.destination, '--to', bags)

it('a mirror becomes bags that are valid, as folder, ZIP and tar, and those that are there stay', async () => {
  for (const flags of [[], ['--zip'], ['--tar']]) {
    const { code, stdout } = await bag('m', ...flags)
    expect(code, stdout).toBe(0)
    expect(stdout).toContain('1 bag written')
  }
  expect(readdirSync(bags).sort()).toEqual([BAG, `${BAG}.tar`, `${BAG}.zip`])
  for (const name of readdirSync(bags)) {
    const checked = await home.cli('bag', 'check', join(bags, name))
    expect(checked.stdout).toMatch(/a valid bag \(BagIt\s1\.0\)/)
    expect(checked.code).toBe(0)
  }
  expect(readFileSync(join(bags, BAG, 'data/raw/a.csv'), 'utf8')).toBe('a,b\n1,2\n')
  // The mirror keeps only the version's own JSON: the rest is asked for.
  expect(readdirSync(join(bags, BAG, 'metadata')).sort()).toEqual([
    'datacite.xml',
    'dataset.json',
    'oai-ore.jsonld',
    'pid-mapping.txt',
  ])
  expect((await bag(PID)).stdout).toContain('there already')
})

it('what has the name of a bag and is another thing, or was made otherwise, is not taken for it', async () => {
  expect((await bag('m', '--zip')).code).toBe(0)
  const other = await home.cli('export', 'ro-crate', 'm', '--zip', '--from', home.destination, '--to', bags)
  expect(other.code).toBe(1)
  expect(other.stderr).toMatch(/is there, and is something else, or was made with other flags/)
  for (const flags of [
    ['--algorithm', 'md5'],
    ['--profile', 'dataverse'],
  ]) {
    const { code, stdout } = await bag('m', '--zip', ...flags)
    expect(code, stdout).toBe(1)
    expect(stdout).toContain('1 could not be made')
  }
  expect((await bag('m', '--zip')).stdout).toContain('there already')
  writeFileSync(join(bags, `${BAG}.zip`), 'something')
  expect((await bag('m', '--zip')).code).toBe(1)
})

it('a batch becomes a bag of each dataset, or one of all', async () => {
  const other = join(home.destination, '..', 'data')
  const ran = await home.cli('run', '-m', listed(PID), '--to', other, '--json')
  expect(ran.code).toBe(0)
  const batch = readdirSync(join(other, '.dataferry')).find((name) => name.startsWith('datasets')) ?? ''
  const flags = ['--from', other, '--to', bags]
  expect((await home.cli('bag', batch, ...flags)).code).toBe(0)
  expect((await home.cli('bag', batch, '--per', 'batch', ...flags)).code).toBe(0)
  expect(readdirSync(bags).sort()).toEqual([batch, BAG].sort())
  expect(existsSync(join(bags, batch, 'data', 'doi-10.5072-FK2-GRIDS', 'raw', 'a.csv'))).toBe(true)
  expect((await home.cli('bag', 'check', join(bags, batch))).code).toBe(0)
})

it('with --link the payload costs no space, and is read all the same', async () => {
  expect((await bag('m', '--link')).code).toBe(0)
  const file = join(home.destination, 'doi-10.5072-FK2-GRIDS', 'raw', 'a.csv')
  expect(statSync(join(bags, BAG, 'data/raw/a.csv')).ino).toBe(statSync(file).ino)
  expect((await home.cli('bag', 'check', join(bags, BAG))).code).toBe(0)
})

it('a file that has changed since it came is named, its dataset is not bagged, and the exit code says so', async () => {
  writeFileSync(join(home.destination, 'doi-10.5072-FK2-GRIDS', 'raw', 'a.csv'), 'a,b\n1,3\n')
  const { code, stderr } = await bag('m')
  expect(code).toBe(1)
  expect(stderr).toMatch(/raw\/a\.csv is not what was fetched/)
  expect(readdirSync(bags)).toEqual([])
})

it('without its server a bag is made of what is kept only if that is asked for', async () => {
  await home.server.close()
  const asked = await bag('m')
  expect(asked.code).toBe(3)
  expect(asked.stderr).toContain('--offline')
  expect((await bag('m', '--offline')).code).toBe(0)
  expect(readdirSync(join(bags, BAG, 'metadata'))).toEqual(['dataset.json', 'pid-mapping.txt'])
})

it('a dataset that its server refuses is named, and the others are bagged', async () => {
  const other = 'doi:10.5072/FK2/OTHER'
  home.repository.deposit(other, [{ label: 'b.csv', content: 'b' }])
  const data = join(home.destination, '..', 'data')
  expect((await home.cli('run', '-m', listed(PID, other), '--to', data)).code).toBe(0)
  const batch = readdirSync(join(data, '.dataferry')).find((name) => name.startsWith('datasets')) ?? ''
  home.server.fault({ path: '/versions', steps: [{ kind: 'status', status: 403, body: 'json' }] })
  const { code, stdout, stderr } = await home.cli('bag', batch, '--from', data, '--to', bags)
  expect(code, stderr).toBe(1)
  expect(stdout).toContain('1 bag written, 1 could not be made')
  expect(stderr).toContain('--offline')
})

it('what a profile asks for and nobody gave is named, and nothing is written', async () => {
  const { code, stderr } = await bag('m', '--profile', 'aptrust', '--tar')
  expect(code).toBe(1)
  expect(stderr).toMatch(/bag-info\.txt needs Source-Organization; aptrust-info\.txt needs Access/)
  expect(existsSync(bags) ? readdirSync(bags) : []).toEqual([])
  const given = ['--info', 'Source-Organization: An Archive', '--info', 'Access: Institution']
  expect((await bag('m', '--profile', 'aptrust', '--tar', ...given)).code).toBe(0)
  const checked = await home.cli('bag', 'check', join(bags, `${BAG}.tar`), '--profile', 'aptrust')
  expect(checked.code, checked.stdout).toBe(0)
})

it('what cannot be meant is said in one sentence', async () => {
  expect((await home.cli('bag', 'm', '--to', bags)).stderr).toContain('--from')
  expect((await home.cli('bag', 'm', '--from', home.destination)).stderr).toContain('--to')
  expect((await bag('nothing')).stderr).toContain('has no mirror, batch or dataset nothing')
  expect((await bag('m', '--zip', '--tar')).code).toBe(2)
  const inside = ['--from', home.destination, '--to', join(home.destination, 'bags')]
  expect((await home.cli('bag', 'm', ...inside)).stderr).toContain('in it')
  for (const [words, why] of [
    [['bag', 'check', bags, '--to', bags], '--to means nothing for bag check'],
    [['bag', 'complete', bags, '--profile', 'rda'], '--profile means nothing for bag complete'],
    [['bag', 'complete', bags], 'cannot be completed: there is nothing'],
    [['bag', 'complete', listed(PID)], 'cannot be completed: it is not a folder: unpack the bag first'],
    [['bag', 'm', '--from', join(home.destination, '.dataferry'), '--to', bags], 'among the records of a destination'],
    [['verify', bags], `compare with: ${bags} has no records`],
  ] as const) {
    expect((await home.cli(...words)).stderr).toContain(why)
  }
})

it('a bag with holes is filled from its server, verified; what nobody named is not asked, what is wrong does not show', async () => {
  const content = 'a,b\n1,2\n'
  const id = home.repository.files(PID)[0]?.id ?? 0
  const root = join(bags, 'holey')
  mkdirSync(join(root, 'data'), { recursive: true })
  const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
  const url = `${home.server.url}/api/access/datafile/${id}?gbrecs=true`
  writeFileSync(join(root, 'bagit.txt'), 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n')
  const names = ['100%25.csv', 'b.csv', 'c.csv']
  writeFileSync(
    join(root, 'manifest-md5.txt'),
    names.map((name, at) => `${md5(at === 1 ? 'else' : content)}  data/${name}\n`).join(''),
  )
  writeFileSync(
    join(root, 'fetch.txt'),
    `${url} ${content.length} data/100%25.csv\n${url} - data/b.csv\nhttp://169.254.169.254/latest - data/c.csv\n`,
  )
  const { code, stdout } = await home.cli('bag', 'complete', root)
  expect(code).toBe(1)
  expect(stdout).toMatch(/fetched {2}data\/100%\.csv/)
  expect(stdout).toMatch(/failed {2}data\/b\.csv {2}data\/b\.csv is not what manifest-md5\.txt says/)
  expect(stdout).toMatch(/failed {2}data\/c\.csv {2}169\.254\.169\.254 was not asked/)
  expect(readdirSync(join(root, 'data'))).toEqual(['100%.csv'])
  expect(readFileSync(join(root, 'data/100%.csv'), 'utf8')).toBe(content)
  expect(readdirSync(bags)).toEqual(['holey'])
  rmSync(join(root, 'fetch.txt'))
  writeFileSync(join(root, 'manifest-md5.txt'), `${md5(content)}  data/100%25.csv\n`)
  expect((await home.cli('bag', 'check', root)).code).toBe(0)
})

it('a dataset that was deaccessioned is handed on, and that is said', async () => {
  home.repository.deaccession(PID, 'Wrong units.')
  await home.run()
  const bagged = await bag(PID)
  expect([bagged.code, bagged.stderr]).toEqual([0, expect.stringContaining('was deaccessioned on its server')])
  const exported = await home.cli('export', 'ocfl', 'm', '--from', home.destination, '--to', `${bags}-ocfl`)
  expect([exported.code, exported.stderr]).toEqual([0, expect.stringContaining('(“Wrong units.”)')])
})

it('a statement of a name that is not there names what is there', async () => {
  const statement = (from: string) => home.cli('export', 'statement', 'all', '--from', from)
  expect((await statement(home.destination)).stderr).toMatch(/no batch or mirror all; it has m/)
  expect((await statement(join(bags, 'nowhere'))).stderr).toMatch(/There is nothing to state: \S+ has no records/)
})
