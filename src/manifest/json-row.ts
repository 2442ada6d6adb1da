import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import { roleOf, type Role } from './columns.ts'
import { isListingElement, readListedFile } from './listed-file.ts'
import type { Reading } from './reading.ts'
import { readReference } from './reference.ts'
import { readRow } from './row.ts'

/** Reads a line of NDJSON; undefined when it is empty. Throws a bad line. */
export function readJsonLine(text: string, reading: Reading): Entry | undefined {
  return text.trim() === '' ? undefined : readJsonRow(parse(text), reading)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw badLine(`${quoted(text)} is no valid JSON: give one object a line`)
  }
}

/**
 * Reads a JSON value: an object with the names of the CSV columns as keys, an element of a Dataverse file listing, or an
 * id, PID or URL alone. Keys without a meaning are ignored. Throws a bad line.
 */
export function readJsonRow(value: unknown, { servers }: Reading): Entry {
  if (typeof value === 'string' || typeof value === 'number') return readReference(String(value).trim(), 'any', servers)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badLine('the value is no object: give e.g. {"id": 42}')
  }
  if (isListingElement(value)) return readListedFile(value)
  const row: Partial<Record<Role, string>> = {}
  for (const [key, cell] of Object.entries(value)) {
    const role = roleOf(key)
    if (role && cell !== null) row[role] ??= cellText(key, cell)
  }
  return readRow(row, servers)
}

function cellText(key: string, cell: unknown): string {
  if (typeof cell === 'string') return cell.trim()
  if (typeof cell === 'number') return String(cell)
  if (Array.isArray(cell) && cell.every((id) => typeof id === 'number' || typeof id === 'string')) return cell.join(' ')
  // As Dataverse writes a checksum.
  if (typeof cell === 'object' && cell !== null && 'type' in cell && 'value' in cell) {
    return `${String(cell.type)}:${String(cell.value)}`
  }
  throw badLine(`${quoted(key)} is neither text nor a number: correct it`)
}
