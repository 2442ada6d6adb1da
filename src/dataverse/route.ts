import { DataferryError } from '../errors.ts'
import { parseIdentifier, type Identifier } from './identifier.ts'

/** Parameters in their order, not yet encoded. */
export type Query = readonly (readonly [name: string, value: string])[]

/** A path below `/api/`, ready to send, with its name for people. */
export interface Route {
  /** Encoded, without leading slash. */
  readonly path: string
  readonly query: Query
  /** `file 42`, for messages. */
  readonly what: string
}

/** Longest URL tail of ids that is sent by GET. @see the protocol note §8.17: servers refuse long URLs. */
const LONGEST_ID_LIST = 2000

/** `…/{id}{suffix}`, or for a PID `…/:persistentId{suffix}?persistentId=…`, since PIDs hold slashes. */
function route(prefix: string, what: string, identifier: Identifier, suffix: string): Route {
  const known = parseIdentifier(identifier)
  return known.kind === 'id'
    ? { path: `${prefix}/${known.id}${suffix}`, query: [], what: `${what} ${known.id}` }
    : { path: `${prefix}/:persistentId${suffix}`, query: [['persistentId', known.pid]], what: `${what} ${known.pid}` }
}

/** `access/datafile/{id}` and what is below it: `fileRoute(42, '/metadata/ddi')`. */
export function fileRoute(file: Identifier, suffix = ''): Route {
  return route('access/datafile', 'file', file, suffix)
}

/** A tabular file in all its forms, as one ZIP. */
export function bundleRoute(file: Identifier): Route {
  return route('access/datafile/bundle', 'the bundle of file', file, '')
}

/** A dataset as one ZIP: of the named version, or of what the server considers the caller's latest. */
export function datasetZipRoute(dataset: Identifier, version?: string): Route {
  const suffix = version === undefined ? '' : `/versions/${encodePath(version)}`
  return route('access/dataset', 'the ZIP of dataset', dataset, suffix)
}

/** `PUT access/{dataset}/allowAccessRequest` changes a dataset, though its path is beside those of files. */
export function accessRequestsRoute(dataset: Identifier): Route {
  return route('access', 'the access requests of dataset', dataset, '/allowAccessRequest')
}

/** `files/{id}` and what is below it: what the server knows about a file. */
export function fileInfoRoute(file: Identifier, suffix = ''): Route {
  return route('files', 'file', file, suffix)
}

/** `datasets/{id}` and what is below it. */
export function datasetRoute(dataset: Identifier, suffix = ''): Route {
  return route('datasets', 'dataset', dataset, suffix)
}

/** Several files as one ZIP: by GET with the ids in the path, or, when they are too long for a URL, without them. */
export interface ZipRoute extends Route {
  readonly method: 'GET' | 'POST'
  readonly ids: readonly number[]
}

/** Refuses an empty list and PIDs with `ARGUMENT_INVALID`: this endpoint takes database ids only. */
export function zipRoute(files: readonly Identifier[]): ZipRoute {
  if (files.length === 0) throw new DataferryError('ARGUMENT_INVALID', 'Name at least one file for the ZIP.')
  const ids = files.map((file) => {
    const known = parseIdentifier(file)
    if (known.kind === 'id') return known.id
    const message = `The server makes ZIPs from database ids only, and ${known.pid} is a PID: look up its id first.`
    throw new DataferryError('ARGUMENT_INVALID', message)
  })
  const list = ids.join(',')
  const what = ids.length === 1 ? `the ZIP of file ${list}` : `the ZIP of ${ids.length} files`
  return list.length > LONGEST_ID_LIST
    ? { method: 'POST', path: 'access/datafiles', query: [], what, ids }
    : { method: 'GET', path: `access/datafiles/${list}`, query: [], what, ids }
}

/** A path segment; characters that Dataverse's own names use (`:draft`, `@user`) stay readable. */
export function encodePath(segment: string): string {
  return encodeURIComponent(segment).replaceAll(/%(?:3A|40|26|2C)/g, decodeURIComponent)
}

/** `?a=1&b=2`, or nothing. The characters of PIDs stay readable. */
export function encodeQuery(query: Query): string {
  if (query.length === 0) return ''
  return `?${query.map(([name, value]) => `${encodeValue(name)}=${encodeValue(value)}`).join('&')}`
}

function encodeValue(value: string): string {
  return encodeURIComponent(value).replaceAll(/%(?:3A|2F|2C|40)/g, decodeURIComponent)
}
