import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import { cellOf, roleOf, type Role } from './columns.ts'
import type { JsonObject } from './json-object.ts'
import type { Reading } from './reading.ts'
import { readRow } from './row.ts'

/**
 * Reads an object with the names of the CSV columns as its members. Others are treated as unknown columns, and refused where they
 * hold more than text and numbers where nothing but an `id` says what to fetch: everything that a server describes has
 * one. Throws a bad line.
 */
export function readJsonRow(value: JsonObject, { servers, columns }: Reading): Entry {
  const row: Partial<Record<Role, string>> = {}
  const others = Object.entries(value).filter(([name]) => roleOf(name) === undefined)
  for (const [name, cell] of Object.entries(value)) {
    const role = roleOf(name)
    if (role && cell !== null) row[role] ??= cellOf(role, cellText(name, cell))
  }
  const document = others.find(([, cell]) => typeof cell === 'object' && cell !== null)
  if (document !== undefined && !(row.file || row.url || row.pid || row.dataset || row.ids)) {
    throw badLine(
      `the object is not a row, since ${quoted(document[0])} holds more than a value: name what to fetch, e.g. fileId`,
    )
  }
  for (const [name] of others) columns.check(name)
  return readRow(row, servers)
}

function cellText(name: string, cell: unknown): string {
  if (typeof cell === 'string') return cell.trim()
  if (typeof cell === 'number') return String(cell)
  if (Array.isArray(cell) && cell.every((id) => typeof id === 'number' || typeof id === 'string')) return cell.join(' ')
  // As Dataverse writes a checksum.
  if (typeof cell === 'object' && cell !== null && 'type' in cell && 'value' in cell) {
    return `${String(cell.type)}:${String(cell.value)}`
  }
  throw badLine(`${quoted(name)} is neither text nor a number: correct it`)
}
