import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { load, tokenFor, type LoadedConfig, type LoadOptions } from '../../src/config/config.ts'
import { DataferryError } from '../../src/errors.ts'

const CANARY = 'canary-token-5f3a'
const DEMO = 'https://demo.dataverse.org'
let cwd: string

beforeEach(() => (cwd = mkdtempSync(join(tmpdir(), 'df-config-'))))
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

function config(options: LoadOptions = {}): LoadedConfig {
  return load({ env: {}, cwd, home: join(cwd, 'home'), ...options })
}

function file(name: string, content: unknown, mode = 0o600): string {
  const path = join(cwd, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode })
  return path
}

/** The message of the `CONFIG_INVALID` that loading ends with. */
function problems(options: LoadOptions = {}): string {
  try {
    config(options)
  } catch (error) {
    if (error instanceof DataferryError && error.code === 'CONFIG_INVALID') return error.message
    throw error
  }
  throw new Error('these settings were accepted')
}

const flag = (name: string, value: string | string[]) => ({ flag: name, value })

describe('where a value comes from', () => {
  it('a flag beats the environment, which beats the file, which beats the default', () => {
    const path = file('dataferry.config.json', { jobs: 2, retries: 3, format: 'archival' })
    const { settings, sourceOf } = config({
      flags: { jobs: flag('-j', '8') },
      env: { DATAFERRY_JOBS: '5', DATAFERRY_RETRIES: '6' },
    })
    expect(settings).toMatchObject({ jobs: 8, retries: 6, format: 'archival', existing: 'error' })
    expect(sourceOf('jobs')).toEqual({ kind: 'flag', name: '-j' })
    expect(sourceOf('retries')).toEqual({ kind: 'environment', name: 'DATAFERRY_RETRIES' })
    expect(sourceOf('format')).toEqual({ kind: 'file', name: `${path}, key "format"` })
    expect(sourceOf('existing')).toEqual({ kind: 'default', name: 'default' })
  })

  it('an empty variable counts as not set', () => {
    expect(config({ env: { DATAFERRY_JOBS: '' } }).settings.jobs).toBe(4)
  })

  it('the state folder follows XDG_STATE_HOME, else the home folder', () => {
    expect(config({ env: { XDG_STATE_HOME: '/xdg' } }).settings.stateDir).toBe('/xdg/dataferry')
    expect(config().settings.stateDir).toBe(join(cwd, 'home/.local/state/dataferry'))
  })

  it('paths in the file start at the file, paths of flags at the current folder, and a URL stays a URL', () => {
    mkdirSync(join(cwd, 'project'))
    const path = file('project/settings.json', { destination: './files' })
    expect(config({ file: path }).settings.destination).toBe(join(cwd, 'project/files'))
    expect(config({ flags: { destination: flag('--to', 'out') } }).settings.destination).toBe(join(cwd, 'out'))
    expect(config({ flags: { destination: flag('--to', 's3://bucket/a') } }).settings.destination).toBe('s3://bucket/a')
  })

  it('a named file that is not there is a problem, the usual one that is not there is none', () => {
    expect(config().file).toBeUndefined()
    expect(problems({ file: 'absent.json' })).toContain('absent.json')
  })
})

describe('what a value may be', () => {
  it.each([
    ['demo.dataverse.org', DEMO],
    [`${DEMO}/`, DEMO],
    ['HTTPS://Demo.Dataverse.org:443', DEMO],
    ['http://localhost:8080/dvn/', 'http://localhost:8080/dvn'],
  ])('the server %s is kept as %s', (typed, kept) => {
    expect(config({ flags: { server: flag('--server', [typed]) } }).servers).toEqual([kept])
  })

  it('rates and durations are read with their units', () => {
    const env = { DATAFERRY_LIMIT_RATE: '1.5M', DATAFERRY_THROTTLE_FIRST: '250ms', DATAFERRY_IDLE_TIMEOUT: '2m' }
    const { settings } = config({ env })
    expect(settings).toMatchObject({ limitRate: 1_572_864, throttleFirstMs: 250, idleTimeoutMs: 120_000 })
  })

  it('every problem is named at once, each with its flag, variable or key', () => {
    const path = file('dataferry.config.json', { retires: 3, format: 'zip', existing: true })
    const message = problems({
      flags: { jobs: flag('--jobs', '65'), server: flag('--server', ['ftp://a']) },
      env: { DATAFERRY_IDLE_TIMEOUT: '60' },
    })
    expect(message).toContain('6 settings cannot be used')
    expect(message).toContain('--jobs: expected a whole number from 1 to 64, not "65"')
    expect(message).toContain('--server: expected the URL')
    expect(message).toContain('DATAFERRY_IDLE_TIMEOUT: expected a duration with its unit')
    expect(message).toContain(`${path}, key "retires": there is no such setting; did you mean "retries"?`)
    expect(message).toContain(`${path}, key "format": expected one of original, archival`)
    expect(message).toContain(`${path}, key "existing": expected one of error`)
  })

  it('a file that is no JSON is a problem that does not repeat its text', () => {
    file('dataferry.config.json', `{"token": ${CANARY}}`)
    expect(problems()).toContain('not valid JSON')
    expect(problems()).not.toContain(CANARY)
  })
})

describe('tokens', () => {
  const tokenFile = (mode?: number): string => file('token', `${CANARY}\n`, mode)

  it('the token of the environment is for the default server only', () => {
    const servers = { server: flag('--server', [DEMO, 'https://other.example']) }
    const loaded = config({ flags: servers, env: { DATAVERSE_KEY: CANARY } })
    expect(tokenFor(loaded, `${DEMO}/`)).toBe(CANARY)
    expect(tokenFor(loaded, 'https://other.example')).toBeUndefined()
    expect(tokenFor(loaded, 'http://demo.dataverse.org')).toBeUndefined()
    expect(tokenFor(loaded, `${DEMO}:8443`)).toBeUndefined()
  })

  it('a token that stands beside DATAVERSE_SERVER is not sent to a server that a flag names', () => {
    const env = { DATAVERSE_SERVER: DEMO, DATAVERSE_API_TOKEN: CANARY }
    const loaded = config({ flags: { server: flag('--server', ['https://other.example']) }, env })
    expect(tokenFor(loaded, 'https://other.example')).toBeUndefined()
    expect(loaded.warnings.join()).toContain('is not sent to https://other.example')
  })

  it('each server of the file has its own, from a file or a variable', () => {
    tokenFile()
    file('dataferry.config.json', {
      server: DEMO,
      tokenFile: 'token',
      servers: [
        { url: 'a.example/dvn/', tokenEnv: 'A_TOKEN' },
        { url: 'https://b.example', tokenFile: './token' },
        { url: 'https://c.example' },
      ],
    })
    const loaded = config({ env: { A_TOKEN: 'token-a' } })
    expect(loaded.servers).toEqual([DEMO, 'https://a.example/dvn', 'https://b.example', 'https://c.example'])
    expect(loaded.servers.map((server) => tokenFor(loaded, server))).toEqual([CANARY, 'token-a', CANARY, undefined])
    expect(tokenFor(loaded, 'https://a.example')).toBeUndefined()
  })

  it('a token file is read again for a new token, and what is none is not taken', () => {
    const path = tokenFile()
    const loaded = config({ flags: { server: flag('--server', [DEMO]), tokenFile: flag('--token-file', path) } })
    expect(loaded.tokens.fileOf(DEMO)).toBe(path)
    expect(loaded.tokens.renew(DEMO)).toBe(0)
    for (const none of ['', 'two words']) {
      file('token', none)
      expect(loaded.tokens.renew(DEMO)).toBe(0)
      expect(tokenFor(loaded, DEMO)).toBe(CANARY)
    }
    file('token', 'another\n')
    expect([loaded.tokens.renew(DEMO), loaded.tokens.renew(DEMO)]).toEqual([1, 1])
    expect(tokenFor(loaded, DEMO)).toBe('another')
    expect(config({ env: { DATAVERSE_SERVER: DEMO, DATAVERSE_API_TOKEN: 'x' } }).tokens.renew(DEMO)).toBe(0)
  })

  it('a token in the config file itself is refused, and not repeated', () => {
    file('dataferry.config.json', { token: CANARY, servers: [{ url: DEMO, apiToken: CANARY }] })
    expect(problems()).toMatch(/key "token": a token does not belong[^]*key "servers\[0\]\.apiToken": a token does not/)
    expect(problems()).not.toContain(CANARY)
  })

  it('a token file that others can read gives a warning, one that is missing a problem', () => {
    const path = tokenFile()
    chmodSync(path, 0o644)
    const env = { DATAVERSE_SERVER: DEMO, DATAFERRY_TOKEN_FILE: 'token' }
    expect(config({ env }).warnings.join()).toContain(`chmod 600 ${path}`)
    chmodSync(path, 0o600)
    expect(config({ env }).warnings).toEqual([])
    expect(problems({ env: { DATAFERRY_TOKEN_FILE: 'absent' } })).toContain('DATAFERRY_TOKEN_FILE: the token file')
  })

  it('a token with a line end in it is refused, as it could carry a header', () => {
    const env = { DATAVERSE_SERVER: DEMO, DATAVERSE_API_TOKEN: `${CANARY}\r\nx-evil: 1` }
    expect(problems({ env })).toContain('DATAVERSE_API_TOKEN: expected one API token')
    expect(problems({ env })).not.toContain(CANARY)
  })

  it('a token on an unencrypted way gives a warning, except on this machine', () => {
    const env = { DATAVERSE_API_TOKEN: CANARY }
    expect(config({ env: { ...env, DATAVERSE_SERVER: 'http://dv.example' } }).warnings.join()).toContain('unencrypted')
    expect(config({ env: { ...env, DATAVERSE_SERVER: 'http://127.0.0.1:8080' } }).warnings).toEqual([])
  })
})

describe('secrets', () => {
  it('nothing that prints a configuration shows one', () => {
    const env = { DATAVERSE_SERVER: DEMO, DATAVERSE_API_TOKEN: CANARY, REDIS_URL: `redis://me:${CANARY}@h:6379/1` }
    const loaded = config({ env })
    expect(loaded.settings.redis?.reveal()).toBe(env.REDIS_URL)
    const prints = [inspect(loaded, { depth: 9 }), JSON.stringify(loaded), String(loaded.settings.redis)]
    expect(prints.join()).not.toContain(CANARY)
    expect(prints[2]).toBe('redis://me:***@h:6379/1')
  })

  it('a Redis password is refused on the command line and not repeated', () => {
    const message = problems({ flags: { redis: flag('--redis', `rediss://:${CANARY}@h`) } })
    expect(message).toContain('REDIS_URL')
    expect(message).not.toContain(CANARY)
    expect(problems({ env: { REDIS_URL: `http://:${CANARY}@h` } })).not.toContain(CANARY)
  })

  it('an address with a token in its query is refused without repeating it', () => {
    const message = problems({ flags: { server: flag('--server', [`${DEMO}/?key=${CANARY}`]) } })
    expect(message).toContain('without user, query or fragment')
    expect(message).not.toContain(CANARY)
  })
})
