import { describe, expect, it } from 'vitest'
import { Output } from '../../../src/cli/terminal/output.ts'
import type { ProgressSnapshot } from '../../../src/model/progress-snapshot.ts'
import { batchLine, picture } from '../../../src/cli/terminal/progress-text.ts'
import { startProgress } from '../../../src/cli/terminal/progress.ts'
import { displayWidth } from '../../../src/cli/terminal/text.ts'
import { Recorder } from '../recorder.ts'
import { Screen } from '../screen.ts'

const MIB = 1024 ** 2
const FAST = { bytesPerSecond: 10 * MIB, overMs: 15_000 }
const IDLE: ProgressSnapshot = {
  batch: 'b1',
  planned: 200,
  planComplete: true,
  plannedBytes: 1000 * MIB,
  done: 0,
  waiting: 0,
  kept: 0,
  failed: 0,
  bytes: 0,
  keptBytes: 0,
  active: [],
  notices: [],
}

function display(options: { json?: boolean; quiet?: boolean; columns?: number; logsToTerminal?: boolean } = {}) {
  const { json = false, quiet = false, columns, logsToTerminal = false } = options
  const stdout = new Recorder()
  const stderr = new Recorder(columns === undefined ? undefined : { columns, rows: 10 })
  const out = new Output({ stdout, stderr, json, quiet, color: false, redraws: true })
  const clock = { ms: 0 }
  const progress = startProgress({ out, label: 'b1', logsToTerminal, now: () => clock.ms })
  const at = (ms: number, change: Partial<ProgressSnapshot>): void => {
    clock.ms = ms
    progress.update({ ...IDLE, ...change })
  }
  return { out, stdout, stderr, progress, at, screen: () => new Screen(columns ?? 80).feed(stderr.text) }
}

describe('on a terminal', () => {
  it('one line tells of the batch and one of each file, with rate and time left', () => {
    const { at, screen } = display({ columns: 80 })
    at(0, {})
    at(2000, {
      done: 20,
      failed: 1,
      bytes: 100 * MIB,
      active: [
        { path: 'survey/wave-1.csv', bytes: 10 * MIB, size: 40 * MIB },
        { path: 'all.zip', bytes: MIB, size: undefined },
      ],
    })
    expect(screen().lines).toEqual([
      'b1  10 %, 21 of 200 files, 100 MiB of 1.0 GiB, 50 MiB/s, 1 failed',
      '  survey/wave-1.csv'.padEnd(39) + '[##........]  25 %      10 MiB of 40 MiB',
      '  all.zip'.padEnd(72) + '1.0 MiB',
    ])
  })

  it('the time left is told once the rate has been watched for five seconds', () => {
    const { at, screen } = display({ columns: 80 })
    at(0, {})
    for (let second = 1; second < 5; second++) at(second * 1000, { bytes: second * 50 * MIB })
    expect(screen().lines[0]).not.toContain('left')
    at(5000, { bytes: 250 * MIB })
    expect(screen().lines[0]).toBe('b1  25 %, 0 of 200 files, 250 MiB of 1.0 GiB, 50 MiB/s, 15 s left')
  })

  it('what matters most is told on any width: how far, how fast, how long, what failed', () => {
    const busy = { ...IDLE, planned: 20_000, done: 5_000, kept: 10, failed: 12, bytes: 400 * MIB }
    const line = (columns: number) => batchLine('a1f0', busy, { bytesPerSecond: 5.5 * MIB, overMs: 15_000 }, columns)
    expect(line(120)).toBe(
      'a1f0  40 %, 5,022 of 20,000 files, 400 MiB of 1.0 GiB, 5.5 MiB/s, 1 min 49 s left, 10 already there, 12 failed',
    )
    expect(line(79)).toBe('40 %, 5,022 of 20,000 files, 5.5 MiB/s, 1 min 49 s left, 12 failed')
    expect(line(50)).toBe('40 %, 5.5 MiB/s, 1 min 49 s left, 12 failed')
    expect(line(39)).toBe('40 %, 5.5 MiB/s, 1 min 49 s left')
    expect(line(16)).toBe('40 %, 5.5 MiB/s')
    expect(line(6)).toBe('40 %')
  })

  it('forty columns show each file with its name and its share', () => {
    const active = [
      { path: 'survey/wave-1.csv', bytes: 10 * MIB, size: 40 * MIB },
      { path: 'all.zip', bytes: MIB, size: undefined },
    ]
    const [, ...files] = picture('b1', { ...IDLE, active }, undefined, { columns: 40, rows: 10 })
    expect(files).toEqual(['  survey/wave-1.csv'.padEnd(34) + ' 25 %', '  all.zip'.padEnd(32) + '1.0 MiB'])
  })

  it('a reason that is too long for one line takes two', () => {
    const notices = ['demo.dataverse.org asked for a pause until 12:04:05']
    const lines = picture('b1', { ...IDLE, notices }, undefined, { columns: 40, rows: 10 })
    expect(lines.slice(1)).toEqual(['  ! demo.dataverse.org asked for a', '    pause until 12:04:05'])
  })

  it('a pause that a server asked for is shown, and goes away', () => {
    const { at, screen } = display({ columns: 80 })
    at(0, { notices: ['demo.dataverse.org asked for a pause until 12:04:05'] })
    expect(screen().lines[1]).toBe('  ! demo.dataverse.org asked for a pause until 12:04:05')
    at(200, {})
    expect(screen().lines).toHaveLength(1)
  })

  it('other lines scroll by above it', () => {
    const { at, out, screen } = display({ columns: 80 })
    at(0, { active: [{ path: 'a', bytes: 0, size: 1 }] })
    out.warn('something')
    out.say('a note')
    expect(screen().lines.slice(0, 2)).toEqual(['dataferry: warning: something', 'a note'])
    expect(screen().lines).toHaveLength(4)
  })

  it('when it is stopped the last state stays, and the cursor comes back', () => {
    const listeners = process.listenerCount('exit')
    const { at, progress, screen, stderr } = display({ columns: 80 })
    at(0, { active: [{ path: 'a', bytes: 0, size: 1 }] })
    expect(screen().cursorVisible).toBe(false)
    at(10, { done: 198, failed: 1, bytes: 999 * MIB })
    progress.stop()
    expect(screen().lines).toEqual(['b1  99 %, 199 of 200 files, 999 MiB of 1.0 GiB, 1 failed'])
    expect(screen().cursorVisible).toBe(true)
    const { text } = stderr
    progress.stop()
    expect(stderr.text).toBe(text)
    expect(process.listenerCount('exit')).toBe(listeners)
  })

  it('no line is ever as wide as the terminal, and there are never too many', () => {
    const names = ['数据'.repeat(60), 'a/'.repeat(100), '\u202egnp.exe\x1b[2J', '👩‍👩‍👧'.repeat(30), '']
    const active = Array.from({ length: 20 }, (_, at) => ({
      path: names[at % 5] ?? '',
      bytes: at * 1e9,
      size: at % 3 ? 3e10 : undefined,
    }))
    const notices = ['x'.repeat(300)]
    for (let columns = 1; columns < 140; columns += 3) {
      for (let rows = 1; rows < 12; rows++) {
        const lines = picture('数'.repeat(50), { ...IDLE, active, notices }, FAST, { columns, rows })
        expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1))
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(Math.max(1, columns - 1))
      }
    }
  })

  it('files that do not fit are counted', () => {
    const active = Array.from({ length: 20 }, (_, at) => ({ path: `f${at}`, bytes: 0, size: 1 }))
    const { at, screen } = display({ columns: 80 })
    at(0, { active })
    expect(screen().lines).toHaveLength(9)
    expect(screen().lines.at(-1)).toBe('  … and 13 more')
  })

  it('where log lines go to the same place, there are plain lines', () => {
    const { at, stderr } = display({ columns: 80, logsToTerminal: true })
    at(0, {})
    expect(stderr.text).toBe('b1  0 %, 0 of 200 files, 0 B of 1.0 GiB\n')
  })
})

describe('elsewhere', () => {
  it('a plain line comes every ten seconds or ten percent', () => {
    const { at, stderr } = display()
    at(0, {})
    at(5000, { bytes: 50 * MIB })
    at(9000, { bytes: 99 * MIB })
    expect(stderr.lines).toHaveLength(1)
    at(9100, { bytes: 100 * MIB })
    expect(stderr.lines).toHaveLength(2)
    at(19_099, { bytes: 101 * MIB })
    expect(stderr.lines).toHaveLength(2)
    at(19_100, { bytes: 101 * MIB })
    expect(stderr.lines).toHaveLength(3)
  })

  it('a pause is told once, at once', () => {
    const { at, stderr } = display()
    const notices = ['a server asked for a pause']
    at(0, {})
    at(10, { notices })
    at(20, { notices })
    expect(stderr.lines.filter((line) => line === '! a server asked for a pause')).toHaveLength(1)
  })

  it('with -q nothing is shown', () => {
    const { at, progress, stderr, stdout } = display({ quiet: true, columns: 80 })
    at(0, {})
    progress.stop()
    expect(stderr.text + stdout.text).toBe('')
  })

  it('with --json there is an event a second at most, and a last one', () => {
    const { at, progress, stderr, stdout } = display({ json: true, columns: 80 })
    at(0, {})
    at(500, { done: 1 })
    at(5000, { done: 2, bytes: 50 * MIB })
    at(5001, { done: 3, bytes: 50 * MIB })
    progress.stop()
    const events = stdout.lines.map((line): unknown => JSON.parse(line))
    expect(events).toMatchObject([
      { event: 'progress', batch: 'b1', done: 0 },
      { done: 2, settled: 2, bytes: 50 * MIB, bytesPerSecond: 10 * MIB, remainingMs: 95_000 },
      { done: 3 },
    ])
    expect(stderr.text).toBe('')
  })
})

describe('what is left', () => {
  it('counts only what is to be fetched, and nothing while planning goes on', () => {
    const half = { ...IDLE, kept: 50, keptBytes: 500 * MIB, bytes: 250 * MIB }
    expect(picture('b1', half, FAST, { columns: 100, rows: 2 })).toEqual([
      'b1  50 %, 50 of 200 files, 250 MiB of 500 MiB, 10 MiB/s, 25 s left, 50 already there',
    ])
    expect(picture('b1', { ...half, planComplete: false }, FAST, { columns: 100, rows: 2 })).toEqual([
      'b1  50 of 200+ files, 250 MiB of 500 MiB+, 10 MiB/s, 50 already there',
    ])
    expect(batchLine('b1', { ...IDLE, planned: 1, done: 1 }, undefined)).toContain('1 of 1 file')
    expect(batchLine('b1', { ...IDLE, planned: 0, planComplete: false }, undefined)).toContain('no files planned yet')
  })

  it('is not told while something is on hold, since nobody knows how long', () => {
    const wait = { what: 'https://demo.example', reason: 'it is away.', since: new Date(), nextLook: new Date() }
    const held = { ...IDLE, bytes: 250 * MIB, notices: [wait] }
    expect(picture('b1', held, FAST, { columns: 100, rows: 2 })[0]).not.toContain('left')
  })

  it('a rate is that of the last 15 seconds', () => {
    const { at, screen } = display({ columns: 80 })
    at(0, {})
    for (let second = 1; second <= 20; second++) at(second * 1000, { bytes: second * 10 * MIB })
    expect(screen().lines[0]).toContain('10 MiB/s')
    for (let second = 21; second <= 36; second++) at(second * 1000, { bytes: 200 * MIB })
    expect(screen().lines[0]).toContain(', 0 B/s')
  })
})
