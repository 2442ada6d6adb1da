import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { file } from './file.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'
const B = 'doi:10.5072/FK2/B'
const ELSE = 'doi:10.5072/FK2/ELSE'

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  home.repository.deposit(A, [file('a.txt', 'alpha'), file('b.csv', 'beta', 'sub')], { collection: 'climate' })
  home.repository.deposit(B, [file('c.txt', 'gamma')], { collection: 'ice' })
  home.repository.deposit(ELSE, [file('e.txt', 'else')], { collection: 'other' })
})
afterEach(() => home.close())

async function create(...scope: readonly string[]): Promise<void> {
  expect(await tryCreate('m', ...scope)).toEqual([0, ''])
}

async function tryCreate(name: string, ...scope: readonly string[]): Promise<[code: number, stderr: string]> {
  const { code, stderr } = await home.cli('mirror', 'create', name, '--to', home.destination, ...scope)
  return [code, stderr]
}

/** A file of the user's own. @returns its path */
async function fileOf(text: string): Promise<string> {
  const path = join(home.folder, 'list.txt')
  await writeFile(path, text)
  return path
}

async function names(): Promise<readonly string[]> {
  return Object.keys(await home.files()).sort()
}

const FILE_A = 'doi-10.5072-FK2-A/a.txt'
const FILE_B = 'doi-10.5072-FK2-A/sub/b.csv'
const FILE_C = 'doi-10.5072-FK2-B/c.txt'
const FILE_E = 'doi-10.5072-FK2-ELSE/e.txt'

describe('a scope', () => {
  it.each([
    ['a collection with those within', ['--collection', 'climate'], [FILE_A, FILE_B, FILE_C]],
    ['several collections', ['--collection', 'ice', '--collection', 'other'], [FILE_C, FILE_E]],
    [
      'collections of which one lies in the other',
      ['--collection', 'ice', '--collection', 'climate'],
      [FILE_A, FILE_B, FILE_C],
    ],
    ['the whole installation', ['--collection', 'root'], [FILE_A, FILE_B, FILE_C, FILE_E]],
    ['a search', ['--query', `name:"Dataset ${B}"`], [FILE_C]],
    ['an OAI set, by the search that defines it', ['--oai-set', 'ice'], [FILE_C]],
    ['a list', ['--datasets', 'LIST'], [FILE_C, FILE_E]],
  ])('may be %s', async (_, scope, expected) => {
    home.server.set({ oaiSets: { ice: `name:"Dataset ${B}"` } })
    const list = await fileOf(`${B}\nhttps://doi.org/10.5072/FK2/ELSE\n${B}\n${B.toLowerCase()}\n`)
    await create(...scope.map((word) => (word === 'LIST' ? list : word)))
    const first = await home.run()
    expect([first.code, first.report.files]).toEqual([0, expect.objectContaining({ fetched: expected.length })])
    expect(await names()).toEqual(expected)
    const { report } = await home.run('--full')
    expect(report).toMatchObject({ complete: true, files: { fetched: 0, kept: expected.length } })
    expect(Object.keys(report.datasets)).toEqual(['unchanged'])
  })

  it('of a collection takes datasets that are only linked there with --linked alone', async () => {
    home.repository.link(ELSE, 'ice')
    await create('--collection', 'climate')
    expect((await home.run()).report.states).toEqual({ current: 2, linked: 1 })
    expect(await tryCreate('n', '--collection', 'climate', '--linked', '--to', join(home.folder, 'linked'))).toEqual([
      0,
      '',
    ])
    for (const more of [[], ['--full']]) {
      const { code } = await home.cli('mirror', 'run', 'n', '--to', join(home.folder, 'linked'), ...more)
      expect(code).toBe(0)
    }
    expect(await readdir(join(home.folder, 'linked'))).toContain('doi-10.5072-FK2-ELSE')
  })

  it('of a collection follows a dataset that is moved into it from where it was linked, and out again', async () => {
    home.repository.link(ELSE, 'ice')
    await create('--collection', 'climate')
    await home.run()
    home.repository.move(ELSE, 'climate')
    expect((await home.run()).report).toMatchObject({ states: { current: 3 }, files: { fetched: 1 } })
    home.repository.move(ELSE, 'other')
    expect((await home.run()).report.states).toEqual({ current: 2, 'out-of-scope': 1 })
    expect(await home.changes()).toEqual([`dataset-out-of-scope,${ELSE},"","","",""`])
    expect((await home.run('--full')).report.states).toEqual({ current: 2, 'out-of-scope': 1 })
    expect(await names()).toContain(FILE_E)
  })

  it('leaves harvested datasets out, whose files are elsewhere', async () => {
    home.server.world.dataset('doi:10.5072/FK2/H', {
      collection: 'climate',
      harvested: true,
      files: [file('h.txt', 'elsewhere')],
    })
    await create('--collection', 'climate')
    for (const more of [[], ['--full']]) {
      const { code, report } = await home.run(...more)
      expect([code, report.states, report['problems']]).toEqual([0, { current: 2 }, []])
    }
    expect(await names()).toEqual([FILE_A, FILE_B, FILE_C])
  })

  it('asks about harvested datasets by the page, not one by one', async () => {
    for (let n = 0; n < 5; n++) {
      const files = [file('h.txt', 'elsewhere')]
      home.server.world.dataset(`doi:10.5072/FK2/H${n}`, { collection: 'climate', harvested: true, files })
    }
    await create('--collection', 'climate')
    await home.run()
    // Two pages of each kind: the datasets, and that there are no more.
    expect((await home.run('--full')).report).toMatchObject({ states: { current: 2 }, requests: { search: 4 } })
  })

  it('that a search defines follows what the search finds', async () => {
    home.server.set({ oaiSets: { s: `name:"Dataset ${A}"` } })
    await create('--oai-set', 's')
    await home.run()
    home.server.set({ oaiSets: { s: `name:"Dataset ${B}"` } })
    const { code, report } = await home.run()
    expect([code, report.states]).toEqual([0, { current: 1, 'out-of-scope': 1 }])
    home.server.set({ oaiSets: {} })
    const refused = await home.cli('mirror', 'run', 'm', '--to', home.destination)
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('OAI set s')])
    home.server.set({ oaiSets: { s: '*' } })
    expect((await home.run()).report.states).toEqual({ current: 3 })
  })

  it('of a list names what the server does not know, and takes it once it is there', async () => {
    await create('--datasets', await fileOf(`${B}\ndoi:10.5072/FK2/LATER\n`))
    const { code, report } = await home.run()
    expect([code, report['problems']]).toEqual([1, [expect.objectContaining({ code: 'SOURCE_NOT_FOUND' })]])
    home.repository.deposit('doi:10.5072/FK2/LATER', [file('l', 'later')], { collection: 'other' })
    expect((await home.run()).report).toMatchObject({ complete: true, states: { current: 2 }, files: { fetched: 1 } })
  })

  it('of a list follows its datasets from collection to collection, and knows which have gone', async () => {
    await create('--datasets', await fileOf(`${A}\n${B}\n${ELSE}\n`))
    await home.run()
    home.repository.move(A, 'other')
    home.repository.deaccession(B, 'Wrong.')
    home.repository.destroy(ELSE)
    expect((await home.run()).report.states).toEqual({ current: 2, deaccessioned: 1 })
    expect((await home.run()).report.states).toEqual({ current: 1, deaccessioned: 1, gone: 1 })
    expect(await names()).toEqual([FILE_A, FILE_B, FILE_C, FILE_E])
  })
})

describe('a released dataset', () => {
  it.each(['versions?', 'versions/1.0/files', 'versions/1.0?'])(
    'of which %s is refused is a problem that the run names, whether anything of it is held or not',
    async (path) => {
      await create('--collection', 'climate')
      const refused = `/api/datasets/${home.server.world.datasetByPid(A, false)?.id ?? 0}/${path}`
      const refuse = (): void =>
        home.server.fault({ path: refused, steps: [{ kind: 'status', status: 403, body: 'json' }], repeat: true })
      const problems = [expect.objectContaining({ dataset: A, code: 'SOURCE_DENIED' })]
      refuse()
      const first = await home.run()
      expect([first.code, first.report['problems']]).toEqual([1, problems])
      expect(await names()).toEqual([FILE_C])
      home.server.clearFaults()
      expect((await home.run()).report).toMatchObject({ complete: true, files: { fetched: 2 } })
      home.repository.updateCurrent(A, (files) => files)
      refuse()
      const again = await home.run('--full')
      expect([again.code, again.report['problems'], again.report.states]).toEqual([1, problems, { current: 2 }])
    },
  )

  it.each([
    ['a search', ['--query', '*']],
    ['a collection', ['--collection', 'climate']],
  ])('that the index has lost is looked at with --full in a mirror of %s', async (_, scope) => {
    await create(...scope)
    await home.run()
    const lost = home.server.world.datasetByPid(A, false)
    if (lost) home.server.world.remove(lost)
    home.server.world.freezeIndex(true)
    home.repository.publish(A, (files) => [...files, file('late.txt', 'late')])
    expect((await home.run()).report).toMatchObject({ complete: true, files: { fetched: 0 } })
    expect((await home.run('--full')).report).toMatchObject({ complete: true, files: { fetched: 1 } })
    expect(await names()).toContain('doi-10.5072-FK2-A/late.txt')
  })
})

describe('filters', () => {
  it.each([
    ['--include', '*.txt', [FILE_A, FILE_C]],
    ['--include', 'sub/', [FILE_B]],
    ['--exclude', '*.txt', [FILE_B]],
    ['--min-size', '5', [FILE_A, FILE_C]],
    ['--max-size', '4', [FILE_B]],
  ])('%s %s leave out the rest, in every run', async (flag, value, expected) => {
    await create('--collection', 'climate', flag, value)
    expect((await home.run()).code).toBe(0)
    expect(await names()).toEqual(expected)
    expect((await home.run('--full')).report).toMatchObject({ complete: true, files: { fetched: 0, missing: 0 } })
    const ok = await home.cli('verify', home.destination)
    expect([ok.code, ok.stdout]).toEqual([0, expect.not.stringContaining('missing')])
  })

  it('keep aside a file that is renamed to a name that they leave out, and take it back', async () => {
    await create('--collection', 'climate', '--exclude', '*.bak')
    await home.run()
    home.repository.publish(A, (files) => files.map((one, at) => (at === 0 ? { ...one, label: 'a.bak' } : one)))
    expect((await home.run()).report.files).toMatchObject({ fetched: 0, superseded: 1 })
    expect(await names()).toEqual([FILE_B, FILE_C])
    home.repository.publish(A, (files) => files.map((one, at) => (at === 0 ? { ...one, label: 'a.txt' } : one)))
    expect((await home.run()).report.files).toMatchObject({ fetched: 0, moved: 1 })
    expect(await names()).toEqual([FILE_A, FILE_B, FILE_C])
  })
})

describe('a collection whose contents cannot be read', () => {
  it('is named, and the search tells what there is: nothing leaves, and nothing counts as looked at', async () => {
    await create('--collection', 'climate')
    await home.run()
    const { stdout: before } = await home.cli('mirror', 'status', 'm', '--to', home.destination)
    const since = /looked at since \S+/.exec(before)?.[0]
    home.repository.deposit('doi:10.5072/FK2/NEW', [file('n', 'new')], { collection: 'ice' })
    home.server.fault({ path: '/contents', steps: [{ kind: 'status', status: 403, body: 'json' }], repeat: true })
    const { code, report } = await home.run('--full')
    expect([code, report.states, report['why']]).toEqual([
      0,
      { current: 3 },
      expect.stringContaining('a collection cannot be read'),
    ])
    const { stdout: after } = await home.cli('mirror', 'status', 'm', '--to', home.destination)
    expect(since).toBeDefined()
    expect(after).toContain(since)
  })
})

describe('mirror create', () => {
  it('refuses a scope that overlaps another mirror of the same destination', async () => {
    await create('--collection', 'climate')
    home.server.set({ oaiSets: { s: `name:"Dataset ${B}"` } })
    for (const scope of [
      ['--collection', 'ice'],
      ['--collection', 'root'],
      ['--collection', 'other', '--collection', 'ice'],
      ['--query', '*'],
      ['--oai-set', 's'],
      ['--datasets', await fileOf(`${ELSE}\n${A}\n`)],
    ]) {
      expect(await tryCreate('n', ...scope)).toEqual([2, expect.stringContaining('mirror m')])
    }
    expect(await tryCreate('n', '--collection', 'other')).toEqual([0, ''])
  })

  it('refuses it also where datasets are in both by a link alone, and only there', async () => {
    home.repository.link(A, 'other')
    await create('--collection', 'climate')
    expect(await tryCreate('n', '--collection', 'other', '--linked')).toEqual([2, expect.stringContaining('mirror m')])
    expect(await tryCreate('n', '--collection', 'other')).toEqual([0, ''])
  })

  it('sees that two mirrors would take the same dataset by links', async () => {
    home.server.world.collection('third')
    home.repository.link(A, 'other')
    home.repository.link(A, 'third')
    await create('--collection', 'other', '--linked')
    expect(await tryCreate('n', '--collection', 'third', '--linked')).toEqual([2, expect.stringContaining('mirror m')])
    expect(await tryCreate('n', '--collection', 'third')).toEqual([0, ''])
  })

  it('does not take what is only linked into a collection for its own', async () => {
    home.repository.link(A, 'other')
    await create('--query', `name:"Dataset ${A}"`)
    expect(await tryCreate('n', '--collection', 'other')).toEqual([0, ''])
  })

  it('names what is wrong: no scope, an unknown collection, a name that is taken', async () => {
    expect((await tryCreate('m'))[0]).toBe(2)
    expect(await tryCreate('m', '--collection', 'nowhere')).toEqual([3, expect.stringContaining('nowhere')])
    await create('--collection', 'climate')
    expect(await tryCreate('m', '--collection', 'other')).toEqual([
      2,
      expect.stringContaining('has a mirror m already'),
    ])
    const { stderr } = await home.cli('mirror', 'run', 'x', '--to', home.destination)
    expect(stderr).toContain('it has only m')
  })

  it.each([
    [['--collection', 'climate', '--query', '*'], 'one of them'],
    [['--query', '*', '--linked'], '--linked goes with --collection'],
    [['--query', ' '], '--query is empty'],
    [['--oai-set', 'nowhere'], 'nowhere'],
    [['--query', 'name:"Nobody"'], 'finds no released dataset'],
    [['--collection', 'climate', '--min-size', '5', '--max-size', '4'], '--min-size'],
    [['--datasets', 'LIST'], 'names a version'],
  ])('refuses %j', async (scope, reason) => {
    const list = await fileOf(`kind,dataset,version\ndataset,${A},1.0\n`)
    const [code, stderr] = await tryCreate('m', ...scope.map((word) => (word === 'LIST' ? list : word)))
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining(reason)])
    expect([2, 3]).toContain(code)
    expect((await home.cli('mirror', 'list', '--to', home.destination)).stdout).not.toContain('climate')
  })
})

describe('a dataset that two mirrors of one destination hold', () => {
  it('since it was moved from the one to the other, has a folder in each', async () => {
    await create('--collection', 'climate')
    await home.run()
    expect(await tryCreate('n', '--collection', 'other')).toEqual([0, ''])
    home.repository.move(B, 'other')
    home.repository.publish(B, () => [file('c.txt', 'gamma 2')])
    expect((await home.run()).report.states).toEqual({ current: 1, 'out-of-scope': 1 })
    const run = await home.cli('mirror', 'run', 'n', '--to', home.destination)
    expect([run.code, run.stderr]).toEqual([0, expect.any(String)])
    const files = await home.files()
    expect(files[FILE_C]).toBe('gamma')
    expect(Object.values(files)).toContain('gamma 2')
    expect((await home.cli('verify', home.destination)).code).toBe(0)
  })
})
