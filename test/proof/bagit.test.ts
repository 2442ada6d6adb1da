import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import { bagEntries } from '../../src/proof/bagit/bag-entries.ts'
import { openBag } from '../../src/proof/bagit/bag-source.ts'
import { checkBag, type BagFinding, type CheckedBag } from '../../src/proof/bagit/check-bag.ts'
import { KNOWN_PROFILES } from '../../src/proof/bagit/known-profiles.ts'
import { decodePath, encodePath } from '../../src/proof/bagit/paths.ts'
import { prepareBag } from '../../src/proof/bagit/prepare-bag.ts'
import { parseProfile } from '../../src/proof/bagit/profile.ts'
import { readTagFile, tagFileText, valuesOf } from '../../src/proof/bagit/tag-file.ts'
import { CrateBuilder } from '../../src/proof/ro-crate/crate-builder.ts'
import { inMemory, type PackEntry, type Serialization } from '../../src/proof/pack/pack-entry.ts'
import { isWritten } from '../../src/proof/pack/is-written.ts'
import { packPath, tidy, writePack } from '../../src/proof/pack/write-pack.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { rounds } from '../rounds.ts'
import { bagOf, DESCRIPTION, held, NOW, packTarget, STAMP } from './held.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-bag-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const signal = new AbortController().signal
const SERIALIZATIONS: readonly Serialization[] = ['folder', 'zip', 'tar']

async function write(entries: AsyncIterable<PackEntry>, serialization: Serialization = 'folder'): Promise<string> {
  const sink = diskSink(folder)
  const target = packTarget(sink, { serialization })
  try {
    await writePack('bag', entries, target)
    expect(await isWritten('bag', target)).toBe(true)
  } finally {
    await tidy(sink)
  }
  return join(folder, packPath('bag', serialization))
}

async function check(path: string): Promise<CheckedBag & { readonly findings: readonly BagFinding[] }> {
  const findings: BagFinding[] = []
  await using source = await openBag(path)
  const checked = await checkBag(source, { signal, onFinding: (finding) => findings.push(finding) })
  return { ...checked, findings }
}

/** A bag that somebody made by hand. */
async function handmade(files: Readonly<Record<string, string>>): Promise<string> {
  const root = join(folder, 'handmade')
  await rm(root, { recursive: true, force: true })
  const whole = { 'bagit.txt': 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n', ...files }
  for (const [path, content] of Object.entries(whole)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const sum = (path: string, content: string): string => `${sha256(content)}  ${path}\n`

/** Names that are different for every file system the tests run on, and hard for a manifest. */
const name = fc.stringMatching(/^[a-z%\r\n é~#?&+ ]{1,20}$/u).filter((text) => !/^[.~]|^\s*$/.test(text))
const contents = fc
  .uniqueArray(name, { selector: (text) => text.normalize('NFC').toLowerCase(), maxLength: 6 })
  .chain((names) => fc.tuple(...names.map((one) => fc.tuple(fc.constant(one), fc.string()))))
  .map((files) => Object.fromEntries(files))

it.each(SERIALIZATIONS)(
  'whatever the names are, a bag that is a %s is valid, and holds what it was made of',
  async (form) => {
    await fc.assert(
      fc.asyncProperty(contents, async (files) => {
        const path = await write(bagOf(files, { serialization: form, algorithms: ['sha512', 'md5'] }), form)
        const { findings, files: read } = await check(path)
        expect(findings).toEqual([])
        expect(read).toBeGreaterThanOrEqual(Object.keys(files).length)
        if (form === 'folder') {
          for (const [file, content] of Object.entries(files)) {
            expect(await readFile(join(path, 'data', file), 'utf8')).toBe(content)
          }
        }
        await rm(path, { recursive: true })
      }),
      rounds(20),
    )
  },
)

it('a path is the same after a manifest has written and read it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      fc.pre(!text.startsWith('./'))
      expect(decodePath(encodePath(text, '1.0'))).toBe(text)
      expect(encodePath(text, '1.0')).not.toMatch(/[\r\n]/)
    }),
  )
})

it('a name that the version before 1.0 cannot write is refused, and not written as another one', () => {
  expect(encodePath('100%.txt', '0.97')).toBe('100%.txt')
  expect(() => encodePath('a%0Ab', '0.97')).toThrow(/read as a line break/)
})

it('fields are the same after a tag file has written and read them', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { maxLength: 5 }), (values) => {
      const plain = values.map((value) => value.replaceAll(/[\s\p{C}]+/gu, ' ').trim())
      const text = tagFileText(plain.map((value) => ['Label', value]))
      expect(valuesOf(readTagFile(text) ?? [], 'label')).toEqual(plain)
    }),
  )
})

it('a bag is laid out as Dataverse’s archiver lays it out, with manifests of the tag files', async () => {
  const path = await write(bagOf({ 'raw/a.csv': 'a', 'b.csv': '' }, { info: [['Source-Organization', 'An Archive']] }))
  const files = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  expect(files.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1)).sort()).toEqual([
    'bag-info.txt',
    'bagit.txt',
    'data/b.csv',
    'data/raw/a.csv',
    'manifest-sha256.txt',
    'metadata/dataset.json',
    'metadata/pid-mapping.txt',
    'tagmanifest-sha256.txt',
  ])
  expect(await readFile(join(path, 'metadata/pid-mapping.txt'), 'utf8')).toBe(
    'https://doi.org/10.5072/FK2/GRIDS data/\n' +
      'https://demo.dataverse.org/file.xhtml?fileId=0 data/b.csv\n' +
      'https://demo.dataverse.org/file.xhtml?fileId=1 data/raw/a.csv\n',
  )
  const info = readTagFile(await readFile(join(path, 'bag-info.txt'), 'utf8')) ?? []
  expect(Object.fromEntries(info)).toMatchObject({
    'Source-Organization': 'An Archive',
    'Contact-Name': 'Curator',
    'Contact-Email': 'data@example.org',
    'External-Description': 'Monthly grids. Two lines.',
    'External-Identifier': 'https://doi.org/10.5072/FK2/GRIDS',
    'Bagging-Date': '2026-11-27',
    'Bag-Size': '1 bytes',
    'Payload-Oxum': '1.2',
    'Internal-Sender-Identifier': 'An Archive Catalog:Grids & <more>',
  })
})

it('ids lead to paths as they are, and the catalogue is the one that the server names, as in Dataverse’s own bags', async () => {
  const ore = { 'ore:describes': { 'schema:includedInDataCatalog': 'Root' } }
  const path = await write(bagOf({ '100% sure.txt': 'a' }, { ore }))
  expect(await readFile(join(path, 'metadata/pid-mapping.txt'), 'utf8')).toMatch(/ data\/100% sure\.txt\n$/)
  expect(await readFile(join(path, 'manifest-sha256.txt'), 'utf8')).toMatch(/ data\/100%25 sure\.txt\n$/)
  const info = readTagFile(await readFile(join(path, 'bag-info.txt'), 'utf8')) ?? []
  expect(valuesOf(info, 'Internal-Sender-Identifier')).toEqual(['Root:Grids & <more>'])
})

it('a dataset without files is a bag with an empty payload', async () => {
  for (const form of SERIALIZATIONS) {
    const path = await write(bagOf({}, { serialization: form }), form)
    expect((await check(path)).findings).toEqual([])
  }
  expect(await readdir(join(folder, 'bag', 'data'))).toEqual([])
})

it('names that differ in case or accents alone are bagged as they are, and pointed out', async () => {
  const path = await write(bagOf({ 'a.csv': '1', 'A.csv': '2', 'e\u0301': '3', '\u00e9': '4' }))
  const { findings } = await check(path)
  expect(findings.map(({ state }) => state)).toEqual(['odd', 'odd'])
})

it('a file that is not what was fetched is in no bag, and no half bag stays', async () => {
  const entries = (async function* (): AsyncGenerator<PackEntry> {
    for await (const entry of bagOf({ a: 'one', b: 'two' })) {
      if (entry.path !== 'data/b') yield entry
      else throw new DataferryError('CHECKSUM_MISMATCH', 'b changed')
    }
  })()
  await expect(write(entries)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  expect(await readdir(folder)).toEqual([])
})

it.each(SERIALIZATIONS)(
  'what stands against a bag that is a %s from the beginning is told, and nothing stays',
  async (form) => {
    // eslint-disable-next-line require-yield -- there is nothing to pack
    const entries = (async function* (): AsyncGenerator<PackEntry> {
      await Promise.resolve()
      throw new DataferryError('BAG_REFUSED', 'files are missing')
    })()
    await expect(write(entries, form)).rejects.toMatchObject({ code: 'BAG_REFUSED' })
    expect(await readdir(folder)).toEqual([])
  },
)

it('bytes that changed since they came are found while they are bagged', async () => {
  const { holding } = held({ a: 'right' })
  const bag = prepareBag(
    { holding, description: DESCRIPTION, metadata: new Map() },
    { serialization: 'zip', info: [], stamp: STAMP, software: 's', now: NOW, allowMissing: false },
  )
  const read = () => inMemory(Buffer.from('wrong'))
  await expect(write(bagEntries({ bag, holding, read, onFile: () => undefined }), 'zip')).rejects.toMatchObject({
    code: 'CHECKSUM_MISMATCH',
  })
  expect(await readdir(folder)).toEqual([])
})

it('what a dead process left of a bag is removed, and what a live one writes is not touched', async () => {
  await mkdir(join(folder, '.bag.0123456789ab-999999999-1-0123abcd', 'data'), { recursive: true })
  await write(bagOf({ a: '1' }))
  // Whether a process of another machine lives cannot be known: its folder stays.
  expect((await readdir(folder)).filter((one) => one !== 'bag')).toEqual(['.bag.0123456789ab-999999999-1-0123abcd'])
})

it('a profile names everything that a bag would lack, before anything is written', async () => {
  const profile = KNOWN_PROFILES.get('aptrust')
  const { holding } = held({ a: '1' })
  const metadata = new Map<string, Uint8Array>()
  const options = {
    info: [],
    stamp: STAMP,
    software: 's',
    now: NOW,
    allowMissing: false,
    profile,
    serialization: 'zip',
  } as const
  const refused = () => prepareBag({ holding, description: DESCRIPTION, metadata }, options)
  expect(refused).toThrow(
    /bag-info\.txt needs Source-Organization; aptrust-info\.txt needs Access; .*zip is not accepted/,
  )
  const path = await write(
    bagOf(
      { a: '1' },
      {
        profile,
        serialization: 'tar',
        info: [
          ['Source-Organization', 'An Archive'],
          ['Access', 'Institution'],
        ],
      },
    ),
    'tar',
  )
  await using source = await openBag(path)
  const findings: BagFinding[] = []
  await checkBag(source, { profile, signal, onFinding: (finding) => findings.push(finding) })
  expect(findings).toEqual([])
})

it('a profile that accepts only BagIt 0.97 gets a bag of that version', () => {
  const profile = KNOWN_PROFILES.get('rda')
  const datacite = new Map([['datacite.xml', Buffer.from('<resource/>')]])
  const { holding } = held({ a: '1' })
  const options = {
    info: [],
    stamp: STAMP,
    software: 's',
    now: NOW,
    allowMissing: false,
    profile,
    serialization: 'zip',
  } as const
  expect(prepareBag({ holding, description: DESCRIPTION, metadata: datacite }, options)).toMatchObject({
    version: '0.97',
    algorithms: ['sha256'],
  })
})

it('a profile with rules that are not checked is refused by name', () => {
  expect(() => parseProfile('{"Payload-Files-Required":["a"]}', 'p.json')).toThrow(/Payload-Files-Required/)
  expect(() => parseProfile('[]', 'p.json')).toThrow(/p\.json is not a BagIt profile/)
})

it('a dataset of which files are missing is no bag, unless that is allowed, and then it says so', () => {
  const { holding } = held({ a: '1' }, [{ path: 'secret.csv', why: 'SOURCE_DENIED' }])
  const options = { serialization: 'folder', info: [], stamp: STAMP, software: 's', now: NOW } as const
  const subject = { holding, description: DESCRIPTION, metadata: new Map() }
  expect(() => prepareBag(subject, { ...options, allowMissing: false })).toThrow(/lacks secret\.csv \(SOURCE_DENIED\)/)
  const { tagFiles } = prepareBag(subject, { ...options, allowMissing: true })
  expect(tagFiles.get('metadata/missing.txt')).toBe('SOURCE_DENIED\tsecret.csv\n')
})

it.each([
  ['a changed file', { 'data/a': 'two', 'manifest-sha256.txt': sum('data/a', 'one') }, /sha256 is/],
  ['a missing file', { 'manifest-sha256.txt': sum('data/a', 'one') }, /missing/],
  ['a file too many', { 'data/a': '', 'data/b': '', 'manifest-sha256.txt': sum('data/a', '') }, /not in manifest/],
  ['no manifest', { 'data/a': '' }, /no manifest/],
  ['a path that leaves the bag', { 'manifest-sha256.txt': sum('data/../../etc/passwd', '') }, /leaves the bag/],
  ['an absolute path', { 'manifest-sha256.txt': sum('/etc/passwd', '') }, /absolute/],
  ['the folder of a user', { 'manifest-sha256.txt': sum('~/a', '') }, /shell|data\//],
  ['a path of Windows', { 'manifest-sha256.txt': sum('C:\\a', '') }, /Windows/],
  [
    'a wrong sum of sizes',
    { 'data/a': '', 'manifest-sha256.txt': sum('data/a', ''), 'bag-info.txt': 'Payload-Oxum: 5.1\n' },
    /Payload-Oxum is 5\.1/,
  ],
  [
    'a changed tag file',
    { 'x.txt': 'two', 'manifest-sha256.txt': '', 'tagmanifest-sha256.txt': sum('x.txt', 'one') },
    /sha256 is/,
  ],
  ['a name twice', { 'data/a': '', 'manifest-sha256.txt': sum('data/a', '') + sum('data/a', '') }, /more than once/],
  [
    'an unknown algorithm',
    { 'data/a': '', 'manifest-sha256.txt': sum('data/a', ''), 'manifest-crc.txt': '' },
    /cannot be checked/,
  ],
  [
    'a fetch.txt of a file that no manifest has',
    { 'manifest-sha256.txt': '', 'fetch.txt': 'https://x.org/a - data/a\n' },
    /no manifest does/,
  ],
  [
    'a fetch.txt that leaves the bag',
    { 'manifest-sha256.txt': '', 'fetch.txt': 'https://x.org/a - data/../a\n' },
    /leaves the bag/,
  ],
  [
    'a fetch.txt of files of this machine',
    { 'manifest-sha256.txt': '', 'fetch.txt': 'file:///etc/passwd - data/a\n' },
    /http/,
  ],
])('a bag with %s is not valid', async (_, files, complaint) => {
  const { findings } = await check(await handmade(files))
  const wrong = findings.filter(({ state }) => state === 'wrong')
  expect(wrong.length).toBeGreaterThan(0)
  expect(wrong.map(({ message }) => message).join('\n')).toMatch(complaint)
})

it.each([
  ['an unknown version', 'BagIt-Version: 2.0\nTag-File-Character-Encoding: UTF-8\n'],
  ['a byte order mark', '\ufeffBagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n'],
  ['blanks where none may be', 'BagIt-Version : 1.0\nTag-File-Character-Encoding: UTF-8\n'],
  ['no encoding', 'BagIt-Version: 1.0\n'],
])('a folder whose bagit.txt has %s is no bag', async (_, declaration) => {
  const root = await handmade({ 'bagit.txt': declaration, 'manifest-sha256.txt': '' })
  await expect(check(root)).rejects.toMatchObject({ code: 'BAG_INVALID' })
})

it('a link in a bag is refused, and what it leads to is not read', async () => {
  const root = await handmade({ 'manifest-sha256.txt': '' })
  await mkdir(join(root, 'data'))
  await symlink('/etc/passwd', join(root, 'data/a'))
  const { findings } = await check(root)
  expect(findings).toEqual([{ state: 'wrong', path: 'data/a', message: 'It is refused: it is a link.' }])
})

it('a bag with a fetch.txt is not wrong, but not complete', async () => {
  const root = await handmade({
    'manifest-sha256.txt': sum('data/a', 'one'),
    'fetch.txt': 'https://example.org/a 3 data/a\n',
  })
  expect(await check(root)).toMatchObject({ wrong: 0, open: 1 })
})

it('accents in the other form, asterisks and unencoded percent signs of other writers are understood', async () => {
  const root = await handmade({
    'data/e\u0301': 'x',
    'data/100%25.txt': 'y',
    'manifest-sha256.txt': sum('data/\u00e9', 'x').replace('  ', ' *') + sum('data/100%25.txt', 'y'),
  })
  const { wrong, odd } = await check(root)
  expect({ wrong, odd }).toEqual({ wrong: 0, odd: 3 })
})

it('a bag of an older draft is read as that draft says: UTF-16, ./ before paths, a file in one of two manifests', async () => {
  const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()
  const root = await handmade({
    'bagit.txt': 'BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-16\n',
    'data/a': 'x',
    'data/b': 'y',
  })
  await writeFile(join(root, 'manifest-sha256.txt'), utf16(sum('./data/a', 'x') + sum('./data/a', 'x')))
  const md5 = createHash('md5').update('y').digest('hex')
  await writeFile(join(root, 'manifest-md5.txt'), utf16(`${md5}  data/b\r\n`))
  expect(await check(root)).toMatchObject({ wrong: 0, odd: 2, files: 2 })
})

it('a manifest without line ends is refused before it fills the memory', async () => {
  const root = await handmade({ 'manifest-sha256.txt': 'a'.repeat(200_000) })
  await expect(check(root)).rejects.toThrow(/longer than a manifest can be/)
})

it('a tar file that is cut, and one that is none, are told apart from bags', async () => {
  const path = await write(bagOf({ a: 'x'.repeat(5_000) }, { serialization: 'tar' }), 'tar')
  const bytes = await readFile(path)
  await writeFile(path, bytes.subarray(0, 3_000))
  await expect(check(path)).rejects.toMatchObject({ code: 'BAG_INVALID' })
  await writeFile(path, 'nothing of that kind')
  await expect(check(path)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
})

it('a bag whose name was changed is still that bag, and one beside other files in a ZIP is none', async () => {
  const path = await write(bagOf({ a: '1' }, { serialization: 'zip' }), 'zip')
  await rename(path, join(folder, 'other.zip'))
  expect((await check(join(folder, 'other.zip'))).findings).toEqual([])
})

it.each([false, true])(
  'two files with one name are refused, and nothing shows (with a crate: %s)',
  async (hasCrate) => {
    const { holding, read } = held({ a: '1', b: '2' })
    const files = (async function* () {
      for await (const file of holding.files) yield { ...file, path: 'same.csv' }
    })()
    const bag = prepareBag(
      { holding, description: DESCRIPTION, metadata: new Map() },
      { serialization: 'zip', info: [], stamp: STAMP, software: 's', now: NOW, allowMissing: false },
    )
    const crate = hasCrate
      ? new CrateBuilder({ holding, description: DESCRIPTION, softwareVersion: '0', now: NOW, stamp: STAMP })
      : undefined
    const entries = bagEntries({ bag, holding: { ...holding, files }, read, crate, onFile: () => undefined })
    await expect(write(entries, 'zip')).rejects.toThrow(/both be .*same\.csv/)
    expect(await readdir(folder)).toEqual([])
  },
)

it('a file that cannot be read is wrong, and the others are checked all the same', async () => {
  const path = await write(bagOf({ a: 'first content', b: 'second content' }, { serialization: 'zip' }), 'zip')
  const bytes = await readFile(path)
  for (const content of ['first content', 'second content']) bytes.write('X', bytes.indexOf(content))
  await writeFile(path, bytes)
  const { findings } = await check(path)
  expect(findings.map((one) => `${one.state} ${one.path ?? ''}`)).toEqual(['wrong data/a', 'wrong data/b'])
  expect(findings[0]?.message).toMatch(/^It cannot be read: /)
})

it('a name with what some systems take for the end of a line is checked like any other', async () => {
  const files = { 'data/a\u2028b': 'one' }
  expect(await check(await handmade({ ...files, 'manifest-sha256.txt': sum('data/a\u2028b', 'one') }))).toMatchObject({
    wrong: 0,
    files: 1,
  })
})

it.each(['../out.txt', 'data/a.txt', 'bag-info.txt', '/etc/x'])('a profile with fields for %s is refused', (file) => {
  const text = JSON.stringify({ 'Tag-Files-Info': { [file]: { Title: {} } } })
  expect(() => parseProfile(text, 'p.json')).toThrow(/no tag file/)
})
