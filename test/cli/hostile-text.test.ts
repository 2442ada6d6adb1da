import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import { BatchLogs } from '../../src/ledger/batch-logs.ts'
import { createLogger } from '../../src/log.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { worldOf } from '../fakes/worlds.ts'
import { useRedis } from '../redis.ts'
import { runInProcess } from './in-process.ts'

/** Recolours the screen, renames the window, reads backwards, hides, and is a formula. */
const HOSTILE = '=x\x1b[31m\x1b]0;owned\x07\u202e\u200b\u009b2Jtxt.exe'
/** What no terminal, log or table may get: C0 but the line ends of text, C1, bidi marks, zero width. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const RAW = /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b]/

const redis = useRedis()
let dataverse: StandIn
let evil: Server
let evilUrl = ''
let cwd: string

beforeAll(async () => {
  const files = [
    { id: 1, label: HOSTILE, content: 'a' },
    { id: 2, label: `${HOSTILE}2`, content: 'b', restricted: true },
  ]
  dataverse = await startDataverse({ world: worldOf(...files) })
  evil = createServer((request, response) => {
    const message = `${HOSTILE} says no to ${request.url ?? ''}`
    response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ status: 'ERROR', message }))
  })
  await once(evil.listen(0, '127.0.0.1'), 'listening')
  const address = evil.address()
  evilUrl = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
})
afterAll(async () => {
  await dataverse.close()
  evil.close()
})
beforeEach(() => (cwd = mkdtempSync(join(tmpdir(), 'df-hostile-'))))
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const cli = (...args: readonly string[]) =>
  runInProcess(args, { cwd, env: { REDIS_URL: redis.url, DATAFERRY_PREFIX: redis.prefix } })

describe('what strangers wrote never reaches the screen, a log or a table raw', () => {
  it('in run, its records, status and verify', async () => {
    const run = await cli('run', '1', '2', '--server', dataverse.url, '--to', 'data', '--new')
    expect(run.code).toBe(1)
    expect(run.stdout + run.stderr).not.toMatch(RAW)
    const folder = join(cwd, 'data', '.dataferry')
    const batch = readdirSync(folder).find((name) => name.startsWith('command-line-')) ?? ''
    const tables = ['failures.csv', 'renamed.csv'].map((name) => readFileSync(join(folder, batch, name), 'utf8'))
    expect(tables.join('')).not.toMatch(RAW)
    expect(tables.join('').split(/[\r\n,]+/)).not.toContainEqual(expect.stringMatching(/^[=+@-]/))
    const tail = await new BatchLogs(redis.client, redis.prefix).read(batch)
    expect(tail.map(({ text }) => text)).toContainEqual(expect.stringMatching(/^item ended n=1 path=.*failed/))
    expect(tail.map(({ text }) => text).at(-1)).toMatch(/^batch ended /)
    expect(tail.map(({ text }) => text).join('')).not.toMatch(RAW)
    for (const args of [[], ['--json']]) expect((await cli('status', ...args)).stdout).not.toMatch(RAW)
    writeFileSync(join(cwd, 'data', `x${HOSTILE}`), 'extra')
    const verify = await cli('verify', join(cwd, 'data'))
    expect(verify.stdout).toContain('extra    x=x\\x1b[31m\\x1b]0;owned\\x07\\u{202e}\\u{200b}\\x9b2Jtxt.exe')
    expect(verify.stdout + verify.stderr).not.toMatch(RAW)
  })

  it('in get and url, whatever the server calls a file or says', async () => {
    const got = await cli('get', '1', '-o', `${cwd}/`, '--server', dataverse.url)
    expect(got.code).toBe(0)
    expect(got.stdout + got.stderr).not.toMatch(RAW)
    for (const words of [
      ['get', '1'],
      ['url', '1'],
    ]) {
      const { stdout, stderr } = await cli(...words, '--server', evilUrl)
      expect(stdout + stderr).not.toMatch(RAW)
      expect(stderr).toContain('says no')
    }
  })

  it('in what was typed', async () => {
    const { stderr } = await cli('run', HOSTILE, '--server', dataverse.url)
    expect(stderr).not.toMatch(RAW)
  })

  it('in the message of an error, for whoever prints it', () => {
    expect(new DataferryError('SOURCE_DENIED', `${HOSTILE}\nnext`).message).not.toMatch(RAW)
  })

  it('in a log line, which reads back as it was', () => {
    const lines: string[] = []
    createLogger('info', { write: (line) => lines.push(line) }).info({ path: HOSTILE }, HOSTILE)
    expect(lines.join('')).not.toMatch(RAW)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ path: HOSTILE, msg: HOSTILE })
  })
})
