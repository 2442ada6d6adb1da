import { HEX_LENGTH, ALGORITHMS, parseChecksum, type Algorithm, type Checksum } from '../model/checksum.ts'
import type { Entry, Target } from '../model/entry.ts'
import { withoutEndSlashes } from '../model/path.ts'
import { badLine, quoted } from './bad-line.ts'
import type { Role } from './columns.ts'
import { readFormat } from './dataverse-url.ts'
import { readVersion } from './pid.ts'
import { KINDS, readReference, type Kind, type Reference } from './reference.ts'
import type { ServerList } from './server-list.ts'
import { MAX_WORD } from './text.ts'

/** The cells of a row by their meaning; an empty cell counts as missing. */
export type Row = Readonly<Partial<Record<Role, string>>>

/** Reads a row. Throws a bad line. */
export function readRow(row: Row, servers: ServerList): Entry {
  const reference = referenceOf(row, kindOf(row.kind), servers)
  const server = serverOf(row.server, reference.server, servers)
  const path = pathOf(row)
  const checksum = checksumOf(row)
  const size = sizeOf(row.size)
  const format = row.format ? readFormat(row.format) : reference.format
  return {
    target: withVersion(reference.target, row.version),
    ...(server === undefined ? {} : { server }),
    ...(path === undefined ? {} : { path }),
    ...(checksum === undefined ? {} : { checksum }),
    ...(size === undefined ? {} : { size }),
    ...(format === undefined ? {} : { format }),
  }
}

function kindOf(text: string | undefined): Kind {
  if (!text) return 'any'
  const word = text.slice(0, MAX_WORD).toLowerCase().replaceAll(/[_ ]/g, '-')
  const kind = KINDS.find((known) => known === word)
  if (!kind)
    throw badLine(`kind ${quoted(text)} is unknown: give file, dataset, zip, dataset-zip, bundle or collection`)
  return kind
}

function referenceOf(row: Row, kind: Kind, servers: ServerList): Reference {
  const read = (text: string, whenAny: Kind): Reference => readReference(text, kind === 'any' ? whenAny : kind, servers)
  // For a dataset or its archive, a file id in the same row only says where the row came from.
  if ((kind === 'dataset' || kind === 'dataset-zip') && row.dataset) return read(row.dataset, 'dataset')
  if (row.ids) return readReference(row.ids, 'zip', servers)
  if (row.file) return read(row.file, 'file')
  if (row.id && row.url) return oneOf(read(row.id, 'any'), read(row.url, 'any'))
  const either = row.id || row.url || row.pid
  if (either) return read(either, 'any')
  if (row.dataset) return read(row.dataset, 'dataset')
  throw badLine('the row names nothing to fetch: fill in an id, a PID, a URL or a dataset')
}

/** An id beside a URL: the number alone could be anything's, anywhere. */
function oneOf(id: Reference, url: Reference): Reference {
  const [one, other] = [id.target, url.target]
  if (one.kind === 'file' && other.kind === 'file' && typeof other.file === 'number' && one.file !== other.file) {
    throw badLine(`the id says file ${one.file}, but the URL says file ${other.file}: make them agree`)
  }
  const { server, format } = url
  return { ...id, ...(server === undefined ? {} : { server }), ...(format === undefined ? {} : { format }) }
}

function serverOf(column: string | undefined, ofUrl: string | undefined, servers: ServerList): string | undefined {
  const named = column ? servers.named(column) : undefined
  if (named !== undefined && ofUrl !== undefined && named !== ofUrl) {
    throw badLine(`the URL is on ${ofUrl}, but the server column says ${named}: make them agree`)
  }
  return named ?? ofUrl
}

function withVersion(target: Target, text: string | undefined): Target {
  if (!text) return target
  if (target.kind === 'zip' || target.kind === 'bundle' || target.kind === 'collection') {
    throw badLine(`version ${quoted(text)} is given for a ${target.kind}, which has none: leave it empty`)
  }
  const version = readVersion(text)
  if (version === undefined) throw badLine(`${quoted(text)} is not a version: give e.g. 2.0, :latest or :draft`)
  if (target.version !== undefined && target.version !== version) {
    throw badLine(`version ${quoted(text)} and the reference's ${target.version} differ: make them agree`)
  }
  return { ...target, version }
}

/** A directory alone ends in `/`: the planner appends the server's name for the file. */
function pathOf({ path, directory, name }: Row): string | undefined {
  if (path) return path
  if (directory) return `${withoutEndSlashes(directory)}/${name ?? ''}`
  return name || undefined
}

/** What statistics programs write for an empty cell. */
function isBlank(text: string | undefined): text is '' | undefined {
  return !text || text === '-' || text === 'NA'
}

const MAX_DIGITS = 16

function sizeOf(text: string | undefined): number | undefined {
  if (isBlank(text)) return undefined
  const size = Number(text)
  if (text.length <= MAX_DIGITS && /^\d+$/.test(text) && Number.isSafeInteger(size)) return size
  throw badLine(`size ${quoted(text)} is not a whole number of bytes: correct it or leave it empty`)
}

/** The strongest of the given checksums; each given one must be well formed. */
function checksumOf(row: Row): Checksum | undefined {
  let strongest = isBlank(row.checksum) ? undefined : prefixed(row.checksum, row.checksumtype)
  for (const algorithm of ALGORITHMS) {
    const text = row[algorithm]
    if (isBlank(text)) continue
    const checksum = wellFormed(algorithm, text)
    if (!strongest || strength(checksum) >= strength(strongest)) strongest = checksum
  }
  return strongest
}

function strength({ algorithm }: Checksum): number {
  return ALGORITHMS.indexOf(algorithm)
}

/** Reads `MD5:9e10…`, or bare hex, whose algorithm is given by a `checksum_type` column or else by its length. */
function prefixed(text: string, type: string | undefined): Checksum {
  const colon = text.indexOf(':')
  const hex = text.slice(colon + 1).trim()
  const name =
    colon === -1 ? type || ALGORITHMS.find((known) => HEX_LENGTH[known] === hex.length) : text.slice(0, colon)
  const checksum = name ? parseChecksum(name.trim(), hex) : undefined
  if (checksum) return checksum
  throw badLine(`${quoted(text)} is not a checksum: give e.g. MD5:<32 hex digits>, with MD5, SHA-1, SHA-256 or SHA-512`)
}

function wellFormed(algorithm: Algorithm, text: string): Checksum {
  const checksum = parseChecksum(algorithm, text)
  if (checksum) return checksum
  throw badLine(`${algorithm} ${quoted(text)} is not ${HEX_LENGTH[algorithm]} hex digits: correct it or leave it empty`)
}
