import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { makeHome, records } from '../e2e/cli.ts'
import { runInProcess, type Ended } from './in-process.ts'
import { useStandIn } from './use-stand-in.ts'
import { World } from '../fakes/dataverse/world.ts'

const world = new World()
world.dataset('doi:10.5072/FK2/A', { files: [{ id: 1, label: 'a.txt', content: 'alpha' }] })
const here = useStandIn({ world })
let list = ''
beforeAll(() => {
  list = join(here.cwd, 'list.txt')
  writeFileSync(list, 'doi:10.5072/FK2/A\n')
})

const to = () => ['--to', join(here.cwd, 'data')]
const command = () => ['run', list, '--server', here.dataverse.url, ...to()]
const cli = (...args: readonly string[]): Promise<Ended> =>
  runInProcess(['schedule', ...args], {
    cwd: here.cwd,
    env: { DATAFERRY_STATE_DIR: join(here.cwd, 'state') },
  })
const add = (name: string, words: readonly string[], ...flags: readonly string[]) =>
  cli('add', name, '--cron', '0 3 * * *', '--tz', 'Europe/Berlin', ...flags, '--', ...words)

describe('what is refused when it is added', () => {
  test.each([
    ['a command that no schedule can run', () => ['status'], /can run mirror, run, enqueue, verify, not status/],
    ['no command', () => [], /Say what to run, behind --/],
    ['a flag that the command does not know', () => [...command(), '--nope'], /unknown option '--nope'/],
    ['a setting that it cannot use', () => [...command(), '--jobs', '999'], /--jobs: expected a whole number/],
    ['a manifest that is not there', () => ['run', '/gone.txt', ...to()], /\/gone\.txt/],
    ['a manifest with a bad line', () => ['run', 'doi:nonsense', ...command().slice(2)], /doi:nonsense/],
    ['standard input', () => ['run', '-', ...to()], /no standard input/],
    ['a mirror that is not there', () => ['mirror', 'run', 'm', ...to()], /no mirror m/],
    ['help instead of a run', () => ['run', '--help'], /--help runs nothing/],
    [
      'a report without a folder',
      () => ['verify', here.cwd, '--report', '/gone/v.csv'],
      /--report \/gone\/v\.csv: there is no folder/,
    ],
    ['another action of mirror', () => ['mirror', 'prune', 'm', ...to()], /not `mirror prune`/],
    [
      'a token',
      () => [...command(), '12345678-1234-1234-1234-123456789abc'],
      /Word 7 of the command looks like a secret/,
    ],
    ['a token in an address', () => ['run', 'https://a.example/x?key=12345678-1234', ...to()], /Word 2 of the command/],
    [
      'a Redis of its own',
      () => [...command(), '--redis', 'redis://127.0.0.1:1'],
      /--redis does not go with a scheduled/,
    ],
    ['a password', () => [...command(), '--redis', 'redis://:secret@host'], /looks like a secret/],
  ])('%s', async (_, words, message) => {
    const { code, stderr } = await add('refused', words())
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/12345678|:secret@/)
    expect([2, 3]).toContain(code)
    expect((await cli('list')).stdout).not.toContain('refused')
  })

  test('a token that is known, in whatever word', async () => {
    vi.stubEnv('DATAVERSE_API_TOKEN', 'known-token')
    const { code, stderr } = await add('refused', [...command(), '--user-agent', 'me/known-token'])
    vi.unstubAllEnvs()
    expect([code, stderr]).toEqual([2, expect.stringMatching(/Word 8 .* the secret of DATAVERSE_API_TOKEN/)])
    expect(stderr).not.toContain('known-token')
  })

  test.each([
    ['the password of Redis', 'redis-pass', { REDIS_URL: 'redis://user:redis%2Dpass@127.0.0.1:1' }, 'REDIS_URL'],
    ['a short one, as a value', 'pw1', { REDIS_URL: 'redis://:pw1@127.0.0.1:1' }, 'REDIS_URL'],
    ['the secret of a webhook', 'hook secret', {}, 'hook\\.secret'],
    ['the address of a webhook', 'https://hooks.example.org/a1b2c3', {}, 'notify\\.webhooks\\.0'],
    ['the password of the mail', 'mail-pass', { MAIL_PASSWORD: 'mail-pass' }, 'MAIL_PASSWORD'],
    ['the password of a proxy', 'proxy-pass', { https_proxy: 'http://me:proxy-pass@127.0.0.1:1' }, 'the proxy'],
    ['the token of a file', 'token-of-file', {}, 'token'],
  ])('%s', async (_, secret, variables, source) => {
    const at = (name: string): string => join(here.cwd, name)
    const notify = {
      webhooks: [{ url: 'https://hooks.example.org/a1b2c3', secretFile: 'hook.secret' }],
      mail: { smtp: 'smtps://m.example.org', passwordEnv: 'MAIL_PASSWORD', from: 'a@b.org', to: ['a@b.org'] },
    }
    writeFileSync(at('dataferry.config.json'), JSON.stringify({ notify }))
    writeFileSync(at('hook.secret'), 'hook secret\n', { mode: 0o600 })
    writeFileSync(at('token'), 'token-of-file\n', { mode: 0o600 })
    const env = { DATAFERRY_TOKEN_FILE: at('token'), ...variables }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    try {
      const words = [...command(), `--user-agent=${secret}`]
      const { code, stderr } = await add('refused', words)
      expect([code, stderr]).toEqual([2, expect.stringMatching(new RegExp(`Word 7 .* the secret of .*${source}`))])
      expect(stderr).not.toContain(secret)
      const encoded = await add('refused', [...command(), `--user-agent=${encodeURIComponent(secret)}`])
      expect(encoded.stderr).toContain('Word 7')
    } finally {
      vi.unstubAllEnvs()
      rmSync(at('dataferry.config.json'))
    }
  })

  test('hours for a command that cannot park, and hours, times and names that are none', async () => {
    const verify = await add('x', ['verify', join(here.cwd, 'data')], '--between', '20:00-06:00')
    expect(verify.stderr).toContain('--between goes with mirror and run')
    expect((await add('x', command(), '--between', '20-6')).stderr).toContain('expected hours such as 20:00-06:00')
    expect((await add('x', command(), '--jitter', '10')).stderr).toContain('such as 10m')
    expect((await add('x', command(), '--jitter', '400d')).stderr).toContain('--jitter is too long')
    const boot = await cli('add', 'x', '--cron', '@reboot', '--', ...command())
    expect(boot.stderr).toContain('of such words there are @yearly')
    expect((await add('../x', command())).stderr).toContain('cannot be the name of a schedule')
    for (const [words, message] of [
      [['show'], 'Name the schedule: dataferry schedule show NAME'],
      [['show', 'x', 'y'], 'schedule show does not take the word y'],
      [['list', 'x'], 'schedule list does not take the word x'],
      [['next', 'x', '5', '6'], 'schedule next does not take the word 6'],
      [['pause', 'x', '--cron', '@daily'], '--cron goes with schedule add alone'],
    ] as const) {
      const { code, stderr } = await cli(...words)
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    }
    const later = await add('later', ['verify', join(here.cwd, 'later')])
    expect([later.code, later.stderr]).toEqual([0, expect.stringContaining('There is nothing to verify at')])
    await cli('remove', 'later')
    const unknown = await cli('show', 'nope')
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('There is no schedule nope')])
  })
})

test('a schedule is added, shown, paused, continued and removed', async () => {
  const added = await add('nightly', command(), '--jitter', '10m')
  expect([added.code, added.stderr]).toEqual([0, ''])
  expect(added.stdout).toMatch(/It runs next at \d{4}-\d\d-\d\d 03:0\d:\d\d/)
  expect((await add('nightly', command())).stderr).toContain('There is a schedule nightly already')
  expect(readFileSync(join(here.cwd, 'state/schedules/nightly/schedule.json'), 'utf8')).toContain('"0 3 * * *"')

  const next = records((await cli('next', 'nightly', '3', '--json')).stdout)
  expect(next).toHaveLength(3)
  expect(next[0]).toMatchObject({ event: 'next', schedule: 'nightly' })
  expect((await cli('next', 'nightly', 'x')).stderr).toContain('Say how many times')

  const about = { event: 'schedule', name: 'nightly', cron: '0 3 * * *', tz: 'Europe/Berlin', command: command() }
  expect(records((await cli('show', 'nightly', '--json')).stdout)).toMatchObject([{ ...about, last: null }])
  expect((await cli('show', 'nightly')).stdout).toContain('It has not run yet.')

  expect((await cli('pause', 'nightly')).code).toBe(0)
  expect((await cli('list')).stdout).toMatch(/next {2}paused/)
  expect((await cli('pause', 'nightly')).stderr).toContain('is paused already')
  expect(records((await cli('list', '--json')).stdout)).toMatchObject([{ ...about, next: null }])
  expect((await cli('continue', 'nightly')).code).toBe(0)
  expect((await cli('list')).stdout).toMatch(/next {2}\d{4}-/)
  expect((await cli('remove', 'nightly')).code).toBe(0)
  expect((await cli('list')).stdout).toContain('There is no schedule')
})

test('a run by hand prints what its command prints, ends as it does, and is in the history', async () => {
  await using home = await makeHome()
  const words = ['run', list, '--server', here.dataverse.url, '--to', home.data]
  const added = await home.run(['schedule', 'add', 'now', '--cron', '@daily', '--', ...words])
  expect([added.code, added.stderr]).toEqual([0, ''])
  const ran = await home.run(['schedule', 'run', 'now'])
  expect(ran.stdout).toContain('The file is there')
  expect(ran.code).toBe(0)
  const again = await home.run(['schedule', 'run', 'now', '--json'])
  expect(records(again.stdout).at(-1)).toMatchObject({ event: 'summary', complete: true })
  const shown = await home.run(['schedule', 'show', 'now', '--json'])
  const [about, run, ...more] = records(shown.stdout)
  expect(more).toMatchObject([{ event: 'run', due: null, exit: 0 }])
  expect(about).toMatchObject({ event: 'schedule', last: { state: 'ended' } })
  expect(run).toMatchObject({ event: 'run', due: null, exit: 0 })
  expect(run?.['report']).toMatch(/^file:.*report\.json$/)
})
