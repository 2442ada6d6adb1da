import { hash } from 'node:crypto'
import { escaped, factList, linked, pageEnd, pageStart, rest, tableOf } from '../batch/html-page.ts'
import { names as batchNames } from '../batch/folder.ts'
import { listedRecords, recordSums, sumLine, type RecordSum } from '../batch/record-sums.ts'
import type { LastVerified } from '../batch/report-schema.ts'
import { causes, lastVerifiedFact, recordsTable } from '../batch/statement-page.ts'
import { formatBytes, formatCount, plural } from '../model/format.ts'
import { pidUrl } from '../model/pid-url.ts'
import type { Records } from '../sinks/sink.ts'
import { scopeText, type MirrorOrder } from './order.ts'
import type { RunReport } from './report.ts'
import { datasetSchema, readLines, type MirroredDataset } from './state.ts'

/** What a page names of each kind: tables have the rest. */
const SHOWN_DATASETS = 500
const SHOWN_PROBLEMS = 100

/**
 * Writes the statement of a run of a mirror: `report.html`, for people, and `records.sha256` with the digest of every record in the
 * folder of the run.
 */
export async function writeRunStatement(
  records: Records,
  folder: string,
  order: MirrorOrder,
  report: RunReport,
  lastVerified?: LastVerified,
): Promise<void> {
  const page = batchNames.page(folder)
  const datasets = await notable(records, folder)
  const sums: RecordSum[] = []
  const listed = (await listedRecords(records, folder)).filter((name) => name !== page)
  for await (const sum of recordSums(records, folder, listed)) sums.push(sum)
  const text = runPage(order, report, { datasets, sums, lastVerified })
  await records.write(page, text)
  const own = { name: 'report.html', sha256: hash('sha256', text) }
  await records.write(batchNames.recordSums(folder), Buffer.concat([...sums, own].map(sumLine)))
}

interface Datasets {
  /** Those that lack something, and those that have left, first. */
  readonly shown: readonly MirroredDataset[]
  readonly count: number
}

async function notable(records: Records, folder: string): Promise<Datasets> {
  const [first, others]: [MirroredDataset[], MirroredDataset[]] = [[], []]
  let count = 0
  for await (const dataset of readLines(records, `${folder}/datasets.ndjson`, datasetSchema)) {
    count++
    const some = dataset.state !== 'current' || dataset.files.missing > 0 ? first : others
    if (some.length < SHOWN_DATASETS) some.push(dataset)
  }
  return { shown: [...first, ...others].slice(0, SHOWN_DATASETS), count }
}

interface Shown {
  readonly datasets: Datasets
  readonly sums: readonly RecordSum[]
  readonly lastVerified: LastVerified | undefined
}

/** `report.html` of a run. Its size is bounded; all names and messages in it are strangers'. */
function runPage(order: MirrorOrder, report: RunReport, { datasets, sums, lastVerified }: Shown): string {
  const { startedAt, finishedAt, sweep, files, bytesFetched, complete, states } = report
  const count = (record: Readonly<Record<string, number>>): string =>
    Object.entries(record)
      .map(([name, value]) => `${formatCount(value)} ${escaped(name)}`)
      .join(', ') || 'none'
  const verdict = complete
    ? 'The mirror has everything that its server released, as far as this user may have it.'
    : `Not everything could be brought up to date: ${plural(files.failed, 'file')} failed in this run.`
  return [
    pageStart(`Statement of mirror ${order.name}, run of ${startedAt}`),
    `<p><strong>${verdict}</strong></p>\n`,
    '<h2>What was asked for</h2>\n',
    factList([
      ['Server', linked(order.server, order.server)],
      ['Scope', escaped(scopeText(order))],
      ['Versions', order.versions === 'all' ? 'every released one' : 'the newest one'],
      ['Begun', escaped(startedAt)],
      ['Ended', escaped(finishedAt)],
    ]),
    '<h2>What came</h2>\n',
    factList([
      [
        'Looked at',
        sweep === 'none'
          ? 'nothing: files were dropped here'
          : sweep === 'full'
            ? 'everything'
            : 'what the search said had changed',
      ],
      ['Datasets by what happened to them', count(report.datasets)],
      ['Datasets by state', count(states)],
      ['Files fetched', `${formatCount(files.fetched)} (${formatBytes(bytesFetched)})`],
      ['Files held before', formatCount(files.kept)],
      ['Files that are missing', formatCount(files.missing)],
      ['Kept aside in this run', formatCount(files.superseded)],
      ...lastVerifiedFact(lastVerified),
    ]),
    ...problems(report),
    ...table(datasets),
    recordsTable(sums, sums.length),
    pageEnd,
  ].join('')
}

function problems({ problems: all, failures = {} }: RunReport): string[] {
  const rows = all
    .slice(0, SHOWN_PROBLEMS)
    .map(({ dataset, code, message }) => [escaped(dataset), `<code>${escaped(code)}</code>`, escaped(message)])
  return [
    ...(Object.keys(failures).length > 0 ? ['<h2>Files that failed, and why</h2>\n', causes(failures)] : []),
    ...(rows.length > 0
      ? [
          '<h2>Datasets that could not be looked at</h2>\n',
          tableOf(['Dataset', 'Code', 'What happened'], rows),
          rest(all.length, rows.length, 'run.json'),
        ]
      : []),
  ]
}

function table({ shown, count }: Datasets): string[] {
  const rows = shown.map(({ pid, versions, state, files }) => [
    linked(pidUrl(pid), pid),
    escaped(versions[0]?.number ?? ''),
    escaped(state),
    formatCount(files.current),
    formatCount(files.bytes),
    formatCount(files.missing),
  ])
  if (rows.length === 0) return []
  return [
    '<h2>Datasets</h2>\n',
    tableOf(['Dataset', 'Version', 'State', '#Files there', '#Bytes', '#Missing'], rows),
    rest(count, rows.length, 'datasets.ndjson'),
  ]
}
