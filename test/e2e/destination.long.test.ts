import { mkdir, readdir, rename, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { listBatches } from '../../src/batch/folder.ts'
import { readOutcomes } from '../../src/batch/outcome-log.ts'
import { readReport } from '../../src/batch/report.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'
import { makeHome, type Home, type Started } from './cli.ts'
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
async function underWay(): Promise<{ started: Started; said: () => string; again: readonly string[] }> {
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
  const started = home.start(args)
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
    await until('a notice', () => Promise.resolve(/mounted\? Waiting since \d\d:\d\d/.test(said())))
    if (what !== 'gone') await rmdir(home.data)
    await rename(away, home.data)
    await dataverse.set({ latencyMs: 0 })
    expect((await started.ended).code).toBe(0)
    expect(said().match(/Waiting since/g)).toHaveLength(1)
    expect(await outcome()).toEqual({ failed: 0, done: FILES })
  },
)

test('Ctrl-C parks a run whose destination is away, and the same command goes on when it is back', async () => {
  const { started, said, again } = await underWay()
  const away = `${home.data}-away`
  await rename(home.data, away)
  await until('a notice', () => Promise.resolve(said().includes('Waiting since')))
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
