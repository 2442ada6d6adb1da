import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Command, Context, ExitCode } from '../../src/cli/command.ts'
import type { Verb } from '../../src/cli/commands.ts'
import { runProgram } from '../../src/cli/program.ts'
import { DataferryError, type ErrorCode } from '../../src/errors.ts'
import { Recorder } from './recorder.ts'

let cwd: string
beforeEach(() => (cwd = mkdtempSync(join(tmpdir(), 'df-cli-'))))
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

/** A verb that tells what it was given, or does what a test wants. */
function verb(name: string, seen: Context[], run: (context: Context) => Promise<ExitCode>): Verb {
  const command: Command = {
    examples: [`dataferry ${name} list.txt`],
    operands: [{ name: 'manifest', help: 'what to fetch', optional: true, many: true }],
    settings: ['server', 'destination', 'jobs'],
    flags: [
      { flags: '-n, --dry-run', help: 'only plan' },
      { flags: '-m, --manifest <file>', help: 'the manifest' },
      { flags: '--no-resume', help: 'begin again' },
    ],
    run: (context) => {
      seen.push(context)
      return run(context)
    },
  }
  return { name, summary: `does ${name}`, load: () => Promise.resolve(command) }
}

async function type(line: string, run: (context: Context) => Promise<ExitCode> = () => Promise.resolve(0)) {
  const seen: { run: Context[]; status: Context[] } = { run: [], status: [] }
  const stdout = new Recorder()
  const stderr = new Recorder()
  const controller = new AbortController()
  const verbs = [verb('run', seen.run, run), verb('status', seen.status, run)]
  const argv = line.split(' ').filter(Boolean)
  const code = await runProgram(argv, { stdout, stderr, env: {}, cwd, signal: controller.signal, verbs })
  return { code, out: stdout.text, err: stderr.text, ran: seen.run[0], asked: seen.status[0] }
}

it('as many requests as a command likes may listen for its end, and Node.js warns of none', async () => {
  const warnings: Error[] = []
  const heard = (warning: Error): void => void warnings.push(warning)
  process.on('warning', heard)
  await type('run list.txt', ({ signal }) => {
    for (let i = 0; i < 20; i++) signal.addEventListener('abort', () => undefined)
    return setImmediate(0 as const)
  })
  process.off('warning', heard)
  expect(warnings).toEqual([])
})

describe('which command', () => {
  it('the verb may stand anywhere among the flags', async () => {
    for (const line of ['status --json -j 3', '--json status -j 3', '--json -j 3 status', '--jobs=3 status --json']) {
      const { code, asked } = await type(line)
      expect({ code, json: asked?.out.json, jobs: asked?.config.settings.jobs, args: asked?.args }).toEqual({
        code: 0,
        json: true,
        jobs: 3,
        args: [],
      })
    }
  })

  it('what looks like a manifest is for run', async () => {
    writeFileSync(join(cwd, 'names'), '')
    for (const line of [
      'list.txt',
      '-',
      'names',
      '42',
      'doi:10.5072/FK2/AB',
      '--server demo.example list.txt',
      '-n -- status',
    ]) {
      const { code, ran, asked } = await type(line)
      expect([code, ran?.args.length, asked]).toEqual([0, 1, undefined])
    }
    expect((await type('-m list.txt --dry-run')).ran?.text('manifest')).toBe('list.txt')
  })

  it('a mistyped verb or flag is an error with the one that was meant', async () => {
    const verbError = await type('statsu')
    expect([verbError.code, verbError.out]).toEqual([2, ''])
    expect(verbError.err).toContain('there is no command "statsu"; did you mean "status"?')
    const flagError = await type('status --jbos 3')
    expect(flagError.code).toBe(2)
    expect(flagError.err).toContain("unknown option '--jbos'; did you mean --jobs?")
    expect((await type('status -j')).code).toBe(2)
  })

  it('no arguments at all are an error with the help', async () => {
    const { code, out, err } = await type('')
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('Usage: dataferry <command>')
  })

  it('help begins with an example, and works for the program and for each verb', async () => {
    expect((await type('--help')).out).toMatch(/^Example:\n {2}dataferry run list\.txt\n[^]*status +does status/)
    for (const line of ['status --help', 'help status', '--help status', 'status -h --nonsense']) {
      const { code, out, asked } = await type(line)
      expect([code, asked]).toEqual([0, undefined])
      expect(out).toMatch(/^Example:\n {2}dataferry status list\.txt\n[^]*--dry-run[^]*DATAFERRY_JOBS/)
    }
  })

  it('--version is the version alone', async () => {
    expect(await type('--version')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    })
  })
})

describe('what a command gets', () => {
  it('its own flags, and settings from flags', async () => {
    const { ran } = await type(
      'run --dry-run --manifest a --manifest b --no-resume --server a.example --server b.example x y',
    )
    expect(ran?.args).toEqual(['x', 'y'])
    expect([ran?.has('dry-run'), ran?.has('no-resume'), ran?.has('json')]).toEqual([true, true, false])
    expect(ran?.text('manifest')).toBe('b')
    expect(ran?.config.servers).toEqual(['https://a.example', 'https://b.example'])
    expect((await type('run x')).ran?.has('no-resume')).toBe(false)
  })

  it('two flags for one setting are refused', async () => {
    const { code, err } = await type('run --dir a --to b')
    expect(code).toBe(2)
    expect(err).toContain('--dir and --to mean the same')
  })

  it('bad settings end it before it runs, with all of them named', async () => {
    const { code, err, ran } = await type('run -j 99 --server ftp://x')
    expect([code, ran]).toEqual([2, undefined])
    expect(err).toContain('--jobs: expected a whole number')
    expect(err).toContain('--server: expected the URL')
  })
})

describe('how it ends', () => {
  const failing = (code: ErrorCode) => () => Promise.reject(new DataferryError(code, `it is ${code}`))

  it.each<[ErrorCode, ExitCode]>([
    ['MANIFEST_INVALID', 2],
    ['CONFIG_INVALID', 2],
    ['BATCH_NOT_FOUND', 2],
    ['REDIS_UNAVAILABLE', 3],
    ['SINK_DENIED', 3],
    ['TOKEN_REJECTED', 3],
    ['SOURCE_UNREACHABLE', 3],
    ['CHECKSUM_MISMATCH', 1],
    ['INTERRUPTED', 130],
  ])('%s ends with %i', async (error, code) => {
    expect((await type('run x', failing(error))).code).toBe(code)
  })

  it('an error is one sentence and the next step; where it came from only with -v', async () => {
    const brief = await type('run x', failing('REDIS_UNAVAILABLE'))
    expect(brief.err.split('\n')).toEqual([
      'dataferry: it is REDIS_UNAVAILABLE',
      '  Install redis-server, or give a running Redis with --redis or REDIS_URL.',
      '',
    ])
    expect((await type('run x -v', failing('REDIS_UNAVAILABLE'))).err).toContain('program.test.ts')
  })

  it('with --json an error is an event too', async () => {
    const { out } = await type('run x --json', failing('SINK_DENIED'))
    expect(JSON.parse(out)).toMatchObject({ event: 'error', code: 'SINK_DENIED', message: 'it is SINK_DENIED' })
  })

  it('a mistake of ours is called one, and its message cannot steer the terminal', async () => {
    const { code, err } = await type('run x', () => Promise.reject(new TypeError('bad \x1b[2J')))
    expect(code).toBe(1)
    expect(err).toContain('something unexpected happened: bad \\x1b[2J')
    expect(err).not.toContain('\x1b')
  })
})
