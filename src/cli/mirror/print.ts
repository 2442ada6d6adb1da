import { recordLines } from '../../batch/record.ts'
import { ERROR_CODES, isErrorCode } from '../../errors.ts'
import { changeSchema, type Change } from '../../mirror/changes.ts'
import { missingFiles } from '../../mirror/missing-files.ts'
import { names, scopeText, type MirrorOrder } from '../../mirror/order.ts'
import { logName, type PendingRun } from '../../mirror/pending.ts'
import { listRuns, readRun, type RunReport } from '../../mirror/report.ts'
import { heldDatasets, readLines, readState } from '../../mirror/state.ts'
import { rootOf } from '../../proof/ocfl/mirror-objects.ts'
import { splitRecord } from '../../manifest/record.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { pasted } from '../pasted.ts'
import { placeFor } from '../places.ts'
import { printMending, printUnstored } from './print-unstored.ts'
import { formatBytes, formatCount, formatDuration, plural } from '../../model/format.ts'

/** Rows that are shown of a run; the rest is counted. */
const SHOWN = 50

/** How a run ended. @returns 0 only when the mirror equals what the server releases to this user */
export async function printRun(context: Context, sink: Sink, order: MirrorOrder, report: RunReport): Promise<ExitCode> {
  const { out } = context
  const { name, layout } = order
  out.record({ event: 'mirror-run', destination: sink.url, ...report })
  if (out.json) return report.complete ? 0 : 1
  const ms = Date.parse(report.finishedAt) - Date.parse(report.startedAt)
  out.paragraph(`${headline(report)} (${formatDuration(ms)})`, report.complete ? 'good' : 'bad')
  for (const [count, text] of happenings(report)) if (count > 0) out.paragraph(`${padded(count)} ${text}`)
  if (report.refused !== undefined) {
    out.paragraph(
      `${plural(report.refused, 'dataset')} would leave in one run, which is more than --max-removals lets: all were ` +
        'kept as they are. If that is right, consent for one run with --max-removals 100%.',
      'bad',
    )
  }
  for (const place of report.inTheWay.slice(0, SHOWN))
    out.warn(`A file that is not the mirror’s was in the way. It is here now: ${place}`)
  for (const { dataset, code, message } of report.problems.slice(0, SHOWN)) {
    out.line(`    ${dataset}`)
    out.paragraph(`      ${message} (${code})`)
  }
  if (report.problems.some(({ code }) => code === 'OCFL_REFUSED')) printMending(context, sink, order)
  if (report.files.failed > 0) await printMissing(context, sink.records, name, report.files.missing)
  const files = placeFor(out, sink.url)
  out.line(`files    ${files}${layout === 'ocfl' ? `/${rootOf(order)}` : ''}`)
  out.line(`records  ${files}/.dataferry/${names.runFolder(name, report.run)}`)
  return report.complete ? 0 : 1
}

function headline({ states, complete }: RunReport): string {
  const current = states.current ?? 0
  if (complete)
    return current === 1 ? 'The dataset is up to date' : `All ${formatCount(current)} datasets are up to date`
  return `Not all of ${plural(current, 'dataset')} could be brought up to date`
}

function happenings({ datasets, files, bytesFetched }: RunReport): readonly (readonly [number, string])[] {
  const counted =
    (noun: string) =>
    (count: number | undefined, what: string): readonly [number, string] => [
      count ?? 0,
      `${noun}${count === 1 ? '' : 's'} ${what}`,
    ]
  const [ofDatasets, ofFiles] = [counted('dataset'), counted('file')]
  return [
    ofDatasets(datasets.added, 'new'),
    ofDatasets(datasets.updated, 'updated'),
    ofDatasets(datasets.returned, 'returned'),
    ofDatasets(datasets.unchanged, 'unchanged'),
    ofDatasets(datasets.deaccessioned, 'deaccessioned; what was held stays'),
    ofDatasets(datasets.gone, 'gone from the server; what was held stays'),
    ofDatasets(datasets.denied, 'not shown to this user any more; what was held stays'),
    ofDatasets(datasets['out-of-scope'], 'not in this scope any more; what was held stays'),
    ofDatasets(datasets.failed, 'could not be looked at'),
    ofFiles(files.fetched, `fetched (${formatBytes(bytesFetched)})`),
    ofFiles(files.moved, 'moved'),
    ofFiles(files.linked, 'linked'),
    ofFiles(files.copied, 'copied, as no more links are possible there'),
    ofFiles(files.superseded, 'kept aside'),
    ofFiles(files.failed, 'failed'),
    ofFiles(files.missing, 'missing'),
  ]
}

async function printMissing({ out, config }: Context, records: Records, mirror: string, count: number): Promise<void> {
  if (count === 0) return
  let shown = 0
  const codes = new Set<string>()
  for await (const { path, code } of missingFiles(records, mirror, heldDatasets(records, mirror))) {
    if (++shown > SHOWN) break
    out.line(`    ${path}`)
    out.paragraph(`      ${code ?? 'not tried yet'}`)
    if (code !== undefined) codes.add(code)
  }
  for (const code of codes) {
    if (isErrorCode(code)) out.paragraph(`    ${code}: ${ERROR_CODES[code].meaning}`)
  }
  if (codes.has('SOURCE_DENIED')) {
    out.paragraph(
      '    Ask for access on the server and set a token that has it (DATAVERSE_API_TOKEN). Then, to ask for them again:',
    )
    out.line(`      ${pasted(config, 'mirror', ['run', mirror, '--full'])}`)
  }
  if (count <= SHOWN) return
  out.line(`    … and ${formatCount(count - SHOWN)} more. To list all:`)
  out.line(`      ${pasted(config, 'mirror', ['status', mirror, '--json'])}`)
}

function padded(count: number): string {
  return formatCount(count).padStart(4)
}

/** What a run would do. */
export async function printPreview(
  { out }: Context,
  sink: Sink,
  { name }: MirrorOrder,
  { progress, refused, sweep }: PendingRun,
): Promise<ExitCode> {
  const { items: fetch, moves } = progress
  const shown = await printChanges(out, readLines(sink.records, logName(name, 'changes'), changeSchema))
  out.record({ event: 'mirror-preview', mirror: name, sweep, fetch, moves, changes: shown, refused: refused ?? 0 })
  if (shown === 0) out.line('Nothing has changed.')
  out.line(`${plural(fetch, 'file')} would be fetched, ${formatCount(moves)} moved.`)
  if (refused !== undefined)
    out.line(`${plural(refused, 'dataset')} would leave: more than --max-removals lets.`, 'bad')
  return refused === undefined ? 0 : 1
}

/** @returns how many there are */
async function printChanges(out: Context['out'], changes: AsyncIterable<Change>): Promise<number> {
  let count = 0
  for await (const change of changes) {
    count++
    out.record({ event: 'change', ...change })
    if (count > SHOWN) continue
    const { change: what, dataset, version, path, detail } = change
    const where = [dataset, version, path].filter((text) => text !== undefined).join(' ')
    out.line(`${what}  ${where}${detail === undefined ? '' : `  (${detail})`}`)
  }
  if (count > SHOWN) out.line(`… and ${formatCount(count - SHOWN)} more.`)
  return count
}

/** What a mirror holds, and how its last run ended. */
export async function printStatus(
  context: Context,
  sink: Sink,
  order: MirrorOrder,
  pending: PendingRun | undefined,
): Promise<void> {
  const { out } = context
  const { records } = sink
  const { name, server } = order
  const state = await readState(records, name)
  const last = state && (await readRun(records, name, state.run))
  const sums = { current: 0, bytes: 0, aside: 0, missing: 0 }
  const states: Record<string, number> = {}
  const unstored = { some: [] as string[], count: 0 }
  for await (const dataset of heldDatasets(records, name)) {
    if (dataset.unstored && unstored.count++ < SHOWN) unstored.some.push(dataset.pid)
    states[dataset.state] = (states[dataset.state] ?? 0) + 1
    for (const key of ['current', 'bytes', 'aside', 'missing'] as const) sums[key] += dataset.files[key]
  }
  const fullSweep = state?.swept.reduce((first, time) => (time < first ? time : first))
  out.record({
    event: 'mirror-status',
    mirror: name,
    server,
    scope: order.scope,
    states,
    files: sums,
    last: last ?? null,
    fullSweepSince: fullSweep ?? null,
    unstored: unstored.count,
    unfinished: pending ? { startedAt: pending.startedAt, phase: pending.phase } : null,
  })
  if (out.json) {
    for await (const { pid, unstored: is } of heldDatasets(records, name)) {
      if (is) out.record({ event: 'unstored', ...last?.problems.find(({ dataset }) => dataset === pid), dataset: pid })
    }
    for await (const file of missingFiles(records, name, heldDatasets(records, name)))
      out.record({ event: 'missing', ...file })
    return
  }
  out.line(`${name}: ${scopeText(order)} on ${server}`, 'bold')
  for (const [is, count] of Object.entries(states))
    out.line(`${padded(count)} ${count === 1 ? 'dataset' : 'datasets'} ${is}`)
  out.line(
    `${padded(sums.current)} files (${formatBytes(sums.bytes)}), ${formatCount(sums.aside)} kept aside, ${formatCount(sums.missing)} missing`,
  )
  await printMissing(context, records, name, sums.missing)
  printUnstored(context, sink, order, unstored, last)
  if (last) out.line(`last run    ${last.finishedAt}, ${last.complete ? 'complete' : 'not complete'}`)
  else out.line('It has not been run yet.')
  if (fullSweep !== undefined) out.line(`full sweep  every dataset has been looked at since ${fullSweep}`)
  if (pending) out.line(`unfinished  a run that began at ${pending.startedAt}: \`mirror run\` goes on with it`, 'warn')
}

/** What a run changed; the last one unless another is named. @returns undefined: there is none */
export async function printRunChanges(
  { out }: Context,
  sink: Sink,
  name: string,
  run: string | undefined,
): Promise<RunReport | undefined> {
  const { records } = sink
  const runs = await listRuns(records, name)
  const wanted = run === undefined ? (await readState(records, name))?.run : runs.findLast((one) => one.startsWith(run))
  const report = wanted === undefined ? undefined : await readRun(records, name, wanted)
  if (!report) return undefined
  out.record({ event: 'mirror-run', ...report })
  let header: readonly string[] | undefined
  for await (const line of tableLines(records, names.run(name, report.run, 'changes.csv'))) {
    if (!out.json) out.text(line)
    else if (header) out.record({ event: 'change', ...rowOf(header, line) })
    else header = cellsOf(line)
  }
  return report
}

/** The rows of a table of ours, each of which is one line. */
async function* tableLines(records: Records, name: string): AsyncGenerator<string> {
  for await (const { text = '' } of recordLines(records.streamLog(name, 0))) yield text.replace(/\r$/, '')
}

function rowOf(header: readonly string[], line: string): Readonly<Record<string, string>> {
  const cells = cellsOf(line)
  return Object.fromEntries(header.map((column, at) => [column, cells[at] ?? '']))
}

function cellsOf(line: string): readonly string[] {
  const split = splitRecord(line, ',')
  return split.state === 'whole' ? split.cells : []
}
