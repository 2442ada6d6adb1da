import type { Target } from '../model/entry.ts'
import type { Format } from '../model/item.ts'
import { badLine, quoted } from './bad-line.ts'
import { readPid, readVersion } from './pid.ts'
import { readId, readIds } from './reference-ids.ts'

/** What the address of a page or of an API call asks for. */
interface Asked {
  readonly target: Target
  readonly format?: Format
}

type Read = (match: readonly string[], query: URLSearchParams) => Target

/** `{id}` of an API path: a number, or `:persistentId` with the PID in the query. */
const ID = '(\\d+|:persistentId)'

/** The addresses that people copy: pages first, then API calls, by path below the base URL; see the protocol note §1 and §6. */
const ADDRESSES: readonly (readonly [RegExp, Read])[] = [
  [/^\/dataset\.xhtml$/, (_, query) => dataset(query.get('id'), query, query.get('version'))],
  [/^\/file\.xhtml$/, (_, query) => ({ kind: 'file', file: idOrPid(query.get('fileId'), query) })],
  [/^\/citation$/, (_, query) => ({ kind: 'pid', pid: pidOf(query).pid })],
  [api(`/access/datafile/bundle/${ID}`), ([id], query) => ({ kind: 'bundle', file: idOrPid(id, query) })],
  // Folders may stand before the id, for crawlers; only the last segment counts.
  [api(`/access/datafile/(?:.*/)?${ID}`), ([id], query) => ({ kind: 'file', file: idOrPid(id, query) })],
  [api('/access/datafiles/([\\d, ]+)'), ([ids = '']) => ({ kind: 'zip', files: readIds(ids) })],
  [api(`/access/dataset/${ID}(?:/versions/([^/]+))?`), ([id, v], query) => asZip(dataset(id, query, v))],
  [api(`/datasets/${ID}(?:/versions/([^/]+))?(?:/.*)?`), ([id, v], query) => dataset(id, query, v)],
  [api(`/files/${ID}(?:/.*)?`), ([id], query) => ({ kind: 'file', file: idOrPid(id, query) })],
]

function api(path: string): RegExp {
  return new RegExp(`^/api(?:/v1)?${path}/?$`)
}

/**
 * Reads an address of Dataverse.
 * @param path below the base URL
 * @param text the whole address, for messages
 */
export function readDataverseUrl(path: string, query: URLSearchParams, text: string): Asked {
  const plain = decoded(path)
  for (const [pattern, read] of ADDRESSES) {
    const match = pattern.exec(plain)
    if (!match) continue
    const format = formatOf(query)
    return { target: read(match.slice(1), query), ...(format === undefined ? {} : { format }) }
  }
  throw badLine(`${quoted(text)} is neither a dataset, a file nor an API address of one: give its PID, id or page`)
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function dataset(id: string | null | undefined, query: URLSearchParams, selector: string | null | undefined): Target {
  const numeric = id !== null && id !== undefined && /^\d+$/.test(id) ? readId(id) : undefined
  const pid = numeric === undefined ? pidOf(query) : undefined
  const version = selector ? versionOf(selector) : pid?.version
  const named = numeric ?? pid?.pid
  if (named === undefined) throw badLine('the address names no dataset: it needs persistentId=')
  return { kind: 'dataset', dataset: named, ...(version === undefined ? {} : { version }) }
}

function asZip(target: Target): Target {
  return target.kind === 'dataset' ? { ...target, kind: 'dataset-zip' } : target
}

function idOrPid(id: string | null | undefined, query: URLSearchParams): number | string {
  return id && id !== ':persistentId' ? readId(id) : pidOf(query).pid
}

function pidOf(query: URLSearchParams): { readonly pid: string; readonly version?: string } {
  const text = query.get('persistentId')
  const pid = text === null ? undefined : readPid(text)
  if (pid) return pid
  throw badLine(`the address names no PID: persistentId= is ${text === null ? 'missing' : quoted(text)}`)
}

function versionOf(text: string): string {
  const version = readVersion(text)
  if (version === undefined) throw badLine(`${quoted(text)} is no version: give e.g. 2.0, :latest or :draft`)
  return version
}

/** Parameters that ask for generated or partial content, which dataferry does not fetch in a batch. */
const GENERATED = ['variables', 'imageThumb', 'noVarHeader']

function formatOf(query: URLSearchParams): Format | undefined {
  const generated = GENERATED.find((name) => query.has(name))
  if (generated) throw badLine(`the address asks for generated content (${generated}=): a batch fetches whole files`)
  const text = query.get('format')
  return text === null ? undefined : readFormat(text)
}

/** Reads `original` or `archival`, in any case; `tab` is Dataverse's word for the archival form. Throws a bad line. */
export function readFormat(text: string): Format {
  const format = text.toLowerCase()
  if (format === 'original' || format === 'archival') return format
  if (format === 'tab') return 'archival'
  throw badLine(`format ${quoted(text)} is unknown: give original or archival`)
}
