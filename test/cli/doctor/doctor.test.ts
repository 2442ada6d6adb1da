import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { checkDestination } from '../../../src/cli/doctor/destination.ts'
import { checkNode } from '../../../src/cli/doctor/machine.ts'
import { checkRedis } from '../../../src/cli/doctor/redis.ts'
import { VERBS } from '../../../src/cli/commands.ts'
import { runProgram } from '../../../src/cli/program.ts'
import { load } from '../../../src/config/config.ts'
import { startDataverse, type StandIn } from '../../fakes/dataverse/server.ts'
import { startForwardProxy } from '../../fakes/forward-proxy.ts'
import { tinyWorld, WORLD_PID } from '../../fakes/dataverse/worlds.ts'
import { useRedis } from '../../redis.ts'
import { Recorder } from '../recorder.ts'

const CANARY = 'canary-token-77aa'
const PREVIEW = 'canary-preview-77aa'
const redis = useRedis()
const signal = new AbortController().signal
let dataverse: StandIn
let cwd: string

beforeAll(async () => {
  dataverse = await startDataverse({
    world: tinyWorld(1),
    tokens: { [CANARY]: { user: '@archivist' }, [PREVIEW]: { user: '#1', curates: [WORLD_PID], preview: true } },
  })
})
afterAll(() => dataverse.close())
beforeEach(() => (cwd = mkdtempSync(join(tmpdir(), 'df-doctor-'))))
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

async function doctor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const stdout = new Recorder()
  const stderr = new Recorder()
  const world = { stdout, stderr, env: { REDIS_URL: redis.url, ...env }, cwd, signal, verbs: VERBS }
  const code = await runProgram(['doctor', '--json', ...args], world)
  const findings = stdout.lines.map((line) => JSON.parse(line) as Record<string, string>)
  const about = (check: string) => findings.filter((finding) => finding['check'] === check)
  return { code, about, text: stdout.text + stderr.text }
}

describe('dataferry doctor', () => {
  it('finds a sound set-up sound, and says what is there', async () => {
    const { code, about, text } = await doctor(['--server', dataverse.url], { DATAVERSE_API_TOKEN: CANARY })
    expect(code).toBe(0)
    expect(about('Server')).toMatchObject([{ health: 'ok', message: `${dataverse.url} runs Dataverse 6.11` }])
    expect(about('Token')).toMatchObject([{ health: 'ok', message: `${dataverse.url} knows it as @archivist` }])
    expect(about('Redis')[0]?.['message']).toMatch(/ is (redis|valkey) \d.*, and writable$/)
    expect(about('Clock')).toMatchObject([{ health: 'ok' }])
    expect(about('Destination')[0]?.['message']).toMatch(/ can be written, listed and deleted from; .*iB free$/)
    expect(text).not.toContain(CANARY)
  })

  it('takes the token of a preview URL as what it is', async () => {
    const { code, about, text } = await doctor(['--server', dataverse.url], { DATAVERSE_API_TOKEN: PREVIEW })
    expect(code).toBe(0)
    expect(about('Token')).toMatchObject([
      { health: 'ok', message: `${dataverse.url} accepts it: a preview URL’s, for one unpublished dataset` },
    ])
    expect(text).not.toContain(PREVIEW)
  })

  it('a token that the server does not take fails, and is not shown', async () => {
    const { code, about, text } = await doctor(['--server', dataverse.url], { DATAVERSE_API_TOKEN: 'canary-wrong' })
    expect(code).toBe(1)
    expect(about('Token')).toMatchObject([
      { health: 'fail', fix: expect.stringContaining('DATAVERSE_API_TOKEN') as string },
    ])
    expect(text).not.toContain('canary')
  })

  it('a server and a Redis that do not answer fail, each with what to do', async () => {
    const { code, about } = await doctor(['--server', 'http://127.0.0.1:1'], { REDIS_URL: 'redis://127.0.0.1:1' })
    expect(code).toBe(1)
    expect(about('Server')).toMatchObject([{ health: 'fail', fix: expect.stringContaining('URL') as string }])
    expect(about('Redis')).toMatchObject([{ health: 'fail', fix: expect.stringContaining('REDIS_URL') as string }])
    expect(about('Token')).toEqual([])
  })

  it('without a server it warns, and that alone is no failure', async () => {
    const { code, about } = await doctor([])
    expect([code, about('Server')]).toMatchObject([0, [{ health: 'warn' }]])
  })

  it('leaves nothing behind, at a destination that is there, or is not yet', async () => {
    mkdirSync(join(cwd, 'data'))
    for (const folder of ['data', 'not/yet/there']) {
      const { about } = await doctor(['--to', join(cwd, folder)])
      expect(about('Destination')).toMatchObject([{ health: expect.stringMatching(/ok|warn/) as string }])
    }
    expect(readdirSync(cwd)).toEqual(['data'])
    expect(readdirSync(join(cwd, 'data'))).toEqual([])
  })

  it('takes whatever run takes, and reads the manifest', async () => {
    writeFileSync(join(cwd, 'list.txt'), '1\n2\n')
    writeFileSync(join(cwd, 'bad.txt'), '1\n?!\n')
    const place = ['--server', dataverse.url, '--to', join(cwd, 'data'), '-j', '2', '--complete', '-n', '-e', 'skip']
    const good = await doctor([join(cwd, 'list.txt'), ...place])
    expect(good.about('Manifest')).toMatchObject([
      { health: 'ok', message: expect.stringContaining('2 entries') as string },
    ])
    const bad = await doctor([join(cwd, 'bad.txt'), ...place])
    expect([bad.code, bad.about('Manifest')]).toMatchObject([
      1,
      [{ health: 'fail', message: expect.stringContaining('bad.txt:2') as string }],
    ])
    const run = await VERBS.find(({ name }) => name === 'run')?.load()
    const verb = await VERBS.find(({ name }) => name === 'doctor')?.load()
    expect([verb?.settings, verb?.flags]).toEqual([run?.settings, run?.flags])
  })

  it('starts the private Redis for real, and says when the state folder cannot hold it', async () => {
    writeFileSync(join(cwd, 'file'), '')
    const env = { REDIS_URL: '', DATAFERRY_STATE_DIR: join(cwd, 'state') }
    expect((await doctor([], env)).about('State folder')).toMatchObject([{ health: 'ok' }])
    const blocked = await doctor([], { ...env, DATAFERRY_STATE_DIR: join(cwd, 'file', 'state') })
    expect([blocked.code, blocked.about('State folder')]).toMatchObject([1, [{ health: 'fail' }]])
  })

  it('says which proxy it used, without its password, and which address would be the right one', async () => {
    await using proxy = await startForwardProxy({ login: 'jane:canary-secret' })
    const env = { http_proxy: proxy.url.replace('//', '//jane:canary-secret@') }
    const through = await doctor(['--server', dataverse.url], env)
    expect(through.about('Proxy')).toMatchObject([{ message: `${dataverse.url} is reached through ${proxy.url}` }])
    expect(through.about('Server')).toMatchObject([{ health: 'ok' }])
    expect(through.text).not.toContain('canary')
    const direct = await doctor(['--server', dataverse.url], { ...env, NO_PROXY: '127.0.0.1' })
    expect(direct.about('Proxy')).toMatchObject([{ message: `${dataverse.url} is reached directly` }])
    const wrong = await doctor(['--server', `${dataverse.url}/api`])
    expect(wrong.about('Server')).toMatchObject([
      { health: 'fail', message: expect.stringContaining(`use --server ${dataverse.url}.`) as string },
    ])
  })
})

describe('single checks', () => {
  it.each([
    ['18.20.0', 'fail'],
    ['20.18.3', 'fail'],
    ['20.19.0', 'ok'],
    ['26.0.1', 'ok'],
  ])('Node.js %s is %s', (version, health) => {
    expect(checkNode(version).health).toBe(health)
  })

  it('a destination below a file cannot be written', async () => {
    writeFileSync(join(cwd, 'file'), '')
    const to = (destination: string) => load({ env: { DATAFERRY_TO: destination }, cwd, home: cwd })
    expect(await checkDestination(to(join(cwd, 'file', 'data')))).toMatchObject({ health: 'fail' })
    expect(await checkDestination(to('gopher://x/y'))).toMatchObject({ health: 'fail' })
  })

  it('a machine without a Redis program is told how to get one', async () => {
    const config = load({ env: {}, cwd, home: cwd })
    expect(await checkRedis(config, join(cwd, 'empty'), signal)).toMatchObject([
      { health: 'fail', message: expect.stringContaining('install') as string },
    ])
  })

  it('a Redis program says its version', async () => {
    mkdirSync(join(cwd, 'bin'))
    const program = join(cwd, 'bin', 'redis-server')
    writeFileSync(program, '#!/bin/sh\necho "Redis server v=7.4.2 sha=0 bits=64"\n')
    chmodSync(program, 0o755)
    const config = load({ env: {}, cwd, home: cwd })
    expect(await checkRedis(config, join(cwd, 'bin'), signal)).toMatchObject([
      { health: 'ok', message: `private, with ${program} 7.4.2` },
    ])
  })
})
