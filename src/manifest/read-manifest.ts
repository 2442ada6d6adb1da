import type { Entry, ManifestLine } from '../model/entry.ts'
import { attempt, lineError } from './bad-line.ts'
import { readFetchLine } from './bagit-fetch.ts'
import { readDelimited } from './delimited.ts'
import { readAria2 } from './aria2-list.ts'
import { detectFormat, firstLines, type ManifestFormat } from './detect-format.ts'
import { readJsonDocuments, readJsonLine } from './json-documents.ts'
import { splitLines, type Line } from './lines.ts'
import { readListLine } from './plain-list.ts'
import { readPoochLine } from './pooch-registry.ts'
import type { Reading } from './reading.ts'
import { refusedText } from './refused-forms.ts'
import { ServerList } from './server-list.ts'
import { openText, type SourceText } from './source-text.ts'
import { UnknownColumns } from './unknown-columns.ts'

export interface ReadOptions {
  /** As messages name the manifest, and for its extension: a path, or `-` for standard input. */
  readonly name: string
  /** `auto`, the default, detects it by name and content. */
  readonly format?: ManifestFormat | 'auto'
  /** It was pasted into a page: it has lines and no name, and there are no flags. Default: it is a file, or a stream. */
  readonly pasted?: boolean
  /** Base URLs that entries may name, the default one first. No other host gets into an entry. */
  readonly servers: readonly string[]
  /** Accepts columns that look like misspelt ones, e.g. because they were checked before. Default: they are refused. */
  readonly ignoreColumns?: boolean
  /** Is told what is worth knowing but not an error, e.g. which columns are not used. */
  readonly notice?: (text: string) => void
}

/** A manifest whose format is known. */
export interface OpenManifest {
  /** As messages name it. */
  readonly name: string
  readonly format: ManifestFormat
  /** Can be read once. */
  readonly lines: AsyncIterable<ManifestLine>
}

/**
 * Reads a manifest of any format, in bounded memory. A bad line is a value with its number, and reading goes on; what
 * breaks the structure of the whole ends it with one more such value. Rejects only when the source cannot be read.
 * @param source a path, or bytes such as those of standard input
 */
export async function* readManifest(
  source: string | AsyncIterable<Uint8Array>,
  options: ReadOptions,
): AsyncIterable<ManifestLine> {
  yield* (await openManifest(source, options)).lines
}

/** Begins to read a manifest, as `readManifest` does, and returns its format. Rejects when the source cannot be read. */
export async function openManifest(
  source: string | AsyncIterable<Uint8Array>,
  { name, format = 'auto', pasted = false, servers, ignoreColumns = false, notice = () => undefined }: ReadOptions,
): Promise<OpenManifest> {
  const shown = name === '-' ? 'standard input' : name
  const opened = await openText(source, shown)
  const refused = opened.refused ?? (format === 'auto' ? refusedText(firstLines(opened.head)[0] ?? '') : undefined)
  const text = { ...opened, refused }
  const known = format === 'auto' ? detectFormat(name, text.head) : format
  const columns = new UnknownColumns(ignoreColumns)
  const at = (line: number): string => (pasted ? `line ${line}` : `${shown}:${line}`)
  const reading = { name: shown, at, servers: new ServerList(servers, pasted), columns, notice }
  return { name: shown, format: known, lines: readText(text, known, reading) }
}

async function* readText(text: SourceText, format: ManifestFormat, reading: Reading): AsyncIterable<ManifestLine> {
  let empty = true
  if (text.refused === undefined) {
    for await (const batch of readBatches(text, format, reading)) {
      for (const line of batch) {
        empty = false
        yield line
      }
    }
  }
  const { notice } = reading.columns
  if (notice !== undefined) reading.notice(`${reading.name}: ${notice}`)
  if (empty) yield lineError(reading, 1, text.refused ?? 'the manifest is empty: give one id, PID or URL per line')
}

function readBatches(
  text: SourceText,
  format: ManifestFormat,
  reading: Reading,
): AsyncIterable<readonly ManifestLine[]> {
  if (format === 'json') return readJsonDocuments(text.bytes, reading)
  const lines = splitLines(text.bytes, text.head.includes('\r') && !text.head.includes('\n') ? '\r' : '\n')
  switch (format) {
    case 'csv':
      return readDelimited(lines, reading)
    case 'tsv':
      return readDelimited(lines, reading, '\t')
    case 'aria2':
      return readAria2(lines, reading)
    case 'list':
      return readEach(lines, reading, oneAtMost(readListLine))
    case 'ndjson':
      return readEach(lines, reading, readJsonLine)
    case 'pooch':
      return readEach(lines, reading, oneAtMost(readPoochLine))
    case 'bagit':
      return readEach(lines, reading, oneAtMost(readFetchLine))
  }
}

type ReadLine = (text: string, number: number, reading: Reading) => readonly ManifestLine[]

function oneAtMost(read: (text: string, reading: Reading) => Entry | undefined): ReadLine {
  return (text, number, reading) => {
    const line = attempt(reading, number, () => read(text, reading))
    return line ? [line] : []
  }
}

/** Formats in which each line is independent. */
async function* readEach(
  lines: AsyncIterable<readonly Line[]>,
  reading: Reading,
  read: ReadLine,
): AsyncIterable<readonly ManifestLine[]> {
  for await (const batch of lines) {
    yield batch.flatMap(({ number, text, problem }) =>
      problem === undefined ? read(text, number, reading) : [lineError(reading, number, problem)],
    )
  }
}
