import { expect, it } from 'vitest'
import { writeReport } from '../../src/batch/report.ts'
import { printSummary } from '../../src/cli/summary.ts'
import { Output } from '../../src/cli/terminal/output.ts'
import { displayWidth } from '../../src/cli/terminal/text.ts'
import type { DigestAlgorithm } from '../../src/model/checksum.ts'
import type { Outcome } from '../../src/model/receipt.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { batchOf, done, itemAt, plannedBatch, recorded } from '../batch/fixtures.ts'
import { checksumOf } from '../contracts/hash.ts'
import { Recorder } from './recorder.ts'

const ID = 'manifest-20261127-150742-1fd1d2'
const MIB = 1024 ** 2
const config = {
  given: { server: { flag: '--server', value: ['http://127.0.0.1:48611'] } },
  namedFile: undefined,
  servers: ['http://127.0.0.1:48611'],
}

function denied(n: number, path = `study/interview-${n}.zip`, code = 'SOURCE_DENIED'): Outcome {
  const message =
    '127.0.0.1:48611 did not deliver file 3001: this user has no access to it (403): Not authorized to access this object via ' +
    'this API endpoint. Please check your code for typos, or consult our API guide at http://guides.dataverse.org.'
  return { state: 'failed', n, path, code, message, finishedAt: '2026-01-01T00:00:05.000Z' }
}

/** The summary of a batch of these outcomes, on a terminal of this width. */
async function summaryOf(
  outcomes: readonly Outcome[],
  {
    columns = 80,
    color = false,
    renamed = false,
    digests = [] as readonly DigestAlgorithm[],
    bytes = 3 * MIB,
    ids = [ID],
  } = {},
) {
  const sink = memorySink()
  const items = outcomes.map(({ path }) => itemAt(path, renamed ? { renamedFrom: 'a\x1b[2J' } : {}))
  const { batch, plan } = await plannedBatch(sink.records, items, batchOf(ID, { destination: sink.url, digests }))
  await recorded(sink.records, outcomes, 'w1', ID)
  await writeReport(sink.records, batch, plan)
  const stdout = new Recorder({ columns, rows: 24 })
  const out = new Output({ stdout, stderr: new Recorder(), json: false, quiet: false, color, redraws: true })
  const code = await printSummary({ out, config }, sink, ID, { ms: 1500, bytes, ids, servers: config.servers })
  return { code, lines: stdout.lines, text: stdout.text, url: sink.url }
}

const there = (n: number, path = `study/wave-${n}.csv`): Outcome => ({ ...done(n, path, Buffer.from('x')), size: MIB })

it('files that lack a digest that was asked for are counted, with the command that takes it', async () => {
  const digested = { ...done(0, 'a', Buffer.from('x')), digests: [checksumOf(Buffer.from('x'), 'sha256')] }
  const { code, lines, url } = await summaryOf([digested, there(1), there(2)], { digests: ['sha256', 'sha512'] })
  expect(code).toBe(0)
  expect(lines.slice(1, -2)).toEqual([
    '   2 without sha256',
    '   3 without sha512',
    '    To read them and take it:',
    `      dataferry verify ${url} --digest sha256 --digest sha512`,
  ])
})

it('the end of a run says at a glance what is there, what is not, why, and what to do', async () => {
  const { code, lines, url } = await summaryOf([there(0), there(1), there(2), denied(3)], { renamed: true })
  expect(code).toBe(1)
  expect(lines).toEqual([
    '3 of 4 files are there (3.0 MiB in 1.5 s, 2.0 MiB/s); 3 verified by checksum.',
    '   1 failed',
    '    study/interview-3.zip',
    '      127.0.0.1:48611 did not deliver file 3001: this user has no access to it',
    '      (403): Not authorized to access this object via this API endpoint.',
    '      (SOURCE_DENIED)',
    ...lines.slice(6, lines.indexOf('    To retry:')),
    '    To retry:',
    '      dataferry retry d1d2 --server http://127.0.0.1:48611',
    '   4 renamed to safe names: renamed.csv',
    `files    ${url}`,
    `records  ${url}/.dataferry/${ID}`,
  ])
  expect(lines.slice(6, lines.indexOf('    To retry:')).join(' ')).toContain('Request access')
})

it.each([80, 60, 40])('on %i columns no line of it is wider, but for what must stay whole', async (columns) => {
  const { lines } = await summaryOf([there(0), denied(1)], { columns })
  const whole = /dataferry retry|^files {4}|^records {2}/
  for (const line of lines) if (!whole.test(line)) expect(displayWidth(line)).toBeLessThanOrEqual(columns)
})

it('of one file that failed it says that it is not there', async () => {
  expect((await summaryOf([denied(0)])).lines[0]).toMatch(/^The file is not there/)
})

it('of a thousand failures some of each code are shown, and what to do once', async () => {
  const blocked = Array.from({ length: 30 }, (_, n) => denied(n, `b${n}`, 'SOURCE_BLOCKED'))
  const { lines } = await summaryOf([...blocked, ...Array.from({ length: 9 }, (_, at) => denied(30 + at))])
  expect(lines).toContain('    … and 25 more with SOURCE_BLOCKED: failures.csv')
  expect(lines).toContain('    … and 4 more with SOURCE_DENIED: failures.csv')
  expect(lines.filter((line) => line.includes('Request access'))).toHaveLength(1)
  expect(lines.length).toBeLessThan(60)
})

it('a whole batch is one green line, where to find it, and nothing else', async () => {
  const { code, lines, text } = await summaryOf([there(0), there(1), there(2)], { color: true })
  expect(code).toBe(0)
  expect(lines).toHaveLength(3)
  expect(text).toContain('\x1b[32mAll 3 files are there (3.0 MiB in 1.5 s, 2.0 MiB/s); 3 verified by checksum.\x1b[0m')
})

it('of a batch that went on no rate is told that would count what came earlier', async () => {
  const { lines } = await summaryOf([there(0), there(1)], { bytes: MIB })
  expect(lines[0]).toBe('All 2 files are there (2.0 MiB); 2 verified by checksum.')
})

it('the batch is named by as much of its id as tells it from the others', async () => {
  const { lines } = await summaryOf([denied(0)], { ids: [ID, 'other-20261127-150742-abd1d2'] })
  expect(lines).toContain('      dataferry retry fd1d2 --server http://127.0.0.1:48611')
})
