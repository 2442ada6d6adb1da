import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { mirrorHomes, TOKEN, type MirrorHome } from '../mirror/home.ts'
import { restored } from '../proof/ocfl-history.ts'

const open = mirrorHomes()
const PID = 'doi:10.5072/FK2/GRIDS'
const NAME = 'doi-10-5072-FK2-GRIDSv-1-0'
const crateSchema = z.object({ '@graph': z.array(z.looseObject({ '@id': z.string() })) })

let home: MirrorHome
let out: string
beforeEach(async () => {
  home = await open()
  out = join(home.destination, '..', 'out')
  home.repository.deposit(PID, [
    { label: 'a b.csv', directory: 'raw', content: 'a,b\n1,2\n' },
    { label: '<script>.txt', content: 'Hello' },
  ])
  const created = await home.cli('mirror', 'create', 'm', '--query', '*', '--to', home.destination)
  expect(created.code).toBe(0)
  expect((await home.run()).code).toBe(0)
})
afterEach(() => home.close())

const handOn = (...args: readonly string[]) => home.cli(...args, '--from', home.destination, '--to', out)

it('a mirror becomes crates: files as they are, described with digests and where they came from', async () => {
  const { code, stdout, stderr } = await handOn('export', 'ro-crate', 'm')
  expect(code, stderr).toBe(0)
  expect(stdout).toContain('1 crate written')
  expect(readFileSync(join(out, NAME, 'raw', 'a b.csv'), 'utf8')).toBe('a,b\n1,2\n')
  const crate = crateSchema.parse(JSON.parse(readFileSync(join(out, NAME, 'ro-crate-metadata.json'), 'utf8')))
  const byId = new Map(crate['@graph'].map((entity) => [entity['@id'], entity]))
  expect(byId.get('./')).toMatchObject({
    '@type': 'Dataset',
    identifier: 'https://doi.org/10.5072/FK2/GRIDS',
    version: '1.0',
  })
  expect(byId.get('raw/a%20b.csv')).toMatchObject({ '@type': 'File', contentSize: '8', name: 'a b.csv' })
  expect(byId.get('raw/a%20b.csv')?.['sha256']).toMatch(/^[0-9a-f]{64}$/)
  expect(crate['@graph'].find((entity) => entity['@type'] === 'CreateAction')).toMatchObject({
    instrument: { '@id': '#dataferry' },
    result: { '@id': './' },
  })
  const page = readFileSync(join(out, NAME, 'ro-crate-preview.html'), 'utf8')
  // `<` and `>` of the name became `_` when it was made safe for every system.
  expect(page).toContain('_script_.txt')
  expect(page).not.toContain('<script')
  expect((await handOn('export', 'ro-crate', PID)).stdout).toContain('there already')
})

it('a dataset whose listing could not be understood is not handed on as if all of it were here', async () => {
  const records = join(home.destination, '.dataferry')
  const file = readdirSync(records, { recursive: true })
    .map(String)
    .find((name) => name.endsWith('datasets.ndjson'))
  const path = join(records, file ?? '')
  const whole = readFileSync(path, 'utf8')
  writeFileSync(path, whole.replace(/^\{/, '{"retry":true,'))
  const { code, stderr } = await handOn('export', 'ro-crate', 'm')
  expect(code).toBe(1)
  expect(stderr).toMatch(/it lacks a part of doi:10\.5072\/FK2\/GRIDS \(SOURCE_MISLISTED\)/)
  expect((await handOn('export', 'ro-crate', 'm', '--allow-missing')).code).toBe(0)
  // What was made without a part is not taken for all of it once that is here.
  writeFileSync(path, whole)
  const again = await handOn('export', 'ro-crate', 'm')
  expect(again.code).toBe(1)
  expect(again.stderr).toContain('made with other flags or of other files')
})

it('with --crate a bag holds the description of its payload, and is valid', async () => {
  expect((await handOn('bag', 'm', '--crate')).code).toBe(0)
  expect(readdirSync(join(out, NAME, 'data')).sort()).toEqual([
    '_script_.txt',
    'raw',
    'ro-crate-metadata.json',
    'ro-crate-preview.html',
  ])
  expect((await home.cli('bag', 'check', join(out, NAME))).code).toBe(0)
})

it('a dataset that is a crate itself keeps its own description', async () => {
  home.repository.publish(PID, (files) => [...files, { label: 'ro-crate-metadata.json', content: '{}' }])
  expect((await home.run()).code).toBe(0)
  const { code, stderr } = await handOn('export', 'ro-crate', 'm')
  expect(code).toBe(1)
  expect(stderr).toContain('ro-crate-metadata.json of its own')
  expect((await handOn('bag', 'm')).code).toBe(0)
})

it('a mirror of all versions becomes an object with a version for each, which a later run carries on', async () => {
  home.repository.publish(PID, (files) => [...files.slice(1), { label: 'new.csv', content: 'x' }])
  const all = ['mirror', 'create', 'all', '--query', '*', '--versions', 'all', '--to', `${home.destination}-all`]
  expect((await home.cli(...all)).code).toBe(0)
  expect((await home.cli('mirror', 'run', 'all', '--to', `${home.destination}-all`)).code).toBe(0)
  const write = () =>
    home.cli('export', 'ocfl', 'all', '--from', `${home.destination}-all`, '--to', out, '--layout', 'flat')
  const { code, stdout, stderr } = await write()
  expect(code, stderr).toBe(0)
  expect(stdout).toContain('2 versions written')
  const object = join(out, 'doi%3a10%2e5072%2fFK2%2fGRIDS')
  expect(readdirSync(object).sort()).toEqual([
    '0=ocfl_object_1.1',
    'inventory.json',
    'inventory.json.sha512',
    'v1',
    'v2',
  ])
  expect(Object.keys(await restored(object, 'v1')).filter((path) => !path.startsWith('.dataverse/'))).toEqual(
    expect.arrayContaining(['raw/a b.csv', '_script_.txt']),
  )
  expect(await restored(object, 'v2')).toMatchObject({ 'new.csv': 'x' })
  expect((await write()).stdout).toContain('2 there already')
})

it.runIf(process.platform === 'linux').each(['bag', 'export ro-crate', 'export ocfl'])(
  '%s fails where the file system takes no folders, says so once and does not wait',
  async (command) => {
    const { code, stderr } = await home.cli(
      ...command.split(' '),
      'm',
      '--from',
      home.destination,
      '--to',
      '/proc/nothing/here',
    )
    expect(
      stderr.match(/^dataferry: Cannot (make|open the storage root) \/proc\/nothing\/here: ENOENT/gm),
    ).toHaveLength(1)
    expect(code).toBe(3)
  },
)

it('an object that lacks a file names it, until the file is here', async () => {
  home.repository.publish(PID, (files) => [...files, { label: 'secret.txt', content: 's', restricted: true }])
  expect((await home.run()).code).toBe(1)
  const written = async (version: string, ...args: readonly string[]) => {
    const { code, stderr } = await handOn('export', 'ocfl', 'm', '--layout', 'flat', ...args)
    expect(code, stderr).toBe(0)
    return restored(join(out, 'doi%3a10%2e5072%2fFK2%2fGRIDS'), version)
  }
  expect(await written('v1', '--allow-missing')).toMatchObject({
    '.dataverse/missing.txt': 'SOURCE_DENIED\tsecret.txt\n',
  })
  const { code } = await home.with(
    { DATAVERSE_API_TOKEN: TOKEN },
    'mirror',
    'run',
    'm',
    '--full',
    '--to',
    home.destination,
  )
  expect(code).toBe(0)
  const whole = await written('v2')
  expect(whole).toMatchObject({ 'secret.txt': 's' })
  expect(Object.keys(whole)).not.toContain('.dataverse/missing.txt')
})

it('nothing is handed on into a file, into data, or over what is there, whatever links lead to it', async () => {
  const file = join(home.folder, 'precious.txt')
  writeFileSync(file, 'precious')
  symlinkSync(file, join(home.folder, 'to-file'))
  symlinkSync(home.destination, join(home.folder, 'to-data'))
  const other = join(home.folder, 'other')
  expect((await home.cli('mirror', 'create', 'o', '--query', '*', '--to', other)).code).toBe(0)
  mkdirSync(join(out, NAME), { recursive: true })
  writeFileSync(join(out, NAME, 'mine.txt'), 'mine')
  const before = await home.files()
  for (const command of ['bag', 'export ro-crate', 'export ocfl', 'export statement']) {
    const into = async (to: string) => {
      const words = [...command.split(' '), 'm', '--from', home.destination, '--to', to]
      const { code, stderr } = await home.cli(...words)
      return `${code} ${stderr.replaceAll(/\s+/g, ' ')}`
    }
    for (const name of [file, join(home.folder, 'to-file'), join(file, 'below')]) {
      expect(await into(name), command).toMatch(/^3 dataferry: \S+ is not a folder\. Give another place\. $/)
    }
    const toData = join(home.folder, 'to-data')
    for (const name of [toData, join(toData, 'new')]) expect(await into(name)).toMatch(/^2 .* place of the data itself/)
    expect(await into(other)).toMatch(/^2 .* holds data that dataferry has fetched/)
    if (command === 'bag' || command === 'export ro-crate') {
      expect(await into(out)).toMatch(
        new RegExp(`^1 .*/${NAME} is in the way: it belongs to something else. Move it away`),
      )
    }
  }
  expect(readFileSync(file, 'utf8')).toBe('precious')
  expect(readdirSync(join(out, NAME))).toEqual(['mine.txt'])
  expect(await home.files()).toEqual(before)
})

it('a form that does not exist is refused by name', async () => {
  const { code, stderr } = await handOn('export', 'parquet', 'm')
  expect(code).toBe(2)
  expect((await handOn('export', 'ocfl', 'm', '--zip')).stderr).toContain('--zip means nothing for ocfl')
  expect(stderr).toContain('export knows no parquet: use ro-crate, ocfl or statement')
})
