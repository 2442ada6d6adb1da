import { mkdir, readdir, rename, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { listBatches, readPlanState } from '../../src/batch/folder.ts'
import { readOutcomes } from '../../src/batch/outcome-log.ts'
import { readReport } from '../../src/batch/report.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'
import { makeHome, records, type Home, type Started } from './cli.ts'
import { until } from './service.ts'

const FILES = 60

let dataverse: DataverseProcess
let home: Home
beforeAll(async () => {
  const files = Array.from({ length: FILES }, (_, i) => ({
    id: i + 1,
    label: `${i}.bin`,
    content: { size: 200_000 + i, seed: i },
  }))
  dataverse = await startDataverseProcess({ world: { datasets: [{ pid: 'doi:10.5072/FK2/MANY', files }] } })
})
afterAll(() => dataverse.close())
beforeEach(async () => {
  home = await makeHome()
  await dataverse.set({ latencyMs: 300 })
})
afterEach(() => home[Symbol.asyncDispose]())

/** A run that has some of its files and not yet all. */
async function underWay(
  ...more: string[]
): Promise<{ started: Started; said: () => string; again: readonly string[] }> {
  const args = [
    'run',
    'doi:10.5072/FK2/MANY',
    '--server',
    dataverse.url,
    '--to',
    home.data,
    '--retries',
    '1',
    '-j',
    '2',
  ]
  const started = home.start([...args, ...more])
  let text = ''
  started.child.stderr?.on('data', (more: string) => (text += more))
  const folder = join(home.data, 'doi-10.5072-FK2-MANY')
  await until('some files', async () => (await readdir(folder).catch(() => [])).length >= 5)
  return { started, said: () => text, again: args }
}

async function outcome(): Promise<{ failed: number; done: number | undefined }> {
  const { records } = diskSink(home.data)
  const [batch] = await listBatches(records)
  let failed = 0
  for await (const line of readOutcomes(records, batch?.id ?? '')) if (line.state === 'failed') failed++
  const report = await readReport(records, batch?.id ?? '')
  return { failed, done: report && report.done + report.kept }
}

test.each(['gone', 'an empty mount point'])(
  'a destination that is %s in the middle of a run is waited for: said with its reason, and nothing is lost',
  async (what) => {
    const { started, said } = await underWay()
    const away = `${home.data}-away`
    await rename(home.data, away)
    if (what !== 'gone') await mkdir(home.data)
    await until('a notice', () =>
      Promise.resolve(/on hold since \d\d:\d\d:\d\d, next look at .*mounted\?/.test(said())),
    )
    if (what !== 'gone') await rmdir(home.data)
    await rename(away, home.data)
    await dataverse.set({ latencyMs: 0 })
    expect((await started.ended).code).toBe(0)
    expect(said().match(/on hold since/g)).toHaveLength(1)
    expect(await outcome()).toEqual({ failed: 0, done: FILES })
  },
)

test('Ctrl-C parks a run whose destination is away, and the same command goes on when it is back', async () => {
  const { started, said, again } = await underWay()
  const away = `${home.data}-away`
  await rename(home.data, away)
  await until('a notice', () => Promise.resolve(said().includes('on hold since')))
  started.child.kill('SIGINT')
  const { code, stderr } = await started.ended
  expect(code).toBe(130)
  expect(stderr).not.toContain('    at ')
  await rename(away, home.data)
  await dataverse.set({ latencyMs: 0 })
  const next = await home.run(again)
  expect(next).toMatchObject({ code: 0 })
  expect(await outcome()).toEqual({ failed: 0, done: FILES })
})

test('a destination that is on hold is in status and in its records, with reason, since when and the next look', async () => {
  const { started, said } = await underWay()
  const away = `${home.data}-away`
  await rename(home.data, away)
  await until('a notice', () => Promise.resolve(said().includes('on hold since')))
  const shown = await until('it in status', async () => {
    const { stdout } = await home.run(['status', '--json'])
    return records(stdout).find(({ event }) => event === 'destination')
  })
  expect(shown).toMatchObject({
    destination: pathToFileURL(home.data).href,
    pid: started.child.pid,
    hold: { reason: expect.stringContaining('mounted?') as string, nextLookMs: expect.any(Number) as number },
  })
  const { stdout } = await home.run(['status'])
  expect(stdout).toMatch(/^DESTINATION +SEEN FROM +NOW\n.* on hold since \d\d:\d\d:\d\d, .*mounted\?$/m)
  await rename(away, home.data)
  await dataverse.set({ latencyMs: 0 })
  expect((await started.ended).code).toBe(0)
})

test('a run gives up a destination when it was told to, is parked, and goes on when it is back', async () => {
  const { started, again } = await underWay('--give-up-after', '3s')
  const away = `${home.data}-away`
  await rename(home.data, away)
  const { code, stderr } = await started.ended
  expect(code).toBe(3)
  expect(stderr).toMatch(/^dataferry: .* could not be used for too long: .*mounted\?$/m)
  expect(stderr).toContain('run the same command again')
  expect(stderr).not.toContain('    at ')
  await rename(away, home.data)
  await dataverse.set({ latencyMs: 0 })
  expect(await home.run(again)).toMatchObject({ code: 0 })
  expect(await outcome()).toEqual({ failed: 0, done: FILES })
})

test.each(['plan', 'run'])(
  'a destination that is away while %s plans is waited for, and planning goes on',
  async (verb) => {
    await dataverse.set({ latencyMs: 150 })
    const manifest = join(home.folder, 'ids.txt')
    const one = 'doi:10.5072/FK2/MANY'
    await writeFile(
      manifest,
      Array.from({ length: 40 }, (_, i) => `${one},folder-${i}/`)
        .join('\n')
        .replace(/^/, 'dataset,path\n'),
    )
    const started = home.start([verb, manifest, '--server', dataverse.url, '--to', home.data])
    let text = ''
    started.child.stderr?.on('data', (more: string) => (text += more))
    const plan = async (): Promise<boolean> => {
      const [batch] = await listBatches(diskSink(home.data).records)
      return batch !== undefined && (await readPlanState(diskSink(home.data).records, batch.id)).items > 0
    }
    await until('some of the plan', () => plan().catch(() => false))
    const away = `${home.data}-away`
    await rename(home.data, away)
    await until('a notice', () => Promise.resolve(/Planning has been on hold since .*mounted\?/.test(text)))
    await rename(away, home.data)
    await dataverse.set({ latencyMs: 0 })
    const { code, stderr } = await started.ended
    expect(stderr).not.toContain('    at ')
    expect(code).toBe(0)
    expect(text.match(/Planning has been on hold/g)).toHaveLength(1)
  },
)
