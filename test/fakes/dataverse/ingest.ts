import { parse } from 'csv-parse/sync'
import type { FileSpec } from './specs.ts'

/**
 * What becomes of an uploaded CSV file: a table with the upload beside it. The first row names the variables; text stands
 * in quotes, numbers as they are (CSVFileReader.java). Undefined: it is no table, and stays the file it was.
 */
export function ingested(
  name: string,
  type: string,
  content: Uint8Array,
): Pick<FileSpec, 'label' | 'tabular'> | undefined {
  if (type !== 'text/csv') return undefined
  const rows = tableOf(content)
  const [header, ...records] = rows ?? []
  if (!header) return undefined
  const numeric = header.map((_, column) => records.every((row) => isNumber(row[column] ?? '')))
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (numeric[column] || cell === '' ? cell : `"${escaped(cell)}"`)).join('\t')
  const tab = records.map((row) => `${line(row)}\n`).join('')
  const tabular = { original: content, originalName: name, originalContentType: type, header, tab }
  return { label: name.replace(/\.csv$/, '.tab'), tabular }
}

/** Undefined where the rows are not all as long as the first. */
function tableOf(content: Uint8Array): readonly (readonly string[])[] | undefined {
  try {
    return parse(Buffer.from(content))
  } catch {
    return undefined
  }
}

function isNumber(cell: string): boolean {
  return cell === '' || (cell.trim() !== '' && Number.isFinite(Number(cell)))
}

function escaped(cell: string): string {
  return cell.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}
