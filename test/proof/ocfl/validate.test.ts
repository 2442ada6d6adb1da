import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { layoutNamed } from '../../../src/proof/ocfl/layout.ts'
import { diskTree } from '../../../src/proof/tree.ts'
import { BAD, GOOD, WARN, type FixtureRule } from './fixture-rules.ts'
import { ObjectDraft, rootOf, treeOf, validated } from './object-draft.ts'

const RELEASES = ['1.0', '1.1'] as const

const codesOf = (name: string): string[] => name.match(/[EW]\d{3}/g) ?? []

describe.each(RELEASES)('an object of OCFL %s', (release) => {
  const among = (rules: readonly FixtureRule[]) =>
    rules.filter(([, , { only } = {}]) => (only ?? release) === release).map((rule) => [rule[0], rule] as const)
  const made = ([, make, { versions, name, algorithm } = {}]: FixtureRule): Promise<
    Awaited<ReturnType<typeof validated>>
  > => {
    const draft = new ObjectDraft(release, versions, name, algorithm)
    make(draft)
    return validated(treeOf(draft.written()), 'object')
  }

  it.each(among(GOOD))('as of the good fixture %s is valid, and nothing is said of it', async (_, rule) => {
    expect((await made(rule)).findings).toEqual([])
  })

  it.each(among(WARN))('as of the fixture %s is valid, with exactly these warnings', async (_, rule) => {
    expect((await made(rule)).codes).toEqual([...new Set(codesOf(rule[0]))])
  })

  it.each(among(BAD))('as of the bad fixture %s is not valid, and the rule is named', async (_, rule) => {
    const { codes, findings } = await made(rule)
    expect(codes).toEqual(expect.arrayContaining(codesOf(rule[0])))
    expect(findings.every(({ message }) => /^[A-Z].*[.!…]$|inventory\.json$/s.test(message))).toBe(true)
  })
})

const ids = ['doi:10.5072/FK2/A', 'doi:10.5072/FK2/B']

describe('a storage root', () => {
  it.each(['0003', '0004', 'flat'])('with layout %s has its objects where that says', async (name) => {
    const layout = layoutNamed(name)
    const objects = Object.fromEntries(ids.map((id) => [layout?.pathOf(id) ?? '', id]))
    expect(await validated(treeOf(rootOf(objects, name)), 'root')).toMatchObject({ findings: [], objects: 2 })
  })

  it('with an object at another place than the layout says is valid, and the place is named', async () => {
    const { findings } = await validated(treeOf(rootOf({ 'abc/def/1': ids[0] ?? '' }, '0004')), 'root')
    expect(findings.map(({ code, path }) => [code, path])).toEqual([['W014', 'abc/def/1']])
    expect(findings[0]?.message).toContain(layoutNamed('0004')?.pathOf(ids[0] ?? ''))
  })

  it.each([
    ['E069', (files: Map<string, string>) => files.delete('0=ocfl_1.1')],
    ['E079', (files: Map<string, string>) => files.delete('0=ocfl_1.1') && files.set('0=ocfl_2.0', 'ocfl_2.0\n')],
    ['E076', (files: Map<string, string>) => files.set('0=ocfl_1.0', 'ocfl_1.0\n')],
    ['E080', (files: Map<string, string>) => files.set('0=ocfl_1.1', 'ocfl_1.1')],
    ['E070', (files: Map<string, string>) => files.set('ocfl_layout.json', '{"extension":"flat"}')],
    ['E071', (files: Map<string, string>) => files.set('ocfl_layout.json', '{"extension":"x","description":""}')],
    ['E072', (files: Map<string, string>) => files.set('a/stray.txt', '')],
    ['E073', (files: Map<string, string>) => files.set('a/empty/', '')],
    ['E003', (files: Map<string, string>) => files.delete('a/1/0=ocfl_object_1.1')],
    ['E112', (files: Map<string, string>) => files.set('extensions/stray.txt', '')],
    ['W016', (files: Map<string, string>) => files.set('extensions/mine/config.json', '{}')],
    ['note', (files: Map<string, string>) => files.set('extensions/dataferry-unfinished/1', '{}')],
    [
      'note',
      (files: Map<string, string>) =>
        files.set('ocfl_layout.json', '{"extension":"0011-direct-clean-path-layout","description":""}'),
    ],
    ['E092', (files: Map<string, string>) => files.set('a/1/v1/content/1.csv', 'changed!!\n')],
  ])('in which a rule is broken is told %s, and of nothing else', async (code, change) => {
    const files = rootOf({ 'a/1': ids[0] ?? '', 'b/1': ids[1] ?? '' })
    change(files)
    expect((await validated(treeOf(files), 'root')).codes).toEqual([code])
  })

  it('has each id once, and objects of no later version than itself, in one style', async () => {
    const files = rootOf({ 'a/1': ids[0] ?? '', 'b/1': ids[0] ?? '', top: ids[1] ?? '' })
    files.delete('0=ocfl_1.1')
    files.set('0=ocfl_1.0', 'ocfl_1.0\n')
    expect((await validated(treeOf(files), 'root')).codes).toEqual(['E081', 'E083', 'W015'])
  })

  it('may have objects whose content holds objects, and files of its own', async () => {
    const files = rootOf({ 'a/1': ids[0] ?? '' })
    files.set('README.md', 'mine')
    for (const [path, content] of new ObjectDraft('1.1').written()) files.set(`a/1/v2/content/in/${path}`, content)
    expect((await validated(treeOf(files), 'root')).codes).toEqual(['E023'])
  })

  it('is judged without reading content when that is asked for', async () => {
    const files = rootOf({ 'a/1': ids[0] ?? '' })
    files.set('a/1/v1/content/1.csv', 'changed!!\n')
    expect((await validated(treeOf(files), 'root', false)).codes).toEqual([])
    files.delete('a/1/v1/content/1.csv')
    expect((await validated(treeOf(files), 'root', false)).codes).toEqual(['E092'])
  })

  it('with names that are not UTF-8, pipes and folders that may not be read is judged to its end', async () => {
    const files = rootOf({ 'a/1': ids[0] ?? '' })
    const tree = treeOf(files)
    const list = async function* () {
      yield* tree.list()
      yield { path: 'a/1/v1/content/\ufffd', size: 0, kind: 'unreadable' } as const
      yield { path: 'a/pipe', size: 0, kind: 'other' } as const
      yield { path: 'closed', size: 0, kind: 'unreadable' } as const
    }
    files.set('a/1/v1/content/1.csv', 'content X\n')
    const { codes, findings } = await validated({ ...tree, list }, 'root')
    expect(codes).toEqual(['E089', 'E092', 'error'])
    expect(findings.filter(({ level }) => level === 'error')).toHaveLength(4)
  })

  it('on a disk is listed around a name that is not UTF-8', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'df-ocfl-'))
    try {
      const odd = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x61, 0xff])])
      await writeFile(odd, '')
      await writeFile(join(folder, 'b'), '')
      const kinds: string[] = []
      for await (const { kind } of diskTree(folder).list()) kinds.push(kind)
      expect(kinds.sort()).toEqual(['file', 'unreadable'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('of which an object lacks all of very many files is judged', async () => {
    const draft = new ObjectDraft('1.1')
    const content = Array.from({ length: 130_000 }, (_, n) => `v1/content/${n}`)
    draft.edit((inventory) => Object.values(inventory.manifest)[0]?.push(...content.slice(0, 1)))
    const text = JSON.stringify(draft.current).replace('"v1/content/0"', JSON.stringify(content).slice(1, -1))
    draft.files.set('inventory.json', text)
    const { findings } = await validated(treeOf(draft.written()), 'object', false)
    expect(findings.filter(({ code }) => code === 'E092')).toHaveLength(130_000)
  })

  it('with an id beyond all bounds is not valid', async () => {
    const draft = new ObjectDraft('1.1')
    draft.edit((inventory) => (inventory['id'] = `urn:${'x'.repeat(5_000)}`))
    const { codes, findings } = await validated(treeOf(draft.written()), 'object')
    expect(codes).toEqual(['E037'])
    expect(findings.every(({ message }) => message.length < 400)).toBe(true)
  })

  it('on a disk has no links, and none is followed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'df-ocfl-'))
    try {
      for (const [path, content] of rootOf({ 'a/1': ids[0] ?? '' })) {
        await mkdir(dirname(join(folder, path)), { recursive: true })
        await writeFile(join(folder, path), content)
      }
      await symlink('/etc', join(folder, 'a', 'out'))
      await mkdir(join(folder, 'a', 'empty'))
      const { findings } = await validated(diskTree(folder), 'root')
      expect(findings.map(({ code, path }) => `${code ?? ''} ${path}`).sort()).toEqual(['E073 a/empty', 'E090 a/out'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('of which an inventory is beyond all bounds is not valid, and its other objects are judged', async () => {
    const tree = treeOf(rootOf({ 'a/1': ids[0] ?? '' }))
    const mebibyte = Buffer.alloc(1 << 20, ' ')
    const endless = async function* () {
      for (;;) yield await Promise.resolve(mebibyte)
    }
    const read = (path: string) => (path === 'a/1/inventory.json' ? Promise.resolve(endless()) : tree.read(path))
    const { findings } = await validated({ ...tree, read }, 'root')
    expect(findings[0]).toMatchObject({ level: 'error', path: 'a/1/inventory.json' })
    expect(findings[0]?.message).toMatch(/^It is not read: it has more than/)
  })
})
