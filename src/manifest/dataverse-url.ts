import type { Target } from '../model/entry.ts'
import type { Format } from '../model/item.ts'
import { checkParameters } from './address-parameters.ts'
import { badLine, quoted } from './bad-line.ts'
import { readPid, readVersion } from './pid.ts'
import { readId, readIds } from './reference-ids.ts'

/** What the URL of a page or of an API call asks for. */
interface Asked {
  readonly target: Target
  readonly format?: Format
}

type Read = (match: readonly (string | undefined)[], query: URLSearchParams) => Target

/** One kind of URL. */
interface Address {
  /** As the documentation shows it. */
  readonly example: string
  /** Of the path below the base URL; its groups go to `read`. */
  readonly path: RegExp
  /** Supported parameters. Others are refused by name, unless they are harmless. */
  readonly obeys: readonly string[]
  readonly read: Read
  /** It names nothing that can be fetched; `read` says so. */
  readonly refused?: true
}

/** `{id}` of an API path: a number, or `:persistentId` with the PID in the query. */
const ID = '(\\d+|:persistentId)'
/** What may follow a version in an API URL, all of it about the same files. */
const OF_VERSION = '(?:/(?:files(?:/counts)?|metadata|citation|downloadsize|canDownloadAtLeastOneFile))?'
const FORMS = ['format', 'variables', 'imageThumb', 'noVarHeader']

/**
 * The URLs that people copy: pages first, then API calls.
 * @see the protocol note §1 and §6; dataset.xhtml, file.xhtml and api/*.java of IQSS/dataverse for pages and paths, and
 * sections/Route.enum.ts of IQSS/dataverse-frontend for the pages below /spa.
 */
export const ADDRESSES: readonly Address[] = [
  {
    example: '/dataset.xhtml?persistentId=doi:10.5072/FK2/ABC&version=2.0',
    path: /^\/dataset\.xhtml$/,
    obeys: ['id', 'persistentId', 'version'],
    read: (_, query) => dataset(query.get('id'), query, query.get('version')),
  },
  {
    example: '/file.xhtml?fileId=42&version=2.0',
    path: /^\/file\.xhtml$/,
    obeys: ['fileId', 'persistentId', 'version'],
    read: (_, query) => file(query.get('fileId'), query, query.get('version')),
  },
  {
    example: '/citation?persistentId=doi:10.5072/FK2/ABC',
    path: /^\/citation$/,
    obeys: ['persistentId'],
    read: (_, query) => ({ kind: 'pid', ...pidOf(query) }),
  },
  {
    example: '/dataverse/climate',
    path: /^\/dataverse\/([\w-]+)\/?$/,
    obeys: [],
    read: ([alias = '']) => collection(alias),
  },
  {
    example: '/api/dataverses/climate/contents',
    path: api('/dataverses/(:root|[\\w-]+)(?:/contents)?'),
    obeys: [],
    read: ([alias = '']) => collection(alias),
  },
  {
    example: '/spa/datasets?persistentId=doi:10.5072/FK2/ABC&version=2.0',
    path: /^\/(?:spa|modern)\/datasets\/?$/,
    obeys: ['persistentId', 'version'],
    read: (_, query) => dataset(undefined, query, query.get('version')),
  },
  {
    example: '/spa/files?id=42&datasetVersion=2.0',
    path: /^\/(?:spa|modern)\/files\/?$/,
    obeys: ['id', 'datasetVersion'],
    read: (_, query) => file(query.get('id') ?? '', query, query.get('datasetVersion')),
  },
  {
    example: '/api/access/datafile/bundle/42',
    path: api(`/access/datafile/bundle/${ID}`),
    obeys: ['persistentId'],
    read: ([id], query) => ({ kind: 'bundle', file: idOrPid(id, query) }),
  },
  {
    // Such a URL ends in a number or a word that is not a file id.
    example: '/api/access/datafile/42/auxiliary/dpJson/1',
    refused: true,
    path: api('/access/datafile/[^/]+/((?:auxiliary|citation)(?:/[^/]+){0,2}|metadata(?:/ddi)?)'),
    obeys: [],
    read: ([what = '']) => {
      throw badLine(`the URL asks for ${quoted(what)} of a file: give …/api/access/datafile/42 for the file itself`)
    },
  },
  {
    // Folders may precede the id, for crawlers; only the last segment counts.
    example: '/api/access/datafile/42?format=original',
    path: api(`/access/datafile/(?:.*/)?${ID}`),
    obeys: ['persistentId', ...FORMS],
    read: ([id], query) => ({ kind: 'file', file: idOrPid(id, query) }),
  },
  {
    example: '/api/access/datafiles/104,105',
    path: api('/access/datafiles/([\\d, ]+)'),
    obeys: FORMS,
    read: ([ids = '']) => ({ kind: 'zip', files: readIds(ids) }),
  },
  {
    example: '/api/access/dataset/24/versions/2.0',
    path: api(`/access/dataset/${ID}(?:/versions/([^/]+))?`),
    obeys: ['persistentId', ...FORMS],
    read: ([id, version], query) => ({ ...dataset(id, query, version), kind: 'dataset-zip' }),
  },
  {
    example: '/api/datasets/export?exporter=ddi&persistentId=doi:10.5072/FK2/ABC',
    path: api('/datasets/export'),
    obeys: ['persistentId', 'version'],
    read: (_, query) => dataset(undefined, query, query.get('version') ?? ':latest-published'),
  },
  {
    example: '/api/datasets/:persistentId/dirindex?persistentId=doi:10.5072/FK2/ABC&version=2.0&folder=raw',
    path: api(`/datasets/${ID}/dirindex`),
    obeys: ['persistentId', 'version', 'folder', 'original'],
    read: ([id], query) =>
      inFolder(dataset(id, query, query.get('version') ?? ':latest-published'), query.get('folder')),
  },
  {
    example: '/api/datasets/24/versions/2.0/files',
    path: api(`/datasets/${ID}(?:/versions/([^/]+)${OF_VERSION})?`),
    obeys: ['persistentId'],
    read: ([id, version], query) => dataset(id, query, version),
  },
  {
    example: '/api/files/42/versions/2.0',
    path: api(`/files/${ID}(?:/versions/([^/]+))?(?:/[A-Za-z]+)?`),
    obeys: ['persistentId'],
    read: ([id, version], query) => file(id, query, version),
  },
]

function api(path: string): RegExp {
  return new RegExp(`^/api(?:/v1)?${path}/?$`)
}

/**
 * Reads a URL of Dataverse. Throws a bad line for any other, and for a parameter that is neither supported nor harmless.
 * @param path below the base URL
 * @param text the whole URL, for messages
 */
export function readDataverseUrl(path: string, query: URLSearchParams, text: string): Asked {
  const plain = withoutPathParameters(decoded(path))
  for (const { path: pattern, obeys, read } of ADDRESSES) {
    const match = pattern.exec(plain)
    if (!match) continue
    checkParameters(query, obeys)
    const target = read(match.slice(1), query)
    const format = formatOf(query)
    return { target, ...(format === undefined ? {} : { format }) }
  }
  throw badLine(
    `${quoted(text)} is not the URL of a dataset, a file or an API call about one: give its PID, id or page`,
  )
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** `/dataset.xhtml;jsessionid=…` → `/dataset.xhtml`: a server puts the session there for browsers without cookies. */
function withoutPathParameters(path: string): string {
  return path.replaceAll(/;[^/]*/g, '')
}

/** The base URL's path and what follows it, in a URL whose server is not known yet; undefined: not one of Dataverse's. */
export function splitPath(path: string): { readonly base: string; readonly below: string } | undefined {
  const match = /^(.*?)(\/(?:(?:(?:dataset|file)\.xhtml|citation)(?![\w.-])|(?:dataverse|spa|modern|api)\/).*)$/s.exec(
    path,
  )
  return match ? { base: match[1] ?? '', below: match[2] ?? '' } : undefined
}

type Dataset = Extract<Target, { readonly kind: 'dataset' }>

function dataset(id: string | null | undefined, query: URLSearchParams, selector: string | null | undefined): Dataset {
  const numeric = id && /^\d+$/.test(id) ? readId(id) : undefined
  const pid = numeric === undefined ? pidOf(query) : undefined
  const version = selector ? versionOf(selector) : pid?.version
  const named = numeric ?? pid?.pid
  if (named === undefined) throw badLine('the URL names no dataset: it needs persistentId=')
  return { kind: 'dataset', dataset: named, ...(version === undefined ? {} : { version }) }
}

function file(id: string | null | undefined, query: URLSearchParams, selector: string | null | undefined): Target {
  const version = selector ? versionOf(selector) : undefined
  return { kind: 'file', file: idOrPid(id, query), ...(version === undefined ? {} : { version }) }
}

function collection(alias: string): Target {
  return { kind: 'collection', collection: /^\d+$/.test(alias) ? readId(alias) : alias }
}

function inFolder(target: Dataset, text: string | null): Target {
  const folder = (text ?? '').split('/').filter((part) => part !== '')
  return folder.length === 0 ? target : { ...target, folder: folder.join('/') }
}

function idOrPid(id: string | null | undefined, query: URLSearchParams): number | string {
  return id && id !== ':persistentId' ? readId(id) : pidOf(query).pid
}

function pidOf(query: URLSearchParams): { readonly pid: string; readonly version?: string } {
  const text = query.get('persistentId')
  const pid = text === null ? undefined : readPid(text)
  if (pid) return pid
  throw badLine(`the URL names no PID: persistentId= is ${text === null ? 'missing' : quoted(text)}`)
}

function versionOf(text: string): string {
  const version = readVersion(text)
  if (version === undefined) throw badLine(`${quoted(text)} is not a version: give e.g. 2.0, :latest or :draft`)
  return version
}

/** Parameters that ask for generated or partial content, which dataferry does not fetch in a batch. */
export const GENERATED: readonly string[] = ['variables', 'imageThumb', 'noVarHeader']

function formatOf(query: URLSearchParams): Format | undefined {
  const generated = GENERATED.find((name) => query.has(name))
  if (generated) throw badLine(`the URL asks for generated content (${generated}=): a batch fetches whole files`)
  if (query.get('original') === 'true') return 'original'
  const text = query.get('format')
  return text ? readFormat(text) : undefined
}

/** Reads `original` or `archival`, in any case; `tab` is Dataverse's word for the archival form. Throws a bad line. */
export function readFormat(text: string): Format {
  const format = text.toLowerCase()
  if (format === 'original' || format === 'archival') return format
  if (format === 'tab') return 'archival'
  throw badLine(`format ${quoted(text)} is unknown: give original or archival`)
}
