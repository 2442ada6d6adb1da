import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { makeHome, records, type Ended, type Home } from './cli.ts'

const LARGE = 40_000_000
const BINARY = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 31) % 256))
const TABLE = { original: 'a,b\n1,x\n', header: ['a', 'b'], tab: '1\t"x"\n', originalName: 'table.csv' }
const DATASET = 'doi:10.5072/FK2/ONE'
const TOKENS = { admin: { user: '@admin', superuser: true, curates: 'all' }, jane: { user: '@jane' } } as const

function world(): World {
  const made = new World()
  made.dataset(DATASET, {
    files: [
      { id: 10, label: 'hello.txt', directory: 'raw', content: 'Hello, Dataverse!', pid: `${DATASET}/HELLO` },
      { id: 11, label: 'table.tab', tabular: TABLE },
      { id: 12, label: 'secret.txt', content: 'secret', restricted: true },
      { id: 13, label: 'stored.bin', content: 'stored', store: 's3-redirect' },
      { id: 14, label: 'large.bin', content: { size: LARGE, seed: 4 } },
      { id: 15, label: 'wrong.bin', content: 'not that', checksum: { type: 'MD5', value: '0'.repeat(32) } },
      { id: 16, label: 'binary.bin', content: BINARY },
      { id: 17, label: '../evil?.txt', content: 'wants out' },
    ],
  })
  made.dataset('doi:10.5072/FK2/BOOKED', {
    guestbook: { id: 7, nameRequired: true, emailRequired: true },
    files: [{ id: 31, label: 'booked.txt', content: 'booked' }],
  })
  return made
}

let dataverse: StandIn
let home: Home
beforeAll(async () => {
  home = await makeHome()
  dataverse = await startDataverse({ world: world(), tokens: TOKENS })
})
afterAll(async () => {
  await dataverse.close()
  await home[Symbol.asyncDispose]()
})

const at = (...names: string[]): string => join(home.folder, ...names)

function run(verb: string, ...args: readonly string[]): Promise<Ended> {
  return home.run([verb, ...args], { DATAVERSE_SERVER: dataverse.url })
}

function runAs(token: string, ...args: readonly string[]): Promise<Ended> {
  return home.run(args, { DATAVERSE_SERVER: dataverse.url, DATAVERSE_API_TOKEN: token })
}

/** Standard output as bytes: `home.run` reads it as text. */
async function piped(args: readonly string[], take = Infinity): Promise<{ bytes: Buffer } & Ended> {
  const { child, ended } = home.start(args, { DATAVERSE_SERVER: dataverse.url })
  const chunks: Buffer[] = []
  const { stdout } = child
  if (!stdout) throw new Error('no standard output')
  // Latin-1 gives one character for each byte.
  stdout.setEncoding('latin1').on('data', (text: string) => {
    chunks.push(Buffer.from(text, 'latin1'))
    if (chunks.reduce((sum, { length }) => sum + length, 0) > take) stdout.destroy()
  })
  return { ...(await ended), bytes: Buffer.concat(chunks) }
}

test('a file comes under its own name, proven, and leaves nothing else behind; run again, it is kept', async () => {
  await mkdir(at('plain'))
  const args = [`${DATASET}/HELLO`, '-o', at('plain'), '--json']
  const first = await run('get', ...args)
  expect(first.code).toBe(0)
  expect(records(first.stdout)).toMatchObject([
    { event: 'file', state: 'done', path: at('plain', 'hello.txt'), size: 17, verified: 'checksum' },
  ])
  expect(await readdir(at('plain'))).toEqual(['hello.txt'])
  const again = await run('get', ...args)
  expect(records(again.stdout)).toMatchObject([{ event: 'file', state: 'kept', verified: 'checksum' }])
})

test('another file in the way is refused and not touched, unless told otherwise', async () => {
  await writeFile(at('mine.txt'), 'mine')
  const refused = await run('get', '10', '-o', at('mine.txt'))
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('mine.txt is at the destination already and differs')
  expect(await readFile(at('mine.txt'), 'utf8')).toBe('mine')
  expect((await run('get', '10', '-o', at('mine.txt'), '-e', 'overwrite-different')).code).toBe(0)
  expect(await readFile(at('mine.txt'), 'utf8')).toBe('Hello, Dataverse!')
})

test('a name that wants out of the folder is made safe', async () => {
  expect((await run('get', '17', '-o', `${at('safe')}/`)).code).toBe(0)
  expect(await readdir(at('safe'))).toEqual(['.._evil_.txt'])
  expect(await readdir(home.folder)).not.toContain('evil?.txt')
})

test('forms, ranges and archives: each under the name that the server gives it', async () => {
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
    const { code, stderr } = await run('get', ...args, '-o', `${at('forms')}/`)
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' })
    const bytes = await readFile(at('forms', name), 'utf8')
    if (content === undefined) expect(bytes.slice(0, 2)).toBe('PK')
    else expect(bytes).toBe(content)
  }
  expect((await readdir(at('forms'))).sort()).toEqual([...new Set(asked.map(([, name]) => name))].sort())
}, 120_000)

test('a ZIP that the server left files out of is kept, named incomplete, and no success', async () => {
  const { code, stderr } = await run('get', DATASET, '--dataset-zip', '-o', at('all.zip'))
  expect(code).toBe(1)
  expect(stderr).toContain('left 1 file out of it: secret.txt (restricted)')
  expect((await readFile(at('all.zip'))).subarray(0, 2).toString()).toBe('PK')
})

test('standard output gets exactly the bytes, and standard error says what was proven', async () => {
  const { bytes, code, stderr } = await piped(['get', '16', '-o', '-'])
  expect(code).toBe(0)
  expect(bytes.equals(BINARY)).toBe(true)
  expect(stderr).toContain(`md5 ${createHash('md5').update(BINARY).digest('hex')} as published`)
  const wrong = await piped(['get', '15', '-o', '-'])
  expect({ code: wrong.code, text: wrong.bytes.toString() }).toEqual({ code: 1, text: 'not that' })
  expect(wrong.stderr).toContain('the server published md5 000')
  const json = await piped(['get', '16', '-o', '-', '--json'])
  expect({ code: json.code, length: json.bytes.length < 500 }).toEqual({ code: 2, length: true })
})

test('a reader of standard output that goes away ends the command without a stack', async () => {
  const { code, stderr } = await piped(['get', '14', '-o', '-'], 1_000_000)
  expect(code).toBe(130)
  expect(stderr).not.toContain('    at ')
})

test('killed in the middle, the same command goes on from its part and proves the whole', async () => {
  dataverse.set({ bytesPerSecond: 8_000_000 })
  const args = ['get', '14', '-o', at('big', 'large.bin'), '--json']
  const { child, ended } = home.start(args, { DATAVERSE_SERVER: dataverse.url })
  child.stdout?.on('data', (text: string) => {
    if (/"bytes":[1-9]/.test(text)) child.kill('SIGKILL')
  })
  await ended
  expect(await readdir(at('big'))).toEqual(['.dataferry'])
  dataverse.set({ bytesPerSecond: 0 })
  const { code, stdout } = await run('get', ...args.slice(1))
  expect(code).toBe(0)
  const [file] = records(stdout).filter(({ event }) => event === 'file')
  expect(file).toMatchObject({ state: 'done', size: LARGE, verified: 'checksum' })
  expect(Number(file?.['resumedFrom'])).toBeGreaterThan(1_000_000)
  expect(await readdir(at('big'))).toEqual(['large.bin'])
}, 60_000)

test('bytes with a wrong checksum never show under the final name, and the exit code says so', async () => {
  const { code, stderr } = await run('get', '15', '-o', at('corrupt', 'wrong.bin'), '--retries', '2')
  expect(code).toBe(1)
  expect(stderr).toContain('Trying again')
  expect(await readdir(at('corrupt'))).toEqual([])
})

test('errors are one sentence, with what to do and the right exit code', async () => {
  const cases: readonly (readonly [string[], number, RegExp])[] = [
    [['99'], 1, /did not give file 99: it does not know it/],
    [['12'], 1, /did not give file 12: this user may not have it/],
    [['31'], 1, /guestbook must be answered first.*It asks for name, email/],
    [[DATASET], 2, /names a dataset: --dataset-zip/],
    [['10', '13'], 2, /--zip brings them as one ZIP/],
    [['11', '--format', 'tab', '--no-var-header'], 2, /applies only one/],
    [['nonsense'], 2, /no file id, PID or URL/],
  ]
  for (const [args, expected, message] of cases) {
    const { code, stderr } = await run('get', ...args, '-o', `${at('errors')}/`)
    expect({ args, code }).toEqual({ args, code: expected })
    expect(stderr).toMatch(message)
  }
  const nowhere = await home.run(['get', '10'])
  expect(nowhere.code).toBe(2)
  expect(nowhere.stderr).toContain('--server')
}, 120_000)

test('url prints an address that gives the file, and says when it is a secret', async () => {
  const own = await run('url', '11', '--format', 'original')
  expect(own).toMatchObject({
    code: 0,
    stdout: `${dataverse.url}/api/access/datafile/11?format=original\n`,
    stderr: '',
  })
  const stored = await run('url', '13', '--json')
  const [record] = records(stored.stdout)
  expect(record).toMatchObject({ event: 'url', secret: true })
  expect(await (await fetch(String(record?.['url']))).text()).toBe('stored')
  expect((await run('url', '12')).code).toBe(1)
})

test('access is asked for, seen, granted, used, revoked and rejected', async () => {
  expect((await run('access', 'request', '12')).code).toBe(2)
  expect((await runAs('admin', 'access', 'list', '12')).stdout).toContain('Nobody has asked')
  expect((await runAs('jane', 'access', 'request', '12')).stdout).toContain('requested')
  const table = await runAs('admin', 'access', 'list', '12')
  expect(table.stdout).toMatch(/^USER +STATE +NAME +E-MAIL\n@jane +created/)
  const may = await runAs('jane', 'access', 'permissions', '12', '--json')
  expect(records(may.stdout)).toMatchObject([{ event: 'permissions', canDownloadFile: false, requested: true }])
  const granted = await runAs('admin', 'access', 'grant', '12', '@jane', '--json')
  expect(records(granted.stdout)).toMatchObject([{ event: 'access', action: 'grant', id: '12', user: '@jane' }])
  expect((await runAs('jane', 'get', '12', '-o', at('secret.txt'))).code).toBe(0)
  expect((await runAs('admin', 'access', 'revoke', '12', '@jane')).code).toBe(0)
  await runAs('jane', 'access', 'request', '12')
  expect((await runAs('admin', 'access', 'reject', '12', '@jane')).stdout).toContain('rejected')
  expect((await runAs('admin', 'access', 'allow', DATASET, '--off')).stdout).toContain('no longer')
}, 120_000)

test('wrong use of access is explained before anything is sent', async () => {
  const before = dataverse.requests.length
  const cases: readonly (readonly [string[], string])[] = [
    [['grant', '12'], 'needs a user such as @jane'],
    [['grant', '12', 'jane@example.org'], 'does not take e-mail addresses'],
    [['lst', '12'], 'did you mean list?'],
    [['request', '12', '@jane'], 'takes no user'],
  ]
  for (const [args, message] of cases) {
    const { code, stderr } = await runAs('admin', 'access', ...args)
    expect({ args, code }).toEqual({ args, code: 2 })
    expect(stderr).toContain(message)
  }
  expect(dataverse.requests.length).toBe(before)
}, 60_000)
