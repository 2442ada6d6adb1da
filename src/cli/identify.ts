import type { LoadedConfig } from '../config/config.ts'
import { DataferryError } from '../errors.ts'
import { splitPath } from '../manifest/dataverse-url.ts'
import { isResolver } from '../manifest/pid.ts'
import { readReference, type Kind } from '../manifest/reference.ts'
import { ServerList } from '../manifest/server-list.ts'
import type { Target } from '../model/entry.ts'
import type { Format } from '../model/item.ts'
import { normalServer } from '../config/setting-values.ts'

/** What one identifier on the command line stands for, and which server has it. */
export interface Identified {
  /** Base URL. */
  readonly server: string
  readonly target: Target
  /** Only of an address with `format=`. */
  readonly format?: Format
}

/**
 * Reads a database id, a PID, or the address of a resolver, a page or an API call. An address names its server itself:
 * it counts as a `--server`, but never gets a token that was meant for another one.
 * Throws `ARGUMENT_INVALID`, or `CONFIG_INVALID` when no server is named.
 */
export function identify(text: string, kind: Kind, config: Pick<LoadedConfig, 'servers'>): Identified {
  const own = serverIn(text, new ServerList(config.servers))
  const { target, server, format } = read(text, kind, own === undefined ? config.servers : [own])
  const named = server ?? config.servers[0]
  if (named !== undefined) return { server: named, target, ...(format !== undefined && { format }) }
  throw new DataferryError('CONFIG_INVALID', `Which server has ${text}? Give it with --server or DATAVERSE_SERVER.`)
}

/** The id or PID of a file. Throws `ARGUMENT_INVALID` when the identifier stands for something else. */
export function fileOf({ target }: Identified, text: string): number | string {
  if (target.kind === 'file') return target.file
  if (target.kind === 'pid' && target.version === undefined) return target.pid
  const hint = target.kind === 'pid' ? 'a file has no versions of its own' : `it names a ${target.kind}`
  throw new DataferryError('ARGUMENT_INVALID', `${text} does not name a single file: ${hint}.`)
}

/** The id or PID of a dataset. Throws `ARGUMENT_INVALID` when the identifier stands for something else. */
export function datasetOf({ target }: Identified, text: string): number | string {
  if (target.kind === 'dataset' && target.folder !== undefined) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      `${text} names a folder of a dataset: dataferry run fetches its files.`,
    )
  }
  if (target.kind === 'dataset' || target.kind === 'dataset-zip') return target.dataset
  throw new DataferryError('ARGUMENT_INVALID', `${text} does not name a dataset: it names a ${target.kind}.`)
}

function read(text: string, kind: Kind, servers: readonly string[]): ReturnType<typeof readReference> {
  try {
    return readReference(text.trim(), kind, new ServerList(servers))
  } catch (error) {
    // What would be a bad line in a manifest is a bad argument here.
    if (!(error instanceof DataferryError) || error.code !== 'MANIFEST_INVALID') throw error
    throw new DataferryError('ARGUMENT_INVALID', error.message, { cause: error })
  }
}

/** The base URL in the address of a page or an API call; undefined for everything else, and where a known server is meant. */
function serverIn(text: string, known: ServerList): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || isResolver(url) || isKnown(url, known)) return undefined
  const base = splitPath(url.pathname)?.base
  return base === undefined ? undefined : normalServer(`${url.origin}${base}`)
}

function isKnown(url: URL, known: ServerList): boolean {
  try {
    known.locate(url)
    return true
  } catch {
    return false
  }
}
