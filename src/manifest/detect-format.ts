import { basename, extname } from 'node:path'
import { roleOf } from './columns.ts'
import { looksLikeReference } from './reference.ts'

/** The readers; `json` is a Dataverse listing, dataset or version, or an array of rows. */
export const MANIFEST_FORMATS = ['list', 'csv', 'tsv', 'ndjson', 'json', 'bagit'] as const
export type ManifestFormat = (typeof MANIFEST_FORMATS)[number]

const BY_EXTENSION: Readonly<Record<string, ManifestFormat>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
}

/**
 * Tells a manifest's format by its name, and where that leaves it open (`.txt`, `.json`, no extension, standard input) by
 * its first lines. Never fails: what looks like nothing else is a list.
 * @param head the first 64 KiB or so, decoded
 */
export function detectFormat(name: string, head: string): ManifestFormat {
  const byName = BY_EXTENSION[extname(name).toLowerCase()]
  if (byName) return byName
  if (basename(name).toLowerCase() === 'fetch.txt') return 'bagit'
  const lines = head.split(/\r\n|\n|\r/, 1000).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const first = lines[0]?.trim() ?? ''
  if (/^[[{]/.test(first)) return isOneObjectALine(first, lines[1]) ? 'ndjson' : 'json'
  if (extname(name).toLowerCase() === '.json') return 'json'
  if (/^[a-z]+:\/\/\S+\s+(?:\d+|-)\s+\S/i.test(first)) return 'bagit'
  if (first.includes('\t')) return 'tsv'
  return isTable(first) ? 'csv' : 'list'
}

/** Keys at the top of what Dataverse answers or exports, none of which is a column. */
const ENVELOPE = ['status', 'data', 'files', 'latestVersion', 'datasetVersion']

function isOneObjectALine(first: string, second: string | undefined): boolean {
  const object = parsed(first)
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return false
  return second === undefined ? !ENVELOPE.some((key) => key in object) : second.trim().startsWith('{')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A header of one known column, or several cells of which the first is a known column or a reference. */
function isTable(first: string): boolean {
  const cells = first.split(/[,;]/).map((cell) => cell.trim().replaceAll('"', ''))
  const begins = cells[0] ?? ''
  if (cells.length === 1) return roleOf(begins) !== undefined
  return cells.some((cell) => roleOf(cell) !== undefined) || looksLikeReference(begins)
}
