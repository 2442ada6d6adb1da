import { ERROR_CODES, isErrorCode } from '../errors.ts'
import { formatBytes, formatCount, plural } from '../model/format.ts'
import type { Filters } from '../model/filters.ts'
import { pidUrl } from '../model/pid-url.ts'
import type { Failure, Waiting } from '../model/receipt.ts'
import { shownUrl } from '../model/shown-url.ts'
import type { DatasetRow } from './dataset-tally.ts'
import { escaped, factList, linked, pageEnd, pageStart, rest, tableOf } from './html-page.ts'
import type { RecordSum } from './record-sums.ts'
import type { LastVerified, Report } from './report-schema.ts'

/** What a page says besides the report: of many files and datasets the first ones. */
interface Shown {
  readonly failures: readonly Failure[]
  readonly waiting: readonly Waiting[]
  readonly datasets: readonly DatasetRow[]
  readonly datasetCount: number
}

export type Fact = readonly [name: string, html: string]

/** `report.html`: the report for people. Its size is bounded, whatever the batch's; all names and messages in it are strangers'. */
export function statementPage(report: Report, shown: Shown): string {
  return [
    pageStart(`Statement of batch ${report.batch}`),
    `<p><strong>${verdict(report)}</strong></p>\n`,
    '<h2>What was asked for</h2>\n',
    factList(asked(report)),
    '<h2>What came</h2>\n',
    factList(came(report)),
    ...missing(report, shown),
    ...waits(report, shown),
    ...datasets(report, shown),
    ...(report.records ? [recordsTable(report.records, report.recordCount ?? 0)] : []),
    pageEnd,
  ].join('')
}

function verdict({ complete, planned, done, kept, failed, waiting, missing, leftOut }: Report): string {
  const there = done + kept
  if (complete) return planned === 1 ? 'The file is there.' : `All ${plural(planned, 'file')} are there.`
  if (there === planned) return `${plural(leftOut, 'file')} ${leftOut === 1 ? 'is' : 'are'} missing from the archives.`
  const parts = [
    [failed, 'could not be fetched'],
    [waiting, waiting === 1 ? 'waits' : 'wait'],
    [missing, 'without an outcome'],
  ] as const
  const rest = parts.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`)
  const what =
    planned === 1
      ? 'The file is not there'
      : `${formatCount(there)} of ${plural(planned, 'file')} ${there === 1 ? 'is' : 'are'} there`
  return `${what}; ${rest.join(', ')}.`
}

function asked(report: Report): Fact[] {
  const { asked, manifest, destination, createdAt, finishedAt, software, waiting } = report
  return [
    ['Manifest', escaped(manifest)],
    ...(asked ? ofManifest(asked) : []),
    ['Destination', escaped(shownUrl(destination))],
    ['Begun', escaped(createdAt)],
    [waiting > 0 ? 'As of' : 'Ended', escaped(finishedAt)],
    ...(asked ? ofFlags(asked, report) : []),
    ...(software === undefined ? [] : [['Stated by', `dataferry ${escaped(software)}`] as const]),
  ]
}

type Asked = NonNullable<Report['asked']>

function ofManifest({ manifest, servers }: Asked): Fact[] {
  const { sha256, entries, format, parts = [], asked } = manifest
  return [
    ...(parts.length > 0 ? [['Parts', parts.map(({ name }) => escaped(name)).join(', ')] as const] : []),
    ...(asked === undefined ? [] : [['Found by', escaped(asked)] as const]),
    [
      'Its content',
      `${plural(entries, 'entry', 'entries')} (${escaped(format)}), SHA-256 <code>${escaped(sha256)}</code>`,
    ],
    [servers.length === 1 ? 'Server' : 'Servers', servers.map((server) => linked(server, server)).join(', ')],
  ]
}

function ofFlags(asked: Asked, { filtered, digests }: Report): Fact[] {
  const {
    format,
    existing,
    bundle = 'off',
    bundleUnverified,
    complete,
    recursive,
    acceptTerms,
    access,
    filters = {},
  } = asked
  const narrowed = filterTexts(filters)
  const form = format === 'original' ? 'the uploaded originals' : 'the archival forms'
  const more = [
    ...(bundle === 'off' ? [] : [`small files in bundles${bundleUnverified ? ', also unverified ones' : ''}`]),
    ...(digests.length > 0 ? [`${digests.map(shownAlgorithm).join(' and ')} of every file`] : []),
    ...(complete ? ['also files that archives lack'] : []),
    ...(recursive ? ['also datasets of collections'] : []),
    ...(acceptTerms ? ['terms of use accepted, their text kept in <code>terms/</code>'] : []),
    ...(access?.request ? ['access requested where files are restricted'] : []),
    ...(access && access.waitFor.length > 0 ? [`waited for: ${access.waitFor.join(', ')}`] : []),
  ]
  return [
    ['Form of tables', form],
    ['Files that were there before', escaped(EXISTING_TEXT[existing])],
    ...(narrowed.length > 0
      ? [['Filters', `${escaped(narrowed.join('; '))} (${plural(filtered, 'file')} left out)`] as const]
      : []),
    ...(more.length > 0 ? [['Besides', more.join('; ')] as const] : []),
  ]
}

/** What narrows, in words. */
export function filterTexts({ include, exclude, minSize, maxSize, contentTypes }: Filters): readonly string[] {
  return [
    ...(include ? [`include ${include.join(', ')}`] : []),
    ...(exclude ? [`exclude ${exclude.join(', ')}`] : []),
    ...(minSize === undefined ? [] : [`at least ${plural(minSize, 'byte')}`]),
    ...(maxSize === undefined ? [] : [`at most ${plural(maxSize, 'byte')}`]),
    ...(contentTypes ? [`of type ${contentTypes.join(', ')}`] : []),
  ]
}

const EXISTING_TEXT: Readonly<Record<Asked['existing'], string>> = {
  error: 'kept if proven identical, else an error',
  skip: 'kept',
  overwrite: 'replaced',
  'overwrite-different': 'kept if proven identical, else replaced',
  refresh: 'replaced if the server has another one',
}

function came(report: Report): Fact[] {
  const { planned, plannedBytes, done, bytes, kept, keptBytes, failed, waiting, missing } = report
  const { leftOut, leftOutPlanned, renamed, duplicates, listed } = report
  const withheld = [
    [listed?.restricted ?? 0, 'restricted'],
    [listed?.embargoed ?? 0, 'under embargo'],
    [listed?.retentionExpired ?? 0, 'past their retention period'],
  ] as const
  const some = (count: number, what: string): string[] => (count > 0 ? [`${formatCount(count)} ${what}`] : [])
  const leftOutText = leftOutPlanned ? ', fetched individually' : ''
  return [
    ['Planned', `${plural(planned, 'file')}, ${sized(plannedBytes)}`],
    ['Fetched', `${formatCount(done)}, ${sized(bytes)}`],
    ...(kept > 0 ? [['There before', `${formatCount(kept)}, ${sized(keptBytes)}`] as const] : []),
    ...(failed > 0 ? [['Could not be fetched', formatCount(failed)] as const] : []),
    ...(waiting > 0 ? [['Waiting', formatCount(waiting)] as const] : []),
    ...(missing > 0 ? [['Without an outcome', formatCount(missing)] as const] : []),
    ['Verified', verified(report)],
    ...lastVerifiedFact(report.lastVerified),
    ...listedFact('Digests on record', byAlgorithm(report.checksums)),
    ...listedFact(
      'Withheld, as the server listed it',
      withheld.flatMap(([count, what]) => some(count, what)),
    ),
    ...listedFact('Also', [
      ...some(duplicates, 'requested more than once, fetched once'),
      ...some(renamed, 'renamed to safe names (<a href="renamed.csv">renamed.csv</a>)'),
      ...some(leftOut, `left out of archives${leftOutText} (<a href="left-out.csv">left-out.csv</a>)`),
    ]),
  ]
}

/** When the files were last read again. */
export function lastVerifiedFact(last: LastVerified | undefined): Fact[] {
  if (!last) return []
  const { endedAt, by, read, open } = last
  const found = open
    ? `; of the files stated here, ${formatCount(open.missing)} missing and ${formatCount(open.changed)} changed`
    : ''
  const what = `${plural(read, 'file')} of the destination read by dataferry ${escaped(by)}`
  return [['Last verified', `${escaped(endedAt)}: ${what}${found}`]]
}

function listedFact(name: string, parts: readonly string[]): Fact[] {
  return parts.length === 0 ? [] : [[name, parts.join(', ')]]
}

function verified({ verified, published = {} }: Report): string {
  const by = byAlgorithm(published)
  const parts = [
    [verified.checksum, `by the published checksum${by.length > 0 ? ` (${by.join(', ')})` : ''}`],
    [verified.structure, 'archives by their structure and what is in them'],
    [verified.size, 'by size only'],
    [verified.nothing, 'not verified'],
  ] as const
  const said = parts.filter(([count]) => count > 0).map(([count, how]) => `${formatCount(count)} ${how}`)
  return said.length === 0 ? 'nothing came' : said.join(', ')
}

/** `{ md5: 2 }` → `MD5 2`. */
function byAlgorithm(counts: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(counts).map(([name, count]) => `${shownAlgorithm(name)} ${formatCount(count)}`)
}

/** `sha256` → `SHA-256`, as HTML. */
export function shownAlgorithm(name: string): string {
  return escaped(name.toUpperCase().replace(/^SHA(?=\d)/, 'SHA-'))
}

function sized(bytes: number): string {
  return bytes < 1000 ? plural(bytes, 'byte') : `${formatBytes(bytes)} (${formatCount(bytes)} bytes)`
}

function missing({ failed, failures }: Report, shown: Shown): string[] {
  if (failed === 0) return []
  const rows = shown.failures.map(({ path, code, message }) => [
    short(path),
    `<code>${escaped(code)}</code>`,
    short(message),
  ])
  return [
    '<h2>What is missing, and why</h2>\n',
    causes(failures),
    tableOf(['File', 'Code', 'What happened'], rows),
    rest(failed, rows.length, 'failures.csv'),
  ]
}

/** What each code means, and what helps. */
export function causes(failures: Readonly<Record<string, number>>): string {
  const codes = Object.entries(failures).sort(([, a], [, b]) => b - a)
  const rows = codes.map(([code, count]) => {
    const known = isErrorCode(code) ? ERROR_CODES[code] : undefined
    return [`<code>${escaped(code)}</code>`, formatCount(count), said(known?.meaning), said(known?.advice)]
  })
  return tableOf(['Code', '#Files', 'What it means', 'What helps'], rows)
}

function waits({ waiting, waitingFor: { access, embargo } }: Report, shown: Shown): string[] {
  if (waiting === 0) return []
  const rows = shown.waiting.map((line) => [
    short(line.path),
    line.for === 'access' ? 'access, which was requested' : 'the end of an embargo',
    escaped(line.since),
    escaped(line.until),
  ])
  return [
    '<h2>What waits</h2>\n',
    `<p>${formatCount(access)} for access, ${formatCount(embargo)} for the end of an embargo.</p>\n`,
    tableOf(['File', 'Waits for', 'Since', 'Until at most'], rows),
    rest(waiting, rows.length, 'waiting.csv'),
  ]
}

function datasets({ failed, waiting }: Report, shown: Shown): string[] {
  const rows = shown.datasets.map((row) => [
    row.dataset === undefined ? 'none known' : linked(pidUrl(row.dataset), row.dataset),
    escaped(row.version ?? ''),
    escaped(row.server),
    formatCount(row.there),
    formatCount(row.bytes),
    ...(failed > 0 ? [formatCount(row.failed)] : []),
    ...(waiting > 0 ? [formatCount(row.waiting)] : []),
  ])
  if (rows.length === 0) return []
  const columns = ['Dataset', 'Version', 'Server', '#Files there', '#Bytes']
  const more = [...(failed > 0 ? ['#Failed'] : []), ...(waiting > 0 ? ['#Waiting'] : [])]
  return [
    '<h2>Where it came from</h2>\n',
    tableOf([...columns, ...more], rows),
    rest(shown.datasetCount, rows.length, 'datasets.csv'),
  ]
}

/** The digests of records, and how they are checked. */
export function recordsTable(records: readonly RecordSum[], count: number): string {
  const rows = records.map(({ name, size, sha256 }) => [
    `<a href="${escaped(name)}">${escaped(name)}</a>`,
    formatCount(size),
    `<code>${sha256}</code>`,
  ])
  return [
    '<h2>Records</h2>\n',
    '<p>What this page says follows from the records beside it. <a href="records.sha256">records.sha256</a> has the SHA-256 of ' +
      'each of them and of this page. In this folder, the first command checks them; where the list is signed, the second one ' +
      'checks the signature:</p>\n',
    '<pre>sha256sum -c records.sha256\n' +
      'ssh-keygen -Y verify -f allowed_signers -I SIGNER -n dataferry -s records.sha256.sig &lt; records.sha256</pre>\n',
    tableOf(['Record', '#Bytes', 'SHA-256'], rows),
    rest(count, rows.length, 'records.sha256'),
  ].join('')
}

const LONGEST_TEXT = 500

/** A stranger's text of bounded length, as HTML. */
export function short(text: string): string {
  return escaped(text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text)
}

/** Sentences of our own, with commands in backticks. */
function said(text = ''): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}
