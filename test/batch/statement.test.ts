import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { names } from '../../src/batch/folder.ts'
import { checkRecords } from '../../src/batch/record-sums.ts'
import { isReported, readReport, writeReport } from '../../src/batch/report.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { all, batchOf, done, failed, itemAt, plannedBatch, recorded, waits } from './fixtures.ts'

const BYTES = bytesOf(100)
const EVIL = `<img src=x onerror=alert(1)>"'&\u202egpj.exe`
const origin = { dataset: 'doi:10.5072/FK2/A', version: '1.10' }

const textOf = async (records: Records, name: string) => Buffer.from((await records.read(name)) ?? []).toString()

async function checked(records: Records) {
  const findings = await all(checkRecords(records, 'b1'))
  return {
    right: findings.filter(({ state }) => state === 'right').length,
    findings: findings.filter(({ state }) => state !== 'right'),
  }
}

describe('the statement of a batch', () => {
  it('says what was asked for, what came, from where, verified how, and what is missing and why', async () => {
    const { records } = memorySink()
    const items = [itemAt('a', { origin }), itemAt('b', { origin: { ...origin, version: '1.9' } }), itemAt('c')]
    const { batch, plan } = await plannedBatch(records, items, batchOf('b1', { filters: { include: ['*.csv'] } }))
    await recorded(records, [done(0, 'a', BYTES), done(1, 'b', BYTES), failed(2, 'SOURCE_DENIED', 'c')])
    const report = await writeReport(records, batch, plan)
    expect(report).toMatchObject({
      asked: { manifest: { name: 'list.csv' }, filters: { include: ['*.csv'] } },
      published: { md5: 2 },
      checksums: { md5: 2 },
      datasetVersions: 3,
      software: expect.stringMatching(/^\d/) as string,
    })
    const page = await textOf(records, names.page('b1'))
    for (const said of [
      '2 of 3 files are there; 1 could not be fetched.',
      'list.csv',
      'include *.csv (0 files left out)',
      'https://demo.invalid',
      '2 by the published checksum (MD5 2)',
      '<dt>Digests on record</dt><dd>MD5 2</dd>',
      'SOURCE_DENIED',
      'Request access to the file on the server',
      'It was &quot;bad&quot;, SOURCE_DENIED.',
      'https://doi.org/10.5072/FK2/A',
    ]) {
      expect(page).toContain(said)
    }
    const table = await textOf(records, names.datasets('b1'))
    expect(table.split('\r\n')).toEqual([
      'server,dataset,version,files there,bytes,failed,waiting',
      'https://demo.invalid,"","",0,0,1,0',
      'https://demo.invalid,doi:10.5072/FK2/A,1.9,1,100,0,0',
      'https://demo.invalid,doi:10.5072/FK2/A,1.10,1,100,0,0',
      '',
    ])
  })

  it('says which flags decided what was asked for', async () => {
    const { records } = memorySink()
    const asked = batchOf('b1', {
      filters: { exclude: ['*.tmp', 'raw/**'], minSize: 10, maxSize: 5000, contentTypes: ['text/*'] },
      digests: ['sha256', 'sha512'],
      bundle: 'auto',
      bundleUnverified: true,
      complete: true,
      recursive: true,
      acceptTerms: true,
      existing: 'overwrite',
      format: 'archival',
      access: { request: true, timeoutMs: 1, waitFor: ['embargo'], waitAtMostMs: 1 },
    })
    const { batch, plan } = await plannedBatch(records, [itemAt('a')], asked)
    await recorded(records, [done(0, 'a', BYTES)])
    await writeReport(records, batch, plan)
    const page = await textOf(records, names.page('b1'))
    for (const said of [
      'the archival forms',
      'replaced',
      'exclude *.tmp, raw/**; at least 10 bytes; at most 5,000 bytes; of type text/* (0 files left out)',
      'small files in bundles, also unverified ones',
      'SHA-256 and SHA-512 of every file',
      'also files that archives lack',
      'also datasets of collections',
      'terms of use accepted',
      'access requested where files are restricted',
      'waited for: embargo',
    ]) {
      expect(page).toContain(said)
    }
  })

  it('shows names and messages of strangers as text', async () => {
    const { records } = memorySink()
    const named = batchOf('b1', { manifest: { ...batchOf().manifest, name: EVIL } })
    const { batch, plan } = await plannedBatch(records, [itemAt(EVIL, { origin: { dataset: EVIL } })], named)
    await recorded(records, [{ ...failed(0, EVIL, EVIL), message: EVIL }])
    await writeReport(records, batch, plan)
    const page = await textOf(records, names.page('b1'))
    expect(page).not.toContain('<img')
    expect(page).not.toContain('\u202e')
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\\u{202e}gpj.exe')
    expect(page).not.toContain('<script')
  })

  it('has the digest of every record, as sha256sum lists them, its own included', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, [itemAt('a')])
    await recorded(records, [done(0, 'a', BYTES)])
    await writeReport(records, batch, plan)
    const listed = (await textOf(records, names.recordSums('b1'))).trimEnd().split('\n')
    const there = (await records.list('b1')).filter((name) => name !== names.recordSums('b1'))
    expect(listed.map((line) => `b1/${line.slice(66)}`).sort()).toEqual([...there].sort())
    for (const line of listed) {
      expect(hash('sha256', (await records.read(`b1/${line.slice(66)}`)) ?? '')).toBe(line.slice(0, 64))
    }
    const { records: inReport = [] } = (await readReport(records, 'b1')) ?? {}
    expect(inReport.map(({ name }) => name)).toContain('receipts/w1.ndjson')
    const page = await textOf(records, names.page('b1'))
    for (const { sha256 } of inReport) expect(page).toContain(sha256)
    expect(await checked(records)).toEqual({ right: there.length, findings: [] })
  })

  it.each([
    ['changed', names.items('b1'), async (records: Records) => records.write(names.items('b1'), 'x')],
    ['changed', names.page('b1'), async (records: Records) => records.write(names.page('b1'), 'all is well')],
    ['missing', names.failures('b1'), async (records: Records) => records.remove(names.failures('b1'))],
    ['extra', 'b1/receipts/w9.ndjson', async (records: Records) => records.write('b1/receipts/w9.ndjson', '')],
  ] as const)('no longer fits a record that is %s: %s', async (state, name, tamper) => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, [itemAt('a')])
    await recorded(records, [done(0, 'a', BYTES)])
    await writeReport(records, batch, plan)
    await tamper(records)
    expect((await checked(records)).findings).toEqual([{ state, name: name.slice('b1/'.length) }])
  })

  it('of a batch that waits says so, and has no digests yet', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, [itemAt('a'), itemAt('b')])
    await recorded(records, [done(0, 'a', BYTES), waits(1, 'b')])
    await writeReport(records, batch, plan)
    expect(await textOf(records, names.page('b1'))).toContain('1 of 2 files is there; 1 waits.')
    expect(await textOf(records, names.page('b1'))).toContain('access, which was requested')
    expect(await records.read(names.recordSums('b1'))).toBeUndefined()
    await recorded(records, [done(1, 'b', BYTES)], 'w2')
    await records.write(names.signature('b1'), 'of an earlier end')
    await writeReport(records, batch, plan)
    expect(await records.read(names.signature('b1'))).toBeUndefined()
    expect(await isReported(records, 'b1')).toBe(true)
    expect((await checked(records)).findings).toEqual([])
  })

  it('is the same page when it is written again', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, [itemAt('a'), itemAt('b')])
    await recorded(records, [done(0, 'a', BYTES), failed(1, 'SOURCE_DENIED', 'b')])
    const { finishedAt } = await writeReport(records, batch, plan)
    const list = await textOf(records, names.recordSums('b1'))
    await writeReport(records, batch, plan, { finishedAt })
    expect(await textOf(records, names.recordSums('b1'))).toBe(list)
  })

  it('names of many files and datasets the first ones, and where the rest is', async () => {
    const { records } = memorySink()
    const many = Array.from({ length: 1_200 }, (_, n) => itemAt(`p${n}`, { origin: { dataset: `doi:10.5072/${n}` } }))
    const { batch, plan } = await plannedBatch(records, many)
    await recorded(
      records,
      many.map(({ path }, n) => (n < 300 ? failed(n, 'SOURCE_DENIED', path) : done(n, path, BYTES))),
    )
    await writeReport(records, batch, plan)
    const page = await textOf(records, names.page('b1'))
    expect(page).toContain('… and 200 more: see <a href="failures.csv">')
    expect(page).toContain('… and 700 more: see <a href="datasets.csv">')
    expect(page.length).toBeLessThan(200_000)
    // What lacks something comes first.
    expect(page.match(/10\.5072\/2\d\d<\/a>/g)).toHaveLength(100)
  })
})
