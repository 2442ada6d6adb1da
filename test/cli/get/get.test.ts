import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDataverse, type StandIn } from '../../fakes/dataverse/server.ts'
import { World } from '../../fakes/dataverse/world.ts'
import { runInProcess, type Ended } from '../in-process.ts'

const TABLE = { original: 'a,b\n1,x\n', header: ['a', 'b'], tab: '1\t"x"\n', originalName: 'table.csv' }

function world(): World {
  const made = new World()
  made.dataset('doi:10.5072/FK2/ONE', {
    files: [
      { id: 10, label: 'hello.txt', directory: 'raw', content: 'Hello, Dataverse!' },
      { id: 11, label: 'table.tab', tabular: TABLE },
      { id: 13, label: 'stored.bin', content: 'stored', store: 's3-redirect' },
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

let dataverse: StandIn
let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'df-get-'))
  dataverse = await startDataverse({ world: world() })
})
afterAll(async () => {
  await dataverse.close()
  await rm(cwd, { recursive: true })
})

const at = (...names: string[]): string => join(cwd, ...names)

function get(...args: readonly string[]): Promise<Ended> {
  return runInProcess(['get', ...args, '-q'], { cwd, env: { DATAVERSE_SERVER: dataverse.url } })
}

it('another file in the way is refused and not touched, unless told otherwise', async () => {
  await writeFile(at('mine.txt'), 'mine')
  const refused = await get('10', '-o', at('mine.txt'))
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('mine.txt is at the destination already and differs')
  expect(await readFile(at('mine.txt'), 'utf8')).toBe('mine')
  expect((await get('10', '-o', at('mine.txt'), '-e', 'overwrite-different')).code).toBe(0)
  expect(await readFile(at('mine.txt'), 'utf8')).toBe('Hello, Dataverse!')
})

it('a name that wants out of the folder is made safe', async () => {
  expect((await get('17', '-o', `${at('safe')}/`)).code).toBe(0)
  expect(await readdir(at('safe'))).toEqual(['.._evil_.txt'])
  expect(await readdir(cwd)).not.toContain('evil?.txt')
})

it('forms, ranges and archives: each under the name that the server gives it', async () => {
  const page = `${dataverse.url}/file.xhtml?fileId=11`
  const asked: readonly (readonly [string[], string, string?])[] = [
    [['11'], 'table.csv', TABLE.original],
    [[page, '--format', 'tab'], 'table.tab', 'a\tb\n1\t"x"\n'],
    [['11', '--no-var-header', '-e', 'overwrite'], 'table.tab', TABLE.tab],
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
  expect((await readdir(at('forms'))).sort()).toEqual([...new Set(asked.map(([, name]) => name))].sort())
})

it('a ZIP that the server left files out of is kept, named incomplete, and no success', async () => {
  const { code, stderr } = await get('doi:10.5072/FK2/PARTLY', '--dataset-zip', '-o', at('all.zip'))
  expect(code).toBe(1)
  expect(stderr).toContain('left 1 file out of it: closed.txt (restricted)')
  expect((await readFile(at('all.zip'))).subarray(0, 2).toString()).toBe('PK')
})
