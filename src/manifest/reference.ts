import type { Target } from '../model/entry.ts'
import type { Format } from '../model/item.ts'
import { badLine, quoted } from './bad-line.ts'
import { readDataverseUrl } from './dataverse-url.ts'
import { isResolver, readPid, readResolverUrl, type Pid } from './pid.ts'
import { readId, readIds } from './reference-ids.ts'
import { readAddress, type ServerList } from './server-list.ts'

/** What a reference stands for, as far as its column or a `kind` says; `any`: a number is a file, a PID is either. */
export const KINDS = ['any', 'file', 'dataset', 'zip', 'dataset-zip', 'bundle'] as const
export type Kind = (typeof KINDS)[number]

/** A reference, read. */
export interface Reference {
  readonly target: Target
  /** Only of a URL. */
  readonly server?: string
  /** Only of a URL with `format=`. */
  readonly format?: Format
}

/** Reads an id, a PID, or the address of a page, an API call or a resolver. Throws a bad line. */
export function readReference(text: string, kind: Kind, servers: ServerList): Reference {
  if (kind === 'zip' && !text.includes('://')) return { target: { kind: 'zip', files: readIds(text) } }
  if (/^\d+$/.test(text)) return { target: numbered(readId(text), kind) }
  if (text.includes('://')) return readUrl(text, kind, servers)
  const pid = readPid(text)
  if (!pid) throw badLine(`${quoted(text)} is no file id, PID or URL: give e.g. 42 or doi:10.5072/FK2/ABC`)
  return { target: asKind(pidTarget(pid), kind, text) }
}

function readUrl(text: string, kind: Kind, servers: ServerList): Reference {
  const url = readAddress(text)
  if (isResolver(url)) {
    const pid = readResolverUrl(url)
    if (!pid) throw badLine(`${quoted(text)} names no DOI or handle: give the whole address`)
    return { target: asKind(pidTarget(pid), kind, text) }
  }
  const { server, path } = servers.locate(url)
  const { target, format } = readDataverseUrl(path, url.searchParams, text)
  return { target: asKind(target, kind, text), server, ...(format === undefined ? {} : { format }) }
}

/** Whether a cell is itself a reference, so that its row is no header. */
export function looksLikeReference(text: string): boolean {
  return /^\d+$/.test(text) || /^https?:\/\//i.test(text) || readPid(text) !== undefined
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
    case 'any':
    case 'file':
      return { kind: 'file', file: id }
  }
}

/** Makes of a target what its column or `kind` says that it is. Throws a bad line when it cannot be that. */
function asKind(target: Target, kind: Kind, text: string): Target {
  if (kind === 'any' || kind === target.kind) return target
  const dataset = target.kind === 'dataset' ? target.dataset : target.kind === 'pid' ? target.pid : undefined
  if ((kind === 'dataset' || kind === 'dataset-zip') && dataset !== undefined) {
    return { kind, dataset, ...('version' in target ? { version: target.version } : {}) }
  }
  const file = target.kind === 'file' ? target.file : target.kind === 'pid' ? target.pid : undefined
  if ((kind === 'file' || kind === 'bundle') && file !== undefined) return { kind, file }
  if (kind === 'zip' && typeof file === 'number') return { kind, files: [file] }
  throw badLine(`${quoted(text)} is a ${target.kind}, but its column or kind says ${kind}: make them agree`)
}
