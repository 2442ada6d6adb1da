import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { makeHome, records, type Ended, type Home } from './cli.ts'

const LARGE = 40_000_000
const BINARY = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 31) % 256))
const DATASET = 'doi:10.5072/FK2/ONE'
const TOKENS = { admin: { user: '@admin', superuser: true, curates: 'all' }, jane: { user: '@jane' } } as const

function world(): World {
  const made = new World()
  made.dataset(DATASET, {
    files: [
      { id: 10, label: 'hello.txt', directory: 'raw', content: 'Hello, Dataverse!', pid: `${DATASET}/HELLO` },
      { id: 12, label: 'secret.txt', content: 'secret', restricted: true },
      { id: 14, label: 'large.bin', content: { size: LARGE, seed: 4 } },
      { id: 15, label: 'wrong.bin', content: 'not that', checksum: { type: 'MD5', value: '0'.repeat(32) } },
      { id: 16, label: 'binary.bin', content: BINARY },
    ],
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
async function piped(args: readonly string[], take = Infinity): Promise<{ readonly bytes: Buffer } & Ended> {
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

test('standard output gets exactly the bytes, and standard error says what was proven', async () => {
  const { bytes, code, stderr } = await piped(['get', '16', '-o', '-'])
  expect(code).toBe(0)
  expect(bytes.equals(BINARY)).toBe(true)
  expect(stderr).toContain(`md5 ${createHash('md5').update(BINARY).digest('hex')} as published`)
  const wrong = await piped(['get', '15', '-o', '-'])
  expect({ code: wrong.code, text: wrong.bytes.toString() }).toEqual({ code: 1, text: 'not that' })
  expect(wrong.stderr).toContain('the server published md5 000')
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
    if (/"bytes":\d{8}/.test(text)) child.kill('SIGKILL')
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
})

test('bytes with a wrong checksum never show under the final name, and the exit code says so', async () => {
  const { code, stderr } = await run('get', '15', '-o', at('corrupt', 'wrong.bin'), '--retries', '2')
  expect(code).toBe(1)
  expect(stderr).toContain('Trying again')
  // A small file is looked at before anything is written: there may not even be a folder.
  expect(existsSync(at('corrupt', 'wrong.bin'))).toBe(false)
  expect(existsSync(at('corrupt')) ? await readdir(at('corrupt')) : []).toEqual([])
})

test('a file is had once access was asked for and granted', async () => {
  expect((await runAs('jane', 'get', '12', '-o', at('secret.txt'))).code).toBe(1)
  expect((await runAs('jane', 'access', 'request', '12')).stdout).toContain('requested')
  expect((await runAs('admin', 'access', 'list', '12')).stdout).toContain('@jane')
  expect((await runAs('admin', 'access', 'grant', '12', '@jane')).code).toBe(0)
  expect((await runAs('jane', 'get', '12', '-o', at('secret.txt'))).code).toBe(0)
  expect(await readFile(at('secret.txt'), 'utf8')).toBe('secret')
})
