import { hash } from 'node:crypto'
import { escaped, factList, linked, pageEnd, pageStart, rest, tableOf } from '../batch/html-page.ts'
import { names as batchNames } from '../batch/folder.ts'
import { listedRecords, recordSums, sumLine, type RecordSum } from '../batch/record-sums.ts'
import type { LastVerified } from '../batch/report-schema.ts'
import {
  causes,
  filterTexts,
  lastVerifiedFact,
  recordsTable,
  short,
  shownAlgorithm,
  type Fact,
} from '../batch/statement-page.ts'
import { formatBytes, formatCount, plural } from '../model/format.ts'
import { pidUrl } from '../model/pid-url.ts'
import type { Records } from '../sinks/sink.ts'
import { missingFiles, missingTable, type MissingFile } from './missing-files.ts'
import { scopeText, type MirrorOrder } from './order.ts'
import type { RunReport } from './report.ts'
import { datasetSchema, readLines, type MirroredDataset } from './state.ts'

/** What a page names of each kind: tables have the rest. */
const SHOWN_DATASETS = 500
const SHOWN_FILES = 100
const SHOWN_PROBLEMS = 100

/**
 * Writes the statement of a run of a mirror: `missing.csv`, `report.html`, for people, and `records.sha256` with the digest of every
 * record in the folder of the run.
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
  const missing = await writeMissing(records, folder, order)
  const sums: RecordSum[] = []
  const listed = (await listedRecords(records, folder)).filter((name) => name !== page)
  for await (const sum of recordSums(records, folder, listed)) sums.push(sum)
  const text = runPage(order, report, { datasets, missing, sums, lastVerified })
  await records.write(page, text)
  const own = { name: 'report.html', sha256: hash('sha256', text) }
  await records.write(batchNames.recordSums(folder), Buffer.concat([...sums, own].map(sumLine)))
}

interface Missing {
  readonly shown: readonly MissingFile[]
  readonly count: number
  /** By code. */
  readonly causes: Readonly<Record<string, number>>
}

async function writeMissing(records: Records, folder: string, { name }: MirrorOrder): Promise<Missing> {
  const shown: MissingFile[] = []
  const byCode = new Map<string, number>()
  let count = 0
  async function* seen(): AsyncGenerator<MissingFile> {
    for await (const file of missingFiles(records, name, datasetsOf(records, folder))) {
      const { code = NOT_TRIED } = file
      byCode.set(code, (byCode.get(code) ?? 0) + 1)
      if (count++ < SHOWN_FILES) shown.push(file)
      yield file
    }
  }
  await records.write(`${folder}/${MISSING}`, missingTable(seen()))
  return { shown, count, causes: Object.fromEntries(byCode) }
}

const MISSING = 'missing.csv'
const NOT_TRIED = 'not tried yet'

function datasetsOf(records: Records, folder: string): AsyncIterable<MirroredDataset> {
  return readLines(records, `${folder}/datasets.ndjson`, datasetSchema)
}

interface Datasets {
  /** Those that lack something, and those that have left, first. */
  readonly shown: readonly MirroredDataset[]
  readonly count: number
}

async function notable(records: Records, folder: string): Promise<Datasets> {
  const [first, others]: [MirroredDataset[], MirroredDataset[]] = [[], []]
  let count = 0
  for await (const dataset of datasetsOf(records, folder)) {
    count++
    const some = dataset.state !== 'current' || dataset.files.missing > 0 ? first : others
    if (some.length < SHOWN_DATASETS) some.push(dataset)
  }
  return { shown: [...first, ...others].slice(0, SHOWN_DATASETS), count }
}

interface Shown {
  readonly datasets: Datasets
  readonly missing: Missing
  readonly sums: readonly RecordSum[]
  readonly lastVerified: LastVerified | undefined
}

/** `report.html` of a run. Its size is bounded; all names and messages in it are strangers'. */
function runPage(order: MirrorOrder, report: RunReport, { datasets, missing, sums, lastVerified }: Shown): string {
  const { startedAt, sweep, files, bytesFetched, states } = report
  const count = (record: Readonly<Record<string, number>>): string =>
    Object.entries(record)
      .map(([name, value]) => `${formatCount(value)} ${escaped(name)}`)
      .join(', ') || 'none'
  return [
    pageStart(`Statement of mirror ${order.name}, run of ${startedAt}`),
    `<p><strong>${verdict(order, report)}</strong></p>\n`,
    '<h2>What was asked for</h2>\n',
    factList(asked(order, report)),
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
    ...lacking(missing),
    ...problems(report),
    ...table(datasets),
    recordsTable(sums, sums.length),
    pageEnd,
  ].join('')
}

function verdict({ filters }: MirrorOrder, { complete, sweep, files }: RunReport): string {
  if (sweep === 'none') return 'Nothing was asked of the server in this run: files were dropped here.'
  const of = filters ? ' and the filters of the mirror let through' : ''
  if (complete) return `The mirror has everything that its server released${of}, as far as this user may have it.`
  const failed = files.failed > 0 ? `: ${plural(files.failed, 'file')} failed in this run` : ''
  return `Not everything could be brought up to date${failed}.`
}

function asked(order: MirrorOrder, { startedAt, finishedAt }: RunReport): Fact[] {
  const { server, versions, filters, digests = [], metadata, layout } = order
  return [
    ['Server', linked(server, server)],
    ['Scope', escaped(scopeText(order))],
    ['Versions', versions === 'all' ? 'every released one' : 'the newest one'],
    ...(filters ? [['Filters', escaped(filterTexts(filters).join('; '))] as const] : []),
    ['Metadata', METADATA_TEXT[metadata]],
    ...(digests.length > 0 ? [['Digests', `${digests.map(shownAlgorithm).join(' and ')} of every file`] as const] : []),
    ['Layout', layout === 'ocfl' ? 'objects of OCFL' : 'a folder for each dataset'],
    ['Begun', escaped(startedAt)],
    ['Ended', escaped(finishedAt)],
  ]
}

const METADATA_TEXT: Readonly<Record<MirrorOrder['metadata'], string>> = {
  none: 'none',
  dataset: 'the JSON of each version',
  all: 'the JSON of each version, and what the server exports',
}

function lacking({ shown, count, causes: byCode }: Missing): string[] {
  if (count === 0) return []
  const rows = shown.map(({ dataset, path, code = NOT_TRIED }) => [
    linked(pidUrl(dataset), dataset),
    short(path),
    `<code>${escaped(code)}</code>`,
  ])
  return [
    '<h2>What is missing, and why</h2>\n',
    causes(byCode),
    tableOf(['Dataset', 'File', 'Code'], rows),
    rest(count, rows.length, MISSING),
  ]
}

function problems({ problems: all }: RunReport): string[] {
  const rows = all
    .slice(0, SHOWN_PROBLEMS)
    .map(({ dataset, code, message }) => [escaped(dataset), `<code>${escaped(code)}</code>`, short(message)])
  if (rows.length === 0) return []
  return [
    '<h2>Datasets that could not be looked at</h2>\n',
    tableOf(['Dataset', 'Code', 'What happened'], rows),
    rest(all.length, rows.length, 'run.json'),
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
