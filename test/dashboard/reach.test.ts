import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { hostname, networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it, test } from 'vitest'
import { interfaceOf, reachedAt, reachOf } from '../../src/dashboard/reach.ts'
import { runInProcess } from '../cli/in-process.ts'
import { useRedis } from '../redis.ts'
import { openTestDashboard } from './open-dashboard.ts'

const redis = useRedis()

const own = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
const outside = own.filter(({ internal, scopeid }) => !internal && !scopeid)
const inUrl = (address: string): string => (address.includes(':') ? `[${address}]` : address)

test.each([
  ['0.0.0.0', '0.0.0.0'],
  ['0', '0.0.0.0'],
  ['[::]', '::'],
  ['::0', '::'],
  ['LocalHost', 'localhost'],
  ['192.0.2.7', '192.0.2.7'],
  ['', undefined],
  ['192.0.2.7:8686', undefined],
  ['http://192.0.2.7', undefined],
])('--host %j is the interface %s', (text, host) => {
  expect(interfaceOf(text)).toBe(host)
})

test.each([
  ['127.0.0.1', 'localhost'],
  // What `localhost` stands for may be 127.0.0.1 alone.
  ['::1', '[::1]'],
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8::7', '[2001:db8::7]'],
])('what listens on %s is opened at %s, and known under it', (host, name) => {
  expect(reachedAt(host)).toBe(name)
  expect(reachOf(host, []).knows(name)).toBe(true)
})

it('on all interfaces it is known under every name of this machine, and under no other', () => {
  const reach = reachOf('0.0.0.0', ['https://data.example.edu'])
  const names = [hostname().toLowerCase(), 'localhost', 'data.example.edu', ...own.map(({ address }) => inUrl(address))]
  expect(names.filter((name) => !reach.knows(name))).toEqual([])
  expect(reach.knows('attacker.example')).toBe(false)
  expect(reachOf('127.0.0.1', []).knows(hostname().toLowerCase())).toBe(hostname().toLowerCase() === 'localhost')
})

let token: string
beforeAll(async () => {
  token = join(await mkdtemp(join(tmpdir(), 'df-reach-')), 'token')
  await writeFile(token, 'a-token-of-a-viewer', { mode: 0o600 })
})
afterAll(() => rm(dirname(token), { recursive: true }))

test.each(['0.0.0.0', '::'])('the link to a dashboard on %s is one that others can open, too', async (host) => {
  await using board = await openTestDashboard(redis, ['--host', host, '--viewer-token-file', token])
  const { hostname: name, origin } = new URL(board.url)
  if (outside.length > 0) expect(outside.map(({ address }) => inUrl(address))).toContain(name)
  const { stdout } = await runInProcess(['dashboard', 'link'], { cwd: board.folder, env: board.env })
  expect(stdout.startsWith(`${origin}/link#`)).toBe(true)
  const answer = await board.ask('/api/overview', { headers: { ...(await board.signIn()) } })
  expect(answer.status).toBe(200)
})
