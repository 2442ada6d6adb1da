import { Outcomes } from '../batch/outcomes.ts'
import { names } from '../batch/folder.ts'
import type { Report } from '../batch/report-schema.ts'
import { readReport } from '../batch/report.ts'
import { DataferryError, ERROR_CODES, isErrorCode } from '../errors.ts'
import type { DigestAlgorithm } from '../model/checksum.ts'
import type { Failure } from '../model/receipt.ts'
import type { Sink } from '../sinks/sink.ts'
import type { ExitCode } from './command.ts'
import { shortId } from './batch-names.ts'
import type { LoadedConfig } from '../config/config.ts'
import { pasted, unnamedServers } from './pasted.ts'
import { placeFor } from './places.ts'
import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../model/format.ts'
import type { Output } from './terminal/output.ts'

/** Failures that are listed, of each code and in all; the rest is in failures.csv. */
const SHOWN_OF_CODE = 5
const SHOWN_FAILURES = 20

/** What the command knows beyond the report. */
export interface RunFacts {
  /** How long it took, and the bytes received in that time. */
  readonly ms: number
  readonly bytes: number
  /** Ids of all batches that can be named, to shorten this one's. */
  readonly ids: readonly string[]
  /** Servers of the batch. */
  readonly servers: readonly string[]
}

/** Prints how a finished batch ended, from its report. @returns 0 only when every item is there */
export async function printSummary(
  { out, config }: { readonly out: Output; readonly config: Pick<LoadedConfig, 'given' | 'namedFile' | 'servers'> },
  sink: Sink,
  id: string,
  facts: RunFacts,
): Promise<ExitCode> {
  const report = await readReport(sink.records, id)
  if (!report) throw new DataferryError('BATCH_NOT_FOUND', `${id} has no report yet.`)
  const outcomes = new Outcomes(sink.records, id, report.planned)
  if (out.json) await recordItems(out, outcomes)
  out.record({ event: 'summary', ...report, records: undefined })
  if (out.json) return report.complete ? 0 : 1
  const files = placeFor(out, sink.url)
  out.paragraph(`${headline(report)}${figures(report, facts)}${verification(report)}`, report.complete ? 'good' : 'bad')
  await printFailures(out, outcomes, report)
  if (report.failed > failedForGood(report)) {
    out.line('    To retry:')
    out.line(`      ${pasted(config, 'retry', [shortId(id, facts.ids)])}`)
  }
  if (report.waiting > 0) printWaiting(out, report)
  for (const [count, text] of notes(report)) if (count > 0) out.paragraph(`${padded(count)} ${text}`)
  const lackingDigests = report.digests.filter((digest) => lacking(report, digest) > 0)
  if (lackingDigests.length > 0) {
    out.line('    To read them and take it:')
    const flags = lackingDigests.flatMap((digest) => ['--digest', digest])
    out.line(`      ${pasted(config, 'verify', [files, ...flags])}`)
  }
  if (report.leftOut > 0 && !report.leftOutPlanned) {
    out.line('    To fetch them individually:')
    const unnamed = unnamedServers(config, facts.servers)
    out.line(`      ${pasted(config, 'run', [`${files}/.dataferry/${names.leftOut(id)}`, '--to', files, ...unnamed])}`)
  }
  for (const server of report.bundlesOff)
    out.paragraph(`${server} failed to send several bundles in a row, so its files were fetched individually.`)
  out.line(`files    ${files}`)
  out.line(`records  ${files}/.dataferry/${id}`)
  return report.complete ? 0 : 1
}

/** Failures that stay, however often they are retried: what is wrong is in the manifest. */
export function failedForGood({ failures }: Pick<Report, 'failures'>): number {
  return ['MANIFEST_MISMATCH', 'COLLECTION_SKIPPED'].reduce((sum, code) => sum + (failures[code] ?? 0), 0)
}

function headline({ complete, planned, done, kept, leftOut }: Report): string {
  const there = done + kept
  if (!complete && there === planned) return `${plural(leftOut, 'file')} ${isOrAre(leftOut)} missing from the archives`
  if (!complete && planned === 1) return 'The file is not there'
  if (!complete) return `${formatCount(there)} of ${plural(planned, 'file')} ${isOrAre(there)} there`
  return planned === 1 ? 'The file is there' : `All ${plural(planned, 'file')} are there`
}

/** What waits, and how to go on with it. */
function printWaiting(out: Output, { waitingFor: { access, embargo } }: Report): void {
  if (access > 0)
    out.line(`${padded(access)} ${access === 1 ? 'waits' : 'wait'} for access, which was requested`, 'warn')
  if (embargo > 0) out.line(`${padded(embargo)} ${embargo === 1 ? 'waits' : 'wait'} for the end of an embargo`, 'warn')
  out.paragraph(
    '    waiting.csv names them. The same command looks again and fetches what can be downloaded by then; with ' +
      `--wait-for ${access > 0 ? 'access' : 'embargo'} it stays.`,
  )
}

function isOrAre(count: number): string {
  return count === 1 ? 'is' : 'are'
}

/** ` (224 MiB in 9 s, 25 MiB/s)`; for a continued batch, only the total. */
function figures({ done, bytes }: Report, facts: RunFacts): string {
  if (done === 0) return ''
  if (facts.bytes < bytes || facts.ms < 1) return ` (${formatBytes(bytes)})`
  return ` (${formatBytes(bytes)} in ${formatDuration(facts.ms)}, ${formatRate((bytes * 1000) / facts.ms)})`
}

function verification({ verified }: Report): string {
  const parts = [
    [verified.checksum, 'verified by checksum'],
    [verified.structure, 'by ZIP structure'],
    [verified.size, 'by size only'],
    [verified.nothing, 'not verified'],
  ] as const
  const shown = parts.filter(([count]) => count > 0).map(([count, how]) => `${formatCount(count)} ${how}`)
  return shown.length === 0 ? '.' : `; ${shown.join(', ')}.`
}

function notes(report: Report): readonly (readonly [number, string])[] {
  const individually = report.leftOutPlanned ? ', fetched individually' : ''
  return [
    [report.missing, 'without an outcome'],
    [report.kept, `already there (${formatBytes(report.keptBytes)})`],
    [report.leftOut, `left out of archives${individually}: left-out.csv`],
    [report.renamed, 'renamed to safe names: renamed.csv'],
    [report.duplicates, 'requested more than once, fetched once'],
    [report.filtered, 'left out by filters'],
    ...report.digests.map((digest) => [lacking(report, digest), `without ${digest}`] as const),
  ]
}

/** Items that are there, and whose receipts lack a digest that was asked for. */
function lacking({ done, kept, checksums }: Report, digest: DigestAlgorithm): number {
  return done + kept - (checksums[digest] ?? 0)
}

/** Failures by code, the most frequent first: some of each, then the advice. */
async function printFailures(out: Output, outcomes: Outcomes, { failed, failures }: Report): Promise<void> {
  if (failed === 0) return
  out.line(`${padded(failed)} failed`, 'bad')
  const some = await someOfEach(outcomes, failures)
  for (const [code, count] of byCount(failures)) {
    const shown = some.get(code) ?? []
    for (const { path, message } of shown) {
      out.line(`    ${path}`)
      out.paragraph(`      ${firstSentence(message)} (${code})`)
    }
    if (count > shown.length) out.line(`    … and ${formatCount(count - shown.length)} more with ${code}: failures.csv`)
    if (isErrorCode(code)) out.paragraph(`    ${ERROR_CODES[code].advice}`)
  }
}

function byCount(failures: Report['failures']): readonly [code: string, count: number][] {
  return Object.entries(failures).sort(([, a], [, b]) => b - a)
}

async function someOfEach(
  outcomes: Outcomes,
  failures: Report['failures'],
): Promise<ReadonlyMap<string, readonly Failure[]>> {
  const each = Math.max(1, Math.min(SHOWN_OF_CODE, Math.floor(SHOWN_FAILURES / Object.keys(failures).length)))
  const some = new Map<string, Failure[]>()
  for await (const failure of outcomes.failures()) {
    const known = some.get(failure.code) ?? []
    some.set(failure.code, known)
    if (known.length < each) known.push(failure)
  }
  return some
}

/** Servers write whole paragraphs; the full text is in the records. */
function firstSentence(text: string): string {
  return /^.*?[.!?](?=\s|$)/s.exec(text)?.[0] ?? text
}

/** Aligns the counts. */
function padded(count: number): string {
  return formatCount(count).padStart(4)
}

async function recordItems(out: Output, outcomes: Outcomes): Promise<void> {
  for await (const receipt of outcomes.receipts()) out.record({ event: 'item', ...receipt })
  for await (const failure of outcomes.failures()) out.record({ event: 'item', ...failure })
  for await (const waiting of outcomes.waiting()) out.record({ event: 'item', ...waiting })
}
