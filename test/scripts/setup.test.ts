import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url))
const IS_ROOT = process.getuid?.() === 0
/** Somebody who may not install anything: `nobody`, as far as tests may become one. */
const NOBODY = IS_ROOT ? { uid: 65_534, gid: 65_534 } : {}

let clone: string
let calls: string

/** A fresh clone: the script and a lock, and a PATH of its own with only the programs that a test puts there. */
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'df-setup-'))
  calls = join(clone, 'calls')
  for (const folder of ['scripts', 'bin']) mkdirSync(join(clone, folder))
  for (const name of ['setup.mjs', 'programs.mjs']) copyFileSync(join(SCRIPTS, name), join(clone, 'scripts', name))
  writeFileSync(join(clone, 'package-lock.json'), '{"lock": 1}')
  writeFileSync(calls, '')
  program('npm', 'mkdir -p node_modules')
})
afterEach(() => rmSync(clone, { recursive: true, force: true }))

/** A program on PATH that notes how it was called, then runs a line of shell. */
function program(name: string, line = ':'): void {
  const path = join(clone, 'bin', name)
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>'${calls}'\nPATH=$PATH:/usr/bin:/bin\n${line}\n`)
  chmodSync(path, 0o755)
}

const installs = (name = 'redis-server'): string =>
  `printf '#!/bin/sh\\n' >'${clone}/bin/${name}'; chmod 755 '${clone}/bin/${name}'`

function setup(
  env: Readonly<Record<string, string>> = {},
  as: { uid?: number; gid?: number } = {},
  ...args: readonly string[]
) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(clone, 'scripts/setup.mjs'), ...args], {
    cwd: tmpdir(),
    env: { PATH: join(clone, 'bin'), ...env },
    encoding: 'utf8',
    ...as,
  })
  const called = readFileSync(calls, 'utf8').split('\n').filter(Boolean)
  writeFileSync(calls, '')
  return { status, stdout, stderr, called }
}

describe('the packages', () => {
  beforeEach(() => program('redis-server'))

  it('are installed in a fresh clone, and said so', () => {
    const { status, stdout, stderr, called } = setup()
    expect([status, stdout, called]).toEqual([0, '', ['npm ci --no-audit --no-fund']])
    expect(stderr).toContain('setup: installing the packages')
  })

  it('are left alone, without a word, when they are there', () => {
    setup()
    expect(setup()).toEqual({ status: 0, stdout: '', stderr: '', called: [] })
  })

  it('are installed again when the lock has changed', () => {
    setup()
    writeFileSync(join(clone, 'package-lock.json'), '{"lock": 2}')
    expect(setup().called).toEqual(['npm ci --no-audit --no-fund'])
  })

  it('that somebody installed by hand are taken as they are, unless the lock is newer', () => {
    mkdirSync(join(clone, 'node_modules'))
    const copy = join(clone, 'node_modules/.package-lock.json')
    writeFileSync(copy, '{}')
    utimesSync(copy, new Date(), new Date(Date.now() - 60_000))
    expect(setup().called).toHaveLength(1)
    rmSync(join(clone, 'node_modules/.dataferry-setup'))
    utimesSync(copy, new Date(), new Date(Date.now() + 60_000))
    expect(setup()).toEqual({ status: 0, stdout: '', stderr: '', called: [] })
  })

  it('that cannot be installed end it with 3, and the next run tries again', () => {
    program('npm', 'exit 1')
    const { status, stderr } = setup()
    expect(status).toBe(3)
    expect(stderr).toContain('npm ci did not succeed')
    expect(setup().called).toHaveLength(1)
  })
})

describe('Redis', () => {
  it.each(['redis-server', 'valkey-server'])('%s on PATH is enough', (name) => {
    program(name)
    program('apk')
    expect(setup()).toMatchObject({ status: 0, called: ['npm ci --no-audit --no-fund'] })
  })

  it('is not looked for when REDIS_URL names one', () => {
    expect(setup({ REDIS_URL: 'redis://redis.example' })).toMatchObject({ status: 0 })
  })

  it('is installed with the manager of the system, as root or with a sudo that asks nothing', () => {
    program('sudo', 'shift; "$@"')
    program('apk', installs())
    const { status, called, stderr } = setup()
    expect(status).toBe(0)
    expect(called).toContain('apk add --no-cache redis')
    expect(stderr).toContain('setup: installing Redis with apk')
  })

  it('on Debian is installed without what is only recommended, and without starting a service', () => {
    program('sudo', 'shift; "$@"')
    program('apt-get')
    program('sh', installs())
    const { status, called } = setup()
    const script = called.join('\n')
    expect(status).toBe(0)
    expect(script).toContain('apt-get update && apt-get install -y --no-install-recommends redis-server')
    expect(script).toContain('policy-rc.d')
  })

  it('with brew is installed as the user, never as root', () => {
    program('sudo', 'exit 1')
    program('brew', installs())
    expect(setup().called).toContain('brew install redis')
  })

  it('that may not be installed ends it with 3 and the exact command', () => {
    program('apt-get')
    program('sudo', 'exit 1')
    setup({ REDIS_URL: 'redis://redis.example' })
    chmodSync(clone, 0o755)
    chmodSync(calls, 0o666)
    const { status, stderr, called } = setup({}, NOBODY)
    expect(status).toBe(3)
    expect(stderr).toContain('run: sudo apt-get install -y --no-install-recommends redis-server')
    expect(stderr).toContain('REDIS_URL')
    expect(called.filter((call) => call.startsWith('apt-get'))).toEqual([])
  })

  it('that is not there after all, or has no manager, ends it with 3', () => {
    expect(setup()).toMatchObject({ status: 3, stderr: expect.stringContaining('install redis-server') as string })
    program('sudo', 'shift; "$@"')
    program('apk')
    expect(setup()).toMatchObject({ status: 3, stderr: expect.stringContaining('run: ') as string })
  })
})

describe('the count of tests', () => {
  const COUNT = fileURLToPath(new URL('../../scripts/count-tests.mjs', import.meta.url))

  it.each([
    ['all good', { numPassedTests: 3, numFailedTests: 0, success: true, testResults: [] }, '3 passed, 0 failed', 0],
    ['one failed', { numPassedTests: 3, numFailedTests: 1, success: false, testResults: [] }, '3 passed, 1 failed', 1],
    [
      'a file that could not be loaded',
      {
        numPassedTests: 3,
        numFailedTests: 0,
        success: false,
        testResults: [{ status: 'failed', assertionResults: [] }],
      },
      '3 passed, 1 failed',
      1,
    ],
    [
      'an error outside of a test',
      { numPassedTests: 3, numFailedTests: 0, success: false, testResults: [] },
      '3 passed, 1 failed',
      1,
    ],
    [
      'no test at all',
      { numPassedTests: 0, numFailedTests: 0, success: true, testResults: [] },
      '0 passed, 1 failed',
      1,
    ],
    ['no report', 'nothing', '0 passed, 1 failed', 1],
  ])('%s', (_, report, line, code) => {
    const file = join(clone, 'report.json')
    writeFileSync(file, typeof report === 'string' ? '' : JSON.stringify(report))
    const { status, stdout } = spawnSync(process.execPath, [COUNT, file], { encoding: 'utf8' })
    expect([stdout.trim(), status]).toEqual([line, code])
  })

  it('adds reports up, and is not satisfied without any', () => {
    const files = [3, 4].map((passed) => join(clone, `${passed}.json`))
    for (const [i, file] of files.entries())
      writeFileSync(file, JSON.stringify({ numPassedTests: 3 + i, numFailedTests: 0, success: true, testResults: [] }))
    const run = (...reports: string[]) => spawnSync(process.execPath, [COUNT, ...reports], { encoding: 'utf8' })
    expect(run(...files)).toMatchObject({ stdout: '7 passed, 0 failed\n', status: 0 })
    expect(run(...files, join(clone, 'missing.json'))).toMatchObject({ stdout: '7 passed, 1 failed\n', status: 1 })
    expect(run()).toMatchObject({ stdout: '0 passed, 1 failed\n', status: 1 })
  })
})

describe('programs that single tests look for', () => {
  beforeEach(() => {
    program('redis-server')
    setup()
  })

  it('are looked for only with --all, and installed where that is allowed', () => {
    program('apt-get', installs('systemd-analyze'))
    program('sh', 'exec /bin/sh "$@"')
    program('sudo', IS_ROOT ? 'exit 1' : 'shift; exec "$@"')
    expect(setup().called).toEqual([])
    const { status, stderr, called } = setup({}, {}, '--all')
    expect(status).toBe(0)
    expect(called).toContain('apt-get install -y --no-install-recommends systemd')
    expect(stderr).not.toContain('are skipped')
  })

  it('that cannot be installed are said, and stop nothing', () => {
    const { status, stderr } = setup({}, {}, '--all')
    expect(status).toBe(0)
    expect(stderr).toContain('tests that need systemd-analyze are skipped; on Debian it is in the package systemd')
  })
})
