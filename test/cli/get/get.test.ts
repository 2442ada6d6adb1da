import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { World } from '../../fakes/dataverse/world.ts'
import { runInProcess, type Ended } from '../in-process.ts'
import { useStandIn } from '../use-stand-in.ts'

const TABLE = { original: 'a,b\n1,x\n', header: ['a', 'b'], tab: '1\t"x"\n', originalName: 'table.csv' }

function world(): World {
  const made = new World()
  made.dataset('doi:10.5072/FK2/ONE', {
    files: [
      { id: 10, label: 'hello.txt', directory: 'raw', content: 'Hello, Dataverse!' },
      { id: 11, label: 'table.tab', tabular: TABLE },
      { id: 18, label: '.bashrc', content: 'alias ls=rm' },
      { id: 13, label: 'stored.bin', content: 'stored', store: 's3-redirect' },
      { id: 14, label: 'old.tab', tabular: { ...TABLE, originalName: 'old.csv', legacyChecksum: true } },
    ],
  })
  made.dataset('doi:10.5072/FK2/EVIL', { files: [{ id: 17, label: '../evil?.txt', content: 'wants out' }] })
  made.dataset('doi:10.5072/FK2/PARTLY', {
    files: [
      { id: 21, label: 'open.txt', content: 'open' },
      { id: 22, label: 'closed.txt', content: 'closed', restricted: true },
    ],
  })
  made.dataset('doi:10.5072/FK2/BOOKED', {
    guestbook: { id: 7, nameRequired: true, emailRequired: true },
    files: [{ id: 31, label: 'booked.txt', content: 'booked' }],
  })
  return made
}

const here = useStandIn({ world: world() })

const at = (...names: string[]): string => join(here.cwd, ...names)

function get(...args: readonly string[]): Promise<Ended> {
  return runInProcess(['get', ...args, '-q'], { cwd: here.cwd, env: { DATAVERSE_SERVER: here.dataverse.url } })
}

it('another file in the way is refused and not touched, unless told otherwise', async () => {
  await writeFile(at('mine.txt'), 'mine')
  const refused = await get('10', '-o', at('mine.txt'))
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('mine.txt is already at the destination and differs')
  expect(await readFile(at('mine.txt'), 'utf8')).toBe('mine')
  expect((await get('10', '-o', at('mine.txt'), '-e', 'overwrite-different')).code).toBe(0)
  expect(await readFile(at('mine.txt'), 'utf8')).toBe('Hello, Dataverse!')
})

it('a link is followed, what it leads to treated like any file, and no record of a destination replaced', async () => {
  await writeFile(at('behind'), 'mine')
  await symlink('behind', at('link'))
  expect(await get('10', '-o', at('link'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('behind is already at the destination and differs') as string,
  })
  expect(await readFile(at('behind'), 'utf8')).toBe('mine')
  expect((await get('10', '-o', at('link'), '-e', 'overwrite')).code).toBe(0)
  expect((await lstat(at('link'))).isSymbolicLink()).toBe(true)
  expect(await readFile(at('behind'), 'utf8')).toBe('Hello, Dataverse!')
  await mkdir(at('data', '.dataferry'), { recursive: true })
  expect(await get('10', '-o', at('data', '.dataferry', 'destination.json'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('among the records of a destination') as string,
  })
})

it('what is at a name that the server chose is never replaced, and that name is never hidden', async () => {
  await mkdir(at('home'))
  for (const [id, name] of [
    ['18', '_.bashrc'],
    ['10', 'hello.txt'],
  ] as const) {
    await writeFile(at('home', name), 'mine')
    for (const existing of ['overwrite', 'overwrite-different', 'refresh', 'error']) {
      const { code, stderr } = await get(id, '-o', `${at('home')}/`, '-e', existing)
      expect({ existing, code }).toEqual({ existing, code: 1 })
      expect(stderr).toContain(existing === 'error' ? 'already at the destination' : `give -o ${at('home', name)}`)
    }
    expect(await readFile(at('home', name), 'utf8')).toBe('mine')
  }
  expect((await readdir(at('home'))).sort()).toEqual(['_.bashrc', 'hello.txt'])
})

it('a name that wants out of the folder is made safe', async () => {
  expect((await get('17', '-o', `${at('safe')}/`)).code).toBe(0)
  expect(await readdir(at('safe'))).toEqual(['_.._evil_.txt'])
  expect(await readdir(here.cwd)).not.toContain('evil?.txt')
})

it('forms, ranges and archives: each under the name that the server gives it', async () => {
  const page = `${here.dataverse.url}/file.xhtml?fileId=11`
  const asked: readonly (readonly [string[], string, string?])[] = [
    [['11'], 'table.csv', TABLE.original],
    [[page, '--format', 'tab'], 'table.tab', 'a\tb\n1\t"x"\n'],
    [['10', '--range', '7-15'], 'hello.txt', 'Dataverse'],
    [['13'], 'stored.bin', 'stored'],
    [['10', '13', '--zip'], 'doi-10.5072-fk2-one.zip'],
    [['11', '--bundle'], 'table-bundle.zip'],
    [['31', '--guestbook', at('answers.json')], 'booked.txt', 'booked'],
  ]
  await writeFile(at('answers.json'), '{"name": "A", "email": "a@example.org"}')
  for (const [args, name, content] of asked) {
    const { code, stderr } = await get(...args, '-o', `${at('forms')}/`)
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' })
    const bytes = await readFile(at('forms', name), 'utf8')
    if (content === undefined) expect(bytes.slice(0, 2)).toBe('PK')
    else expect(bytes).toBe(content)
  }
  expect((await get('11', '--no-var-header', '-o', at('forms', 'table.tab'), '-e', 'overwrite')).code).toBe(0)
  expect(await readFile(at('forms', 'table.tab'), 'utf8')).toBe(TABLE.tab)
  expect((await readdir(at('forms'))).sort()).toEqual([...new Set(asked.map(([, name]) => name))].sort())
})

it('a ZIP that the server left files out of is kept, named incomplete, and no success', async () => {
  const { code, stderr } = await get('doi:10.5072/FK2/PARTLY', '--dataset-zip', '-o', at('all.zip'))
  expect(code).toBe(1)
  expect(stderr).toContain('left 1 file out of it: closed.txt (restricted)')
  expect((await readFile(at('all.zip'))).subarray(0, 2).toString()).toBe('PK')
})

async function pipe(name: string): Promise<string> {
  await promisify(execFile)('mkfifo', [at(name)])
  return at(name)
}

function getTo(output: string, id: string): Promise<Ended> {
  return runInProcess(['get', id, '-o', output], { cwd: here.cwd, env: { DATAVERSE_SERVER: here.dataverse.url } })
}

it('a checksum of another form leaves the size to compare, to a file and to a pipe alike', async () => {
  const path = await pipe('legacy')
  const [bytes, streamed] = await Promise.all([buffer(createReadStream(path)), getTo(path, '14')])
  expect(bytes.toString()).toBe(TABLE.original)
  const said = 'no checksum is published for this form (the published checksum is that of the archival form'
  expect(streamed).toMatchObject({ code: 0, stderr: expect.stringContaining(said) as string })
  const toFile = await getTo(at('old.csv'), '14')
  expect(toFile).toMatchObject({ code: 0, stdout: expect.stringContaining(said) as string })
})

it('a target that cannot be opened is one sentence, and nothing is asked for', async () => {
  await mkdir(at('locked'))
  await chmod(at('locked'), 0o500)
  const targets: [string, RegExp][] = [
    [await pipe('unread'), /^dataferry: Nothing is reading the pipe .*: start its reader first/],
  ]
  // Root may write anywhere.
  if (process.getuid?.() !== 0) targets.push([`${at('locked')}/`, /^dataferry: Cannot .*EACCES/])
  for (const [target, said] of targets) {
    const before = here.dataverse.requests.length
    const { code, stderr } = await getTo(target, '10')
    expect(code).toBe(3)
    expect(stderr).toMatch(said)
    expect(stderr).not.toMatch(/\n {4}at |bug in dataferry/)
    expect(here.dataverse.requests.slice(before).filter(({ url }) => url.includes('/access/'))).toEqual([])
  }
})

it('a device that takes no more bytes ends the command with one sentence', async () => {
  const { code, stderr } = await getTo('/dev/full', '10')
  expect(code).toBe(3)
  expect(stderr).toMatch(/^dataferry: Cannot write the output: ENOSPC/)
  expect(stderr).not.toMatch(/\n {4}at |bug in dataferry/)
})
