import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readOrder } from '../../src/mirror/order.ts'
import { beginPreview, runMirror, type MirrorRunOptions } from '../../src/mirror/run.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { file } from './file.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  home.repository.deposit(A, [file('a.txt'), file('b.txt')], { collection: 'climate' })
  const created = await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'climate')
  expect(created.code).toBe(0)
  expect((await home.run()).code).toBe(0)
})
afterEach(() => home.close())

/** A run that stops when a phase begins. */
function stopped(at: string, full = false): Promise<void> {
  return withOptions(at, full, (options) => expect(runMirror(options)).rejects.toThrow('stopped'))
}

/** A preview that is killed before it drops what it wrote: when a phase begins, or at its end. */
function killedPreview(at: string): Promise<void> {
  return withOptions(at, false, async (options) => {
    const preview = (await beginPreview(options)).preview()
    await (at === 'end' ? preview : expect(preview).rejects.toThrow('stopped'))
  })
}

async function withOptions(
  at: string,
  full: boolean,
  work: (options: MirrorRunOptions) => Promise<unknown>,
): Promise<void> {
  const sink = diskSink(home.destination)
  const stop = new AbortController()
  const order = await readOrder(sink.records, 'm')
  if (!order) throw new Error('no mirror')
  const options: MirrorRunOptions = {
    order,
    sink,
    source: home.api,
    full,
    now: () => new Date(),
    signal: stop.signal,
    onPhase: (phase) => phase === at && stop.abort(new Error('stopped')),
    requests: () => ({}),
    fetch: () => Promise.resolve('ended'),
    forget: () => Promise.resolve(),
  }
  await work(options)
  await sink.close()
}

function runs(): readonly string[] {
  return readdirSync(join(home.destination, '.dataferry/mirrors/m/runs'))
}

describe('--full', () => {
  it('is obeyed where a run was stopped while it looked: it begins again', async () => {
    await stopped('compare')
    const { code, report } = await home.run('--full')
    expect([code, report.sweep, runs().length]).toEqual([0, 'full', 2])
  })

  it('is obeyed where a run was stopped while it moved files: that one ends first', async () => {
    home.repository.publish(A, (files) => files.map((one) => ({ ...one, directory: 'else' })))
    await stopped('place')
    const { code, report } = await home.run('--full')
    expect([code, report.sweep, runs().length]).toEqual([0, 'full', 3])
    expect(Object.keys(await home.files()).sort()).toEqual([
      'doi-10.5072-FK2-A/else/a.txt',
      'doi-10.5072-FK2-A/else/b.txt',
    ])
  })

  it('goes on with a full run that was stopped, which is the same run', async () => {
    await stopped('compare', true)
    const { code, report } = await home.run('--full')
    expect([code, report.sweep, runs().length]).toEqual([0, 'full', 2])
    expect(report.requests).not.toHaveProperty('contents')
  })
})

describe.each(['compare', 'end'])('a preview that was killed (%s)', (at) => {
  const metadata = (): string =>
    readFileSync(join(home.destination, '.dataferry/mirrors/m/metadata/doi-10.5072-FK2-A/v1.0/dataset.json'), 'utf8')

  beforeEach(async () => {
    home.repository.updateCurrent(A, (files) => files.map((one) => ({ ...one, directory: 'else' })))
    await killedPreview(at)
  })

  it('is not carried out: the next run looks for itself, and keeps the metadata', async () => {
    const before = metadata()
    const { code, report } = await home.run()
    expect([code, report.datasets, report.files['moved']]).toEqual([0, { updated: 1 }, 2])
    expect(await home.changes()).toContain(`metadata-updated,${A},1.0,"","",""`)
    expect(metadata()).not.toBe(before)
  })

  it('is in nobody’s way: what would change can be looked at again', async () => {
    const { code, stdout } = await home.cli('mirror', 'run', 'm', '-n', '--to', home.destination)
    expect([code, stdout]).toEqual([0, expect.stringContaining('0 files would be fetched, 2 moved.')])
    expect(existsSync(join(home.destination, '.dataferry/mirrors/m/pending'))).toBe(false)
  })
})

describe('the folder of a run', () => {
  it.each(['changes.csv', 'run.json'])('is not there before %s is written, and has all rows then', async (record) => {
    home.repository.publish(A, (files) => files.slice(1))
    const inTheWay = join(home.destination, '.dataferry/mirrors/m/pending/report', record)
    mkdirSync(join(inTheWay, 'x'), { recursive: true })
    expect((await home.cli('mirror', 'run', 'm', '--to', home.destination)).code).not.toBe(0)
    expect(runs()).toHaveLength(1)
    rmSync(inTheWay, { recursive: true })
    const { code, report } = await home.run()
    expect([code, report.datasets, runs().length]).toEqual([0, { updated: 1 }, 2])
    expect(await home.changes()).toEqual([`version-added,${A},2.0,"","",""`, expect.stringMatching(/^file-removed,/)])
    expect(existsSync(join(home.destination, '.dataferry/mirrors/m/pending'))).toBe(false)
  })
})
