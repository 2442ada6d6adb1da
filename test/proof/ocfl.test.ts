import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { systemCode } from '../../src/errors.ts'
import { newOwner } from '../../src/process/process-identity.ts'
import { readInventory, type Inventory } from '../../src/proof/ocfl/inventory.ts'
import { LAYOUT_NAMES } from '../../src/proof/ocfl/layout.ts'
import { unfinishedIn, type UnfinishedVersion } from '../../src/proof/ocfl/unfinished.ts'
import { writeVersion, type Written } from '../../src/proof/ocfl/write-version.ts'
import { diskTree } from '../../src/proof/tree.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { rounds } from '../rounds.ts'
import { histories, ID, restored, type History } from './ocfl-history.ts'
import { deadProcess } from '../sinks/disk/dead-process.ts'
import { held, NOW } from './held.ts'
import { validated } from './ocfl/object-draft.ts'
import { addVersion, type Added } from './ocfl/add-version.ts'
import { layoutOf, useStorageRoot } from './ocfl/use-storage-root.ts'

const home = useStorageRoot()
const { signal } = new AbortController()

async function add(
  number: string,
  contents: Readonly<Record<string, string>>,
  { name = '0004', ...more }: Omit<Partial<Added>, 'number' | 'contents'> & { readonly name?: string } = {},
): Promise<Written> {
  return addVersion(await home.open(name), { number, contents, ...more })
}

async function inventory(path = home.objectPath()): Promise<Inventory> {
  const found = readInventory(await readFile(join(path, 'inventory.json')))
  if (!found) throw new Error('no inventory')
  return found
}

it('any history of a dataset comes back version by version, with its content once', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history: History) => {
      await rm(home.path, { recursive: true, force: true })
      for (const [at, contents] of history.entries()) expect(await add(`${at + 1}.0`, contents)).toBe('written')
      for (const [at, contents] of history.entries()) {
        expect(await restored(home.objectPath(), `v${at + 1}`)).toEqual(contents)
      }
      const different = new Set(history.flatMap((contents) => Object.values(contents)))
      expect(Object.keys((await inventory()).manifest)).toHaveLength(different.size)
    }),
    rounds(25),
  )
})

it.each(LAYOUT_NAMES)(
  'objects are where the layout %s says, and a later run finds them without being told',
  async (name) => {
    await add('1.0', { a: '1' }, { name })
    const { objects, layout: found } = await home.open()
    expect(found.pathOf(ID)).toBe(layoutOf(name).pathOf(ID))
    expect(await objects.read(`${found.pathOf(ID)}/0=ocfl_object_1.1`)).toEqual(Buffer.from('ocfl_object_1.1\n'))
  },
)

it('paths are those of the examples of the layout extensions', () => {
  expect(layoutOf('0004').pathOf('object-01')).toBe(
    '3c0/ff4/240/3c0ff4240c1e116dba14c7627f2319b58aa3d77606d0d90dfc6161608ac987d4',
  )
  expect(layoutOf('0003').pathOf('..hor/rib:le-$id')).toBe('487/326/d8c/%2e%2ehor%2frib%3ale-%24id')
  expect(layoutOf('flat').pathOf('doi:10.5072/FK2/A')).toBe('doi%3a10%2e5072%2fFK2%2fA')
})

it('an object has message, user, time and further digests of each version', async () => {
  await add('1.0', { 'raw/a.csv': 'one' })
  await add('2.0', { 'b.csv': 'one' })
  const { versions, fixity, manifest, head } = await inventory()
  expect(head).toBe('v2')
  expect(versions['v2']).toMatchObject({
    created: '2026-01-02T03:04:05.000Z',
    message: 'Version 2.0 of doi:10.5072/FK2/GRIDS, fetched from https://demo.dataverse.org by dataferry',
    user: { name: 'An Archive', address: 'mailto:a@example.org' },
  })
  const md5 = createHash('md5').update('one').digest('hex')
  expect(fixity).toEqual({ md5: { [md5]: ['v1/content/raw/a.csv'] } })
  expect(Object.values(manifest)).toEqual([['v1/content/raw/a.csv']])
  expect(await readdir(join(home.objectPath(), 'v2'))).toEqual(['inventory.json', 'inventory.json.sha512'])
})

it('a version that is there is not written again; one that changed under its number becomes one more', async () => {
  await add('1.0', { a: '1' })
  expect(await add('1.0', { a: '1' })).toBe('there')
  expect(await add('1.0', { a: '2' })).toBe('written')
  expect((await inventory()).head).toBe('v2')
  await add('3.0', { a: '3' })
  expect(await add('1.0', { a: '1' })).toBe('there')
  expect(await add('2.0', { a: '2' })).toBe('older')
})

it('an older version is there only with the files that it has', async () => {
  await add('1.0', { a: '1', b: '2' }, { metadata: { 'dataset.json': '{}' } })
  await add('2.0', { a: '3' })
  expect(await add('1.0', { a: '1', b: '2' })).toBe('there')
  for (const contents of [{ a: '1', b: '3' }, { a: '1' }, { a: '1', b: '2', c: '1' }, { a: '1', c: '2' }]) {
    expect(await add('1.0', contents)).toBe('older')
  }
})

it('metadata that a later run cannot get stays with its version, and goes with no other', async () => {
  await add('1.0', { a: '1' }, { metadata: { 'dataset.json': '{}', 'datacite.xml': '<a/>' } })
  expect(await add('1.0', { a: '1' })).toBe('there')
  expect(await add('1.0', { a: '2' }, { metadata: { 'dataset.json': '{"new":1}' } })).toBe('written')
  expect(await restored(home.objectPath(), 'v2')).toEqual({
    a: '2',
    '.dataverse/dataset.json': '{"new":1}',
    '.dataverse/datacite.xml': '<a/>',
  })
  await add('2.0', { a: '2' })
  expect(await restored(home.objectPath(), 'v3')).toEqual({ a: '2' })
})

it('a disk that refuses is said so, with the object that could not be written', async () => {
  await add('1.0', { a: '1' })
  const { holding, read } = held({ ['x'.repeat(300)]: 'new' })
  const dataset = { pid: ID, server: 'https://x.org', number: '2.0', releasedAt: undefined }
  const subject = { holding: { ...holding, dataset }, metadata: new Map(), read, onFile: () => undefined }
  const options = { algorithm: 'sha512', user: { name: 'x' }, now: NOW, signal } as const
  const opened = await home.open('0004')
  await expect(writeVersion(opened, subject, options)).rejects.toMatchObject({
    code: 'SINK_DENIED',
    message: expect.stringContaining(`Cannot write the object of ${ID}`) as string,
  })
})

it.each([
  ['emptied', (path: string) => writeFile(join(path, 'v1/content/b'), ''), /v1\/content\/b has 0 bytes/],
  ['shortened', (path: string) => writeFile(join(path, 'v1/content/b'), 'x'), /b has 1 bytes, and should have 3/],
  ['missing', (path: string) => rm(join(path, 'v1/content/b')), /v1\/content\/b is missing/],
  ['extra', (path: string) => writeFile(join(path, 'v1/content/more'), ''), /does not know v1\/content\/more/],
] as const)(
  'no version is added to an object of which content is %s, nor is it said to be there',
  async (_, harm, why) => {
    await add('1.0', { a: 'one', b: 'two' }, { metadata: { 'dataset.json': '{}' } })
    await harm(home.objectPath())
    const refused = { code: 'OCFL_REFUSED', message: expect.stringMatching(why) as string }
    await expect(add('2.0', { b: 'two', c: 'new' })).rejects.toMatchObject(refused)
    await expect(add('1.0', { a: 'one', b: 'two' })).rejects.toMatchObject(refused)
    expect((await inventory()).head).toBe('v1')
  },
)

it('an object that another program has touched is refused, and stays as it was', async () => {
  await add('1.0', { a: '1' })
  const path = join(home.objectPath(), 'v1', 'inventory.json')
  const before = await readFile(path, 'utf8')
  await writeFile(path, before.replace('fetched from', 'made at'))
  await expect(add('2.0', { a: '2' })).rejects.toMatchObject({ code: 'OCFL_REFUSED' })
  const text = (await readFile(path)).toString().replace(/"message": "[^"]*"/, '"message": "Edited"')
  const sidecar = `${createHash('sha512').update(text).digest('hex')} inventory.json\n`
  for (const at of ['', 'v1']) {
    await writeFile(join(home.objectPath(), at, 'inventory.json'), text)
    await writeFile(join(home.objectPath(), at, 'inventory.json.sha512'), sidecar)
  }
  await expect(add('2.0', { a: '2' })).rejects.toThrow(/another program wrote v1/)
  expect((await readdir(home.objectPath())).sort()).toEqual([
    '0=ocfl_object_1.1',
    'inventory.json',
    'inventory.json.sha512',
    'v1',
  ])
})

it('a version that was interrupted between its steps is finished by the next run', async () => {
  await add('1.0', { a: '1' })
  const old = {
    inventory: await readFile(join(home.objectPath(), 'inventory.json')),
    sidecar: await readFile(join(home.objectPath(), 'inventory.json.sha512')),
  }
  await add('2.0', { a: '2' })
  const whole = await readFile(join(home.objectPath(), 'inventory.json'))
  for (const sidecar of [old.sidecar, undefined]) {
    await writeFile(join(home.objectPath(), 'inventory.json'), old.inventory)
    if (sidecar) await writeFile(join(home.objectPath(), 'inventory.json.sha512'), sidecar)
    expect(await add('2.0', { a: '2' })).toBe('there')
    expect(await readFile(join(home.objectPath(), 'inventory.json'))).toEqual(whole)
  }
})

/** What a process of another machine left: whether it lives is told by its heartbeat alone. */
const ELSEWHERE = '0123456789ab-999999999-1-0123abcd'

it.each([
  ['has no heartbeat any more', undefined],
  ['had its last heartbeat long ago', new Date(0)],
  ['lives', new Date()],
] as const)('what is being made on another machine goes when its process %s', async (_, beat) => {
  await add('1.0', { a: '1' })
  const left = join(home.path, 'extensions', `dataferry-staging-${ELSEWHERE}`)
  await mkdir(join(left, 'new', 'v1'), { recursive: true })
  if (beat) {
    await writeFile(join(left, `${ELSEWHERE}.alive`), '.')
    await utimes(join(left, `${ELSEWHERE}.alive`), beat, beat)
  }
  await add('2.0', { a: '2' })
  const lives = beat !== undefined && beat.getTime() > 0
  expect((await readdir(join(home.path, 'extensions'))).sort()).toEqual([
    '0004-hashed-n-tuple-storage-layout',
    ...(lives ? [`dataferry-staging-${ELSEWHERE}`] : []),
  ])
})

const STEPS = ['v2', 'inventory.json', 'inventory.json.sha512']

it.each([0, 1, 2, 3])(
  'a version whose writer was killed after %i of the renames that show it is finished, or leaves nothing, when another object is written',
  async (renames) => {
    await add('1.0', { a: '1' })
    const before = await everyFile(home.objectPath())
    await add('2.0', { a: '2' })
    const after = await everyFile(home.objectPath())
    // As the disk is then: what was not renamed yet is where the version grew, with a note of what it is.
    const left = join(home.path, 'extensions', `dataferry-staging-${newOwner(await deadProcess())}`)
    await mkdir(join(left, 'new'), { recursive: true })
    for (const name of STEPS.slice(renames)) await rename(join(home.objectPath(), name), join(left, 'new', name))
    for (const [path, content] of before) if (!path.startsWith('v')) await rewriteIfMissing(path, content)
    const object = relative(home.path, home.objectPath())
    await writeFile(join(left, 'publishing.json'), JSON.stringify({ object, version: 'v2' }))
    const isBroken = renames === 1 || renames === 2
    expect(await showing()).toEqual(isBroken ? [{ path: object, version: 'v2' }] : [])
    expect(await errors()).toEqual(isBroken ? expect.arrayContaining([renames === 1 ? 'E046' : 'E060']) : [])
    await add('1.0', { b: '1' }, { pid: 'doi:10.5072/FK2/OTHER' })
    expect(await everyFile(home.objectPath())).toEqual(renames === 0 ? before : after)
    expect(await errors()).toEqual([])
    expect(await showing()).toEqual([])
    expect(await readdir(join(home.path, 'extensions'))).toEqual(['0004-hashed-n-tuple-storage-layout'])
  },
)

it.each([
  ['leads out of the root', JSON.stringify({ object: '../other', version: 'v2' })],
  ['names no version', JSON.stringify({ object: 'a/b', version: '../v2' })],
  ['was cut short', '{"object":"a/b","ver'],
  ['is huge', JSON.stringify({ object: 'a/b', version: 'v2', more: 'x'.repeat(20_000) })],
])('nothing is done on the strength of a note of an unfinished version that %s', async (_, note) => {
  await add('1.0', { a: '1' })
  const left = join(home.path, 'extensions', `dataferry-staging-${newOwner(await deadProcess())}`)
  await mkdir(join(left, 'new'), { recursive: true })
  await writeFile(join(left, 'new', 'inventory.json'), '{}')
  await writeFile(join(left, 'publishing.json'), note)
  const before = await everyFile(home.objectPath())
  expect(await showing()).toEqual([])
  await add('1.0', { b: '1' }, { pid: 'doi:10.5072/FK2/OTHER' })
  expect(await everyFile(home.objectPath())).toEqual(before)
  expect(await readdir(join(home.path, 'extensions'))).toEqual(['0004-hashed-n-tuple-storage-layout'])
})

async function everyFile(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for await (const { path } of diskTree(folder).list()) files.set(path, await readFile(join(folder, path), 'utf8'))
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function rewriteIfMissing(path: string, content: string): Promise<void> {
  await writeFile(join(home.objectPath(), path), content, { flag: 'wx' }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error
  })
}

async function errors(): Promise<readonly string[]> {
  const { findings } = await validated(diskTree(home.path), 'root')
  return findings.flatMap(({ level, code }) => (level === 'error' && code ? [code] : []))
}

async function showing(): Promise<readonly UnfinishedVersion[]> {
  const found: UnfinishedVersion[] = []
  for await (const one of unfinishedIn(diskSink(home.path), '', signal)) found.push(one)
  return found
}

it('a folder that is something else, a root of another version and another layout are refused', async () => {
  await mkdir(home.path)
  await writeFile(join(home.path, 'mine.txt'), '')
  await expect(add('1.0', {})).rejects.toThrow(/no OCFL storage root, and not empty/)
  await rm(home.path, { recursive: true })
  await add('1.0', { a: '1' })
  await expect(add('1.0', { a: '1' }, { name: 'flat' })).rejects.toThrow(/has the layout 0004/)
  await rename(join(home.path, '0=ocfl_1.1'), join(home.path, '0=ocfl_1.0'))
  await expect(add('2.0', {})).rejects.toThrow(/another version/)
})

it('a root that says no layout is written to while nothing is in it, and refused then', async () => {
  await mkdir(home.path)
  await writeFile(join(home.path, '0=ocfl_1.1'), 'ocfl_1.1\n')
  await add('1.0', { a: '1' }, { name: '0003' })
  expect(await errors()).toEqual([])
  await rm(join(home.path, 'ocfl_layout.json'))
  await expect(add('2.0', { a: '2' })).rejects.toThrow(/does not say which storage layout it has/)
})

it('nothing is written behind a link', async () => {
  await add('1.0', { a: '1' })
  const outside = join(home.folder, 'outside')
  for (const linked of [home.objectPath(), dirname(home.objectPath())]) {
    await rename(linked, outside)
    await symlink(outside, linked)
    const before = await everyFile(outside)
    const refused = { code: 'OCFL_REFUSED', message: expect.stringContaining(`${linked} is a link`) as string }
    await expect(add('2.0', { a: '2' })).rejects.toMatchObject(refused)
    expect(await everyFile(outside)).toEqual(before)
    await rm(linked)
    await rename(outside, linked)
  }
})

it('several writers of an object at once are each told that it is written, or write it; none calls it changed', async () => {
  for (let n = 1; n <= 8; n++) {
    const ends = await Promise.allSettled([1, 2, 3].map((k) => add(`${n}.0`, { a: `${n}`, [`by ${k}`]: `${n}` })))
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'SINK_BUSY' })
    expect(await errors()).toEqual([])
  }
})

it('settings that the layout of a root cannot have are told from a layout that is not known', async () => {
  await add('1.0', { a: '1' })
  const config = join(home.path, 'extensions/0004-hashed-n-tuple-storage-layout/config.json')
  await writeFile(config, '{"extensionName":"0004-hashed-n-tuple-storage-layout","tupleSize":99}')
  await expect(add('2.0', { a: '2' })).rejects.toThrow(/settings of its storage layout/)
  await writeFile(
    join(home.path, 'ocfl_layout.json'),
    '{"extension":"0006-flat-omit-prefix-storage-layout","description":""}',
  )
  await expect(add('2.0', { a: '2' })).rejects.toThrow(/a storage layout that dataferry does not know/)
})

it('bytes that changed since they came are in no version', async () => {
  const { holding } = held({ a: 'right' })
  const dataset = { pid: ID, server: 'https://x.org', number: '1.0', releasedAt: undefined }
  const { read } = held({ a: 'wrong' })
  const subject = { holding: { ...holding, dataset }, metadata: new Map(), read, onFile: () => undefined }
  const options = { algorithm: 'sha512', user: { name: 'x' }, now: NOW, signal } as const
  const opened = await home.open('0004')
  await expect(writeVersion(opened, subject, options)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  expect((await readdir(home.path)).sort()).toEqual(['0=ocfl_1.1', 'extensions', 'ocfl_layout.json'])
  expect(await readdir(join(home.path, 'extensions'))).toEqual(['0004-hashed-n-tuple-storage-layout'])
})

it.each([[['a', 'a']], [['a', 'a/b']], [['a/b', 'a']], [['.dataverse/dataset.json']]])(
  'paths %j, of which one would be written over another, are refused by name',
  async (paths) => {
    const { holding, read } = held(Object.fromEntries(paths.map((path, at) => [`${at}${path}`, `content ${at}`])))
    const files = (async function* () {
      let at = 0
      for await (const file of holding.files) yield { ...file, path: paths[at++] ?? '' }
    })()
    const dataset = { pid: ID, server: 'https://x.org', number: '1.0', releasedAt: undefined }
    const metadata = new Map([['dataset.json', Buffer.from('{}')]])
    const subject = { holding: { ...holding, files, dataset }, metadata, read, onFile: () => undefined }
    const options = { algorithm: 'sha512', user: { name: 'x' }, now: NOW, signal } as const
    const opened = await home.open('0004')
    const message = `${paths[0] ?? ''} and ${paths.at(-1) ?? ''} cannot be in one version`
    await expect(writeVersion(opened, subject, options)).rejects.toMatchObject({
      code: 'OCFL_REFUSED',
      message: expect.stringContaining(message) as string,
    })
    expect((await readdir(home.path)).sort()).toEqual(['0=ocfl_1.1', 'extensions', 'ocfl_layout.json'])
  },
)
