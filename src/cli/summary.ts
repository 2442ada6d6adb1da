import { Outcomes } from '../batch/tally.ts'
import { DataferryError, ERROR_CODES, isErrorCode } from '../errors.ts'
import { readReport, type Report } from '../batch/report.ts'
import type { Sink } from '../sinks/sink.ts'
import type { ExitCode } from './command.ts'
import { formatBytes, formatCount, plural } from './terminal/format.ts'
import type { Output } from './terminal/output.ts'

/** Failures told one by one; the rest is in failures.csv. */
const SHOWN_FAILURES = 20

/** Prints how a finished batch ended, from its report. @returns 0 only when every item is there */
export async function printSummary(out: Output, sink: Sink, id: string): Promise<ExitCode> {
  const report = await readReport(sink.records, id)
  if (!report) throw new DataferryError('BATCH_NOT_FOUND', `${id} has no report yet.`)
  const outcomes = new Outcomes(sink.records, id)
  if (out.json) await recordItems(out, outcomes)
  out.record({ event: 'summary', ...report })
  out.line(headline(report), report.complete ? 'good' : 'bad')
  const rows: [number, string][] = [
    [report.done, `fetched (${formatBytes(report.bytes)}), ${verification(report)}`],
    [report.kept, `there already (${formatBytes(report.keptBytes)})`],
    [report.failed, 'failed'],
    [report.missing, 'without any outcome'],
    [report.leftOut, `left out of archives${report.leftOutPlanned ? ', asked for singly' : ''}; see left-out.csv`],
    [report.renamed, 'renamed to be safe; see renamed.csv'],
    [report.duplicates, 'asked for more than once, fetched once'],
  ]
  for (const [count, text] of rows) if (count > 0) out.line(`  ${formatCount(count).padStart(9)}  ${text}`)
  await printFailures(out, outcomes, report)
  const folder = `${shownUrl(sink.url)}/.dataferry/${id}`
  out.line(`Files:  ${shownUrl(sink.url)}`)
  out.line(`Report: ${folder}/report.json`)
  if (report.failed > 0) out.line(`Failed: ${folder}/failures.csv  (a manifest: fix the cause, then dataferry run it)`)
  if (report.leftOut > 0 && !report.leftOutPlanned)
    out.line(`Left out: ${folder}/left-out.csv  (a manifest: dataferry run it, or run again with --complete)`)
  for (const server of report.archivesOff)
    out.line(`${server} failed to send several bundles in a row, so its files were fetched singly.`)
  return report.complete ? 0 : 1
}

function headline({ complete, planned, done, kept, leftOut }: Report): string {
  if (!complete && done + kept === planned) return `${plural(leftOut, 'file')} are missing from the archives.`
  return complete
    ? planned === 1
      ? 'The file is there.'
      : `All ${plural(planned, 'file')} are there.`
    : `${formatCount(planned - done - kept)} of ${plural(planned, 'file')} could not be had.`
}

function verification({ verified }: Report): string {
  const parts = [
    [verified.checksum, 'by checksum'],
    [verified.structure, 'by ZIP structure'],
    [verified.size, 'by size only'],
    [verified.nothing, 'not at all'],
  ] as const
  const shown = parts.filter(([count]) => count > 0).map(([count, how]) => `${formatCount(count)} ${how}`)
  return shown.length === 0 ? 'nothing to verify' : `verified: ${shown.join(', ')}`
}

async function printFailures(out: Output, outcomes: Outcomes, { failed }: Report): Promise<void> {
  if (failed === 0) return
  let shown = 0
  for await (const { path, code, message } of outcomes.failures()) {
    if (++shown > SHOWN_FAILURES) break
    out.line(`  ${path}`, 'bad')
    out.line(`    ${code}: ${message}`)
    const advice = isErrorCode(code) ? ERROR_CODES[code].advice : undefined
    if (advice !== undefined) out.line(`    ${advice}`)
  }
  if (failed > SHOWN_FAILURES) out.line(`  … and ${formatCount(failed - SHOWN_FAILURES)} more`)
}

async function recordItems(out: Output, outcomes: Outcomes): Promise<void> {
  for await (const receipt of outcomes.receipts()) out.record({ event: 'item', ...receipt })
  for await (const failure of outcomes.failures()) out.record({ event: 'item', ...failure })
}

/** A folder as people type it; any other destination as it is. */
export function shownUrl(url: string): string {
  return url.startsWith('file://') ? decodeURIComponent(url.slice('file://'.length)) : url
}
