import { describe, expect, it } from 'vitest'
import { names } from '../../src/mirror/order.ts'
import type { RunReport } from '../../src/mirror/report.ts'
import { countsOf, writeFilesRecord, type HeldFile } from '../../src/mirror/state.ts'
import { writeRunStatement } from '../../src/mirror/statement.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { ORDER } from './order.ts'

const REPORT: RunReport = {
  v: 1,
  mirror: 'm',
  run: 'r',
  startedAt: '2026-11-01T00:00:00.000Z',
  finishedAt: '2026-11-01T01:00:00.000Z',
  complete: true,
  sweep: 'full',
  states: { current: 1 },
  datasets: {},
  files: { fetched: 0, kept: 0, linked: 0, copied: 0, moved: 0, superseded: 0, failed: 0, missing: 0 },
  bytesFetched: 0,
  requests: {},
  inTheWay: [],
  problems: [],
}
const folder = names.runFolder('m', 'r')

async function stated(files: readonly HeldFile[], order = ORDER, report = REPORT) {
  const { records } = memorySink()
  const dataset = {
    id: 7,
    pid: 'doi:10.5072/FK2/A',
    folder: 'a',
    state: 'current',
    versions: [],
    files: countsOf(files),
  }
  await writeFilesRecord(records, names.files('m', 7), 7, files)
  await records.write(`${folder}/datasets.ndjson`, `${JSON.stringify(dataset)}\n`)
  await writeRunStatement(records, folder, order, report)
  const textOf = async (name: string) => Buffer.from((await records.read(`${folder}/${name}`)) ?? []).toString()
  return { page: await textOf('report.html'), table: await textOf('missing.csv'), list: await textOf('records.sha256') }
}

describe('the statement of a run of a mirror', () => {
  it('names the files that are missing, the first ones on the page and all in missing.csv', async () => {
    const lost = (n: number): HeldFile => ({
      file: n + 1,
      path: `a/<b>${n}.csv`,
      state: 'missing',
      version: '1.0',
      size: 9,
      ...(n > 0 && { code: 'SOURCE_DENIED' }),
    })
    const files = [...Array.from({ length: 250 }, (_, n) => lost(n)), { ...lost(999), state: 'current' as const }]
    const { page, table, list } = await stated(files)
    expect(page).toContain('What is missing, and why')
    expect(page).toContain('Request access to the file on the server')
    expect(page.match(/a\/&lt;b&gt;\d+\.csv/g)).toHaveLength(100)
    expect(page).toContain('… and 150 more: see <a href="missing.csv">')
    expect(page).not.toContain('999.csv')
    const rows = table.trimEnd().split('\r\n')
    expect(rows).toHaveLength(251)
    expect(rows.slice(0, 3)).toEqual([
      'dataset,version,path,file,size,code',
      'doi:10.5072/FK2/A,1.0,a/<b>0.csv,1,9,""',
      'doi:10.5072/FK2/A,1.0,a/<b>1.csv,2,9,SOURCE_DENIED',
    ])
    expect(list).toMatch(/ {2}missing\.csv$/m)
  })

  it('says what narrowed the mirror, and claims no more than what was asked for', async () => {
    const whole = await stated([])
    expect(whole.page).toContain('The mirror has everything that its server released, as far as this user may have it.')
    expect(whole.page).not.toContain('What is missing')
    const filtered = await stated([], { ...ORDER, filters: { exclude: ['*.tif'] }, digests: ['sha512'] })
    expect(filtered.page).toContain('everything that its server released and the filters of the mirror let through')
    expect(filtered.page).toContain('<dt>Filters</dt><dd>exclude *.tif</dd>')
    expect(filtered.page).toContain('SHA-512 of every file')
    const dropped = await stated([], ORDER, { ...REPORT, sweep: 'none' })
    expect(dropped.page).toContain('Nothing was asked of the server in this run')
  })
})
