import { basename, extname } from 'node:path'
import { parseJson } from '../json/parse-json.ts'
import { isAria2Option } from './aria2-list.ts'
import { roleOf } from './columns.ts'
import { delimiterLine } from './delimited.ts'
import { isPoochLine } from './pooch-registry.ts'
import { isOneAddress, looksLikeReference } from './reference.ts'
import { MAX_WORD, withoutQuotes } from './text.ts'

/** The readers; `json` is what a server answers or exports, or rows of our own. */
export const MANIFEST_FORMATS = ['list', 'csv', 'tsv', 'ndjson', 'json', 'bagit', 'aria2', 'pooch'] as const
export type ManifestFormat = (typeof MANIFEST_FORMATS)[number]

const BY_EXTENSION: Readonly<Record<string, ManifestFormat>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
}

/**
 * Detects a manifest's format by its name, and where that leaves it open (`.txt`, `.json`, no extension, standard input) by
 * its first lines. Never fails: what looks like nothing else is a list. A first line that is one URL is always a
 * list, whatever delimiters are in it.
 * @param head the first 64 KiB or so, decoded
 */
export function detectFormat(name: string, head: string): ManifestFormat {
  const lines = firstLines(head)
  const first = lines[0] ?? ''
  const start = first.slice(0, MAX_WORD)
  const byName = BY_EXTENSION[extname(name).toLowerCase()]
  // A text over several lines, whatever its name says: its lines are not texts of their own.
  if (byName === 'ndjson') return /^[[{]$/.test(first) ? 'json' : 'ndjson'
  if (byName) return isOneAddress(start) ? 'list' : byName
  if (basename(name).toLowerCase() === 'fetch.txt') return 'bagit'
  if (/^[[{]/.test(start)) return isOneObjectALine(first, lines[1]) ? 'ndjson' : 'json'
  if (extname(name).toLowerCase() === '.json') return 'json'
  if (/^[a-z]+:\/\//i.test(start) && lines.some(isAria2Option)) return 'aria2'
  if (/^[a-z]+:\/\/\S+\s+(?:\d+|-)\s+\S/i.test(start)) return 'bagit'
  if (isOneReference(start)) return 'list'
  if (isPoochLine(start)) return 'pooch'
  if (start.includes('\t')) return 'tsv'
  return isTable(start) ? 'csv' : 'list'
}

/** The first lines that are neither empty nor comments, without trailing spaces. */
export function firstLines(head: string): readonly string[] {
  const lines = head.includes('\n') ? head.split('\n', 1000) : head.split('\r', 1000)
  return lines.map((line) => line.trimEnd()).filter((line) => line !== '' && !line.startsWith('#'))
}

function isOneReference(line: string): boolean {
  const bare = withoutQuotes(line)
  return isOneAddress(bare) || (bare !== line.trim() && looksLikeReference(bare))
}

function isOneObjectALine(first: string, second: string | undefined): boolean {
  const object = parseJson(first)
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return false
  return /^\{./.test(second?.trim() ?? '')
}

/** A header of one known column, or several cells of which the first is a known column or a reference. */
function isTable(first: string): boolean {
  if (delimiterLine(first) !== undefined) return true
  const cells = first.split(/[,;]/).map((cell) => cell.trim().replaceAll('"', ''))
  const begins = cells[0] ?? ''
  if (cells.length === 1) return roleOf(begins) !== undefined
  return cells.some((cell) => roleOf(cell) !== undefined) || looksLikeReference(begins)
}
