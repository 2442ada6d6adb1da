import { describe, expect, it } from 'vitest'
import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../../../src/model/format.ts'
import { Output } from '../../../src/cli/terminal/output.ts'
import { displayWidth, pad, shortenPath, truncate, wrap } from '../../../src/cli/terminal/text.ts'
import { visibleJson, visibleText } from '../../../src/model/visible-text.ts'
import { Recorder } from '../recorder.ts'
import { Screen } from '../screen.ts'

function output(options: { json?: boolean; quiet?: boolean; color?: boolean; tty?: boolean; columns?: number } = {}) {
  const { json = false, quiet = false, color = true, tty = false, columns = 80 } = options
  const size = tty ? { columns, rows: 24 } : undefined
  const stdout = new Recorder(size)
  const stderr = new Recorder(size)
  return { out: new Output({ stdout, stderr, json, quiet, color, redraws: true }), stdout, stderr }
}

/** Recolours the screen, renames the window, and reads as `txt.exe` from the right. */
const HOSTILE = 'a\x1b[31m\x1b]0;owned\x07\u202eexe.txt\nb\u0085\ud800'

describe('output', () => {
  it('puts results on standard output and all else on standard error', () => {
    const { out, stdout, stderr } = output()
    out.line('a result')
    out.say('a note')
    out.warn('careful')
    out.error('it broke', 'Mend it.')
    expect(stdout.lines).toEqual(['a result'])
    expect(stderr.lines).toEqual(['a note', 'dataferry: warning: careful', 'dataferry: it broke', '  Mend it.'])
  })

  it('with --json prints one object a line, and text for people only on standard error', () => {
    const { out, stdout, stderr } = output({ json: true })
    out.result({ event: 'x', n: 1 }, 'one x')
    out.table([{ title: 'A' }], [[{ text: 'a' }]])
    out.say('a note')
    expect(stdout.lines.map((line): unknown => JSON.parse(line))).toEqual([{ event: 'x', n: 1 }])
    expect(stderr.lines).toEqual(['a note'])
  })

  it('with -q keeps results, warnings and errors', () => {
    const { out, stdout, stderr } = output({ quiet: true })
    out.line('a result')
    out.say('a note')
    out.error('it broke')
    expect([stdout.lines, stderr.lines]).toEqual([['a result'], ['dataferry: it broke']])
  })

  it('colours on a terminal only, and never when that is not wanted', () => {
    const colored = output({ tty: true })
    colored.out.line('good', 'good')
    expect(colored.stdout.text).toBe('\x1b[32mgood\x1b[0m\n')
    for (const plain of [output({ tty: true, color: false }), output()]) {
      plain.out.line('good', 'good')
      expect(plain.stdout.text).toBe('good\n')
    }
  })

  it('aligns columns by what a terminal shows, and numbers to the right', () => {
    const { out, stdout } = output()
    out.table(
      [{ title: 'NAME' }, { title: 'SIZE', align: 'right' }],
      [
        [{ text: '数据.csv' }, { text: '5 B' }],
        [{ text: 'e\u0301tude.txt' }, { text: '12 KiB' }],
      ],
    )
    expect(stdout.lines).toEqual(['NAME         SIZE', '数据.csv      5 B', 'e\u0301tude.txt  12 KiB'])
  })

  it('names that strangers chose cannot steer the terminal', () => {
    const { out, stdout, stderr } = output({ tty: true, color: false })
    out.line(HOSTILE)
    out.table([{ title: 'NAME' }], [[{ text: HOSTILE }]])
    out.error(HOSTILE)
    // eslint-disable-next-line no-control-regex -- control characters are what it looks for
    expect(stdout.text + stderr.text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]|\p{Surrogate}/u)
    expect(stdout.lines).toHaveLength(3)
    expect(stdout.lines.at(-1)).toBe('a\\x1b[31m\\x1b]0;owned\\x07\\u{202e}exe.txt\\nb\\x85\\u{d800}')
  })

  it('in JSON such names are escaped and read back as they were', () => {
    const { out, stdout } = output({ json: true })
    out.record({ name: HOSTILE })
    expect(stdout.text).not.toContain('\u202e')
    expect(JSON.parse(stdout.text)).toEqual({ name: HOSTILE })
    expect(JSON.parse(visibleJson(JSON.stringify('\u{e0041}')))).toBe('\u{e0041}')
  })
})

describe('sentences', () => {
  const LONG = 'The disk is full, so nothing more is fetched until there is room; free some space, and it goes on.'

  it('break between words on a terminal, and stay whole elsewhere, where nobody knows the width', () => {
    const narrow = output({ tty: true, color: false, columns: 40 })
    narrow.out.say(`  ${LONG}`)
    expect(narrow.stderr.lines.map((line) => line.length).every((length) => length <= 40)).toBe(true)
    expect(narrow.stderr.lines.every((line) => line.startsWith('  '))).toBe(true)
    expect(narrow.stderr.lines.map((line) => line.trim()).join(' ')).toBe(LONG)
    const piped = output()
    piped.out.say(LONG)
    expect(piped.stderr.lines).toEqual([LONG])
  })

  it('never break a path, an address or a command', () => {
    const path = '/srv/'.padEnd(60, 'x')
    expect(wrap(`see ${path} there`, 30)).toBe(`see\n${path}\nthere`)
    const { out, stderr } = output({ tty: true, color: false, columns: 20 })
    out.command('dataferry retry d1d2 --server https://demo.dataverse.org')
    expect(stderr.lines).toEqual(['  dataferry retry d1d2 --server https://demo.dataverse.org'])
  })

  it('at Ctrl-C nothing is glued to the ^C that the terminal shows', () => {
    const { out, stderr } = output({ tty: true, color: false })
    stderr.write('^C')
    out.interrupted('Stopping.')
    expect(new Screen(80).feed(stderr.text).lines).toEqual(['Stopping.'])
  })

  it('results for people are laid out for 80 columns at most', () => {
    const { out, stdout } = output({ tty: true, color: false, columns: 200 })
    out.paragraph(LONG)
    expect(stdout.lines.length).toBe(2)
  })
})

describe('text', () => {
  it('measures wide, combined and joined characters', () => {
    expect(['abc', '数据', 'e\u0301', '👩‍👩‍👧', '🇩🇪', ''].map(displayWidth)).toEqual([3, 4, 1, 2, 2, 0])
  })

  it('cuts without splitting a character, and never over the width', () => {
    expect(truncate('数据数据', 6)).toBe('数据…')
    expect(truncate('abcdef', 6)).toBe('abcdef')
    expect(shortenPath('study-2021/survey/wave-04/answers.csv', 24)).toBe('study-2…e-04/answers.csv')
    for (let width = 0; width < 12; width++) {
      expect(displayWidth(truncate('数据数据👩‍👩‍👧x', width))).toBeLessThanOrEqual(width)
      expect(displayWidth(shortenPath('数据数据/👩‍👩‍👧x', width))).toBeLessThanOrEqual(width)
    }
  })

  it('leaves ordinary text alone', () => {
    expect(visibleText('Größe ﬁ العربية 数据 👩‍👩‍👧')).toBe('Größe ﬁ العربية 数据 👩‍👩‍👧')
    expect(pad('数', 4)).toBe('数  ')
  })
})

describe('figures', () => {
  it('are short', () => {
    expect([0, 999, 1023, 1536, 10_240, 1_048_000, 5e9].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 KiB',
      '1.5 KiB',
      '10 KiB',
      '1.0 MiB',
      '4.7 GiB',
    ])
    expect(formatRate(23 * 1024 ** 2)).toBe('23 MiB/s')
    expect([360, 65_000, 3_600_000, 5_400_000, 200_000_000].map(formatDuration)).toEqual([
      '0.4 s',
      '1 min 5 s',
      '1 h',
      '1 h 30 min',
      '2 d 8 h',
    ])
    expect([formatCount(20_000), plural(1, 'file'), plural(2000, 'file'), plural(2, 'entry', 'entries')]).toEqual([
      '20,000',
      '1 file',
      '2,000 files',
      '2 entries',
    ])
  })
})
