import type { Target } from '../model/entry.ts'
import type { Format } from '../model/item.ts'
import { badLine, quoted } from './bad-line.ts'
import { readDataverseUrl, splitPath } from './dataverse-url.ts'
import { isBareResolver, isResolver, readPid, readResolverUrl, type Pid } from './pid.ts'
import { readId, readIds } from './reference-ids.ts'
import { readAddress, type ServerList } from './server-list.ts'
import { clean, MAX_WORD } from './text.ts'

/** What a reference stands for, as far as its column or `kind` says; `any`: a number is a file, a PID is either. */
export const KINDS = ['any', 'file', 'dataset', 'zip', 'dataset-zip', 'bundle', 'collection'] as const
export type Kind = (typeof KINDS)[number]

/** A reference, read. */
export interface Reference {
  readonly target: Target
  /** Only of a URL. */
  readonly server?: string
  /** Only of a URL with `format=`. */
  readonly format?: Format
}

/** A collection's alias. @see Dataverse.java of IQSS/dataverse: letters, digits, `-` and `_`, and not digits alone */
const ALIAS = /^(?::root|[\w-]{1,60})$/

/**
 * Reads an id, a PID, or the URL of a page, an API call or a resolver. Ignores invisible characters that come along when
 * something is copied from a page. Throws a bad line.
 */
export function readReference(text: string, kind: Kind, servers: ServerList): Reference {
  if (kind === 'zip' && !text.includes('://')) return { target: { kind: 'zip', files: readIds(text) } }
  if (text.length > MAX_WORD) throw badLine(`${quoted(text)} is longer than any id, PID or URL`)
  const reference = clean(text)
  if (/^\d+$/.test(reference)) return { target: numbered(readId(reference), kind) }
  if (kind === 'collection' && ALIAS.test(reference)) return { target: { kind, collection: reference } }
  if (reference.includes('://')) return readUrl(reference, kind, servers)
  if (isBareResolver(reference) || servers.begins(reference)) return readUrl(`https://${reference}`, kind, servers)
  const pid = readPid(reference)
  if (!pid) throw badLine(`${quoted(reference)} is not a file id, PID or URL: give e.g. 42 or doi:10.5072/FK2/ABC`)
  return { target: asKind(pidTarget(pid), kind, reference) }
}

function readUrl(text: string, kind: Kind, servers: ServerList): Reference {
  const url = readAddress(unescaped(text))
  if (isResolver(url)) {
    const pid = readResolverUrl(url)
    if (!pid) throw badLine(`${quoted(text)} names no DOI or handle: give the whole URL`)
    return { target: asKind(pidTarget(pid), kind, text) }
  }
  const { server, path } = servers.locate(url)
  const { target, format } = readDataverseUrl(path, url.searchParams, text)
  return { target: asKind(target, kind, text), server, ...(format === undefined ? {} : { format }) }
}

/** A URL copied from the source of a page. */
function unescaped(address: string): string {
  return address.replaceAll(/&(?:amp|#38|#x26);/gi, '&')
}

/** Whether a cell is itself a reference, so that its row is no header. */
export function looksLikeReference(text: string): boolean {
  if (text.length > MAX_WORD) return false
  const reference = clean(text)
  return (
    /^\d+$/.test(reference) ||
    /^https?:\/\//i.test(reference) ||
    isBareResolver(reference) ||
    readPid(reference) !== undefined
  )
}

/**
 * Whether a whole text is one Dataverse URL, on any server, although it contains a table delimiter. One
 * in the first line makes the manifest a list.
 */
export function isOneAddress(text: string): boolean {
  if (text.length > MAX_WORD || !/^https?:\/\/[^\s"]+$/i.test(text) || !URL.canParse(text)) return false
  const url = new URL(unescaped(text))
  const below = splitPath(url.pathname)?.below
  // A comma in a PID is more likely the next cell of a row.
  if (below === undefined || /[,;]/.test(url.search)) return false
  try {
    readDataverseUrl(below, url.searchParams, text)
    return true
  } catch {
    return false
  }
}

function pidTarget({ pid, version }: Pid): Target {
  return { kind: 'pid', pid, ...(version === undefined ? {} : { version }) }
}

function numbered(id: number, kind: Kind): Target {
  switch (kind) {
    case 'dataset':
    case 'dataset-zip':
      return { kind, dataset: id }
    case 'bundle':
      return { kind, file: id }
    case 'zip':
      return { kind, files: [id] }
    case 'collection':
      return { kind, collection: id }
    case 'any':
    case 'file':
      return { kind: 'file', file: id }
  }
}

/** Turns a target into what its column or `kind` says it is. Throws a bad line when it cannot be that. */
function asKind(target: Target, kind: Kind, text: string): Target {
  if (kind === 'any' || kind === target.kind) return target
  if (target.kind === 'dataset' && target.folder !== undefined) {
    throw badLine(`${quoted(text)} names a folder, which is not a ${kind}: use kind dataset`)
  }
  const version = 'version' in target ? { version: target.version } : {}
  const dataset = target.kind === 'dataset' ? target.dataset : target.kind === 'pid' ? target.pid : undefined
  if ((kind === 'dataset' || kind === 'dataset-zip') && dataset !== undefined) return { kind, dataset, ...version }
  const file = target.kind === 'file' ? target.file : target.kind === 'pid' ? target.pid : undefined
  if (kind === 'file' && file !== undefined) return { kind, file, ...version }
  if ('version' in target)
    throw badLine(`${quoted(text)} names a version, which a ${kind} does not have: remove one of them`)
  if (kind === 'bundle' && file !== undefined) return { kind, file }
  if (kind === 'zip' && typeof file === 'number') return { kind, files: [file] }
  throw badLine(`${quoted(text)} is a ${target.kind}, but its column or kind says ${kind}: make them agree`)
}
