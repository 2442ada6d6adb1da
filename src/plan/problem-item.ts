import type { DataferryError } from '../errors.ts'
import type { Target } from '../model/entry.ts'
import type { Format, Item, Ref } from '../model/item.ts'
import { wantedAs, type Context, type Draft } from './file-item.ts'
import { ownPromises } from './promises.ts'

/** An entry that the server refuses, as an item that fails without another request. */
export function problemDraft({ entry, server, line, format }: Context, error: DataferryError): Draft {
  const { target, path } = entry
  const id = idOf(target)
  const asked = askedOf(target, id, server)
  const name = id.slice(0, MAX_NAME).replaceAll(/[:/]+/g, '-')
  return {
    server,
    line,
    ref: problemRef(target, id, entry.format ?? format),
    wanted: path === undefined ? { directory: '', name } : wantedAs(path, name),
    expect: ownPromises(entry),
    problem: {
      code: error.code,
      message: error.message,
      asked: { ...asked, ...(path !== undefined && { path }) },
    },
  }
}

/** Longest placeholder for a name, in characters. */
const MAX_NAME = 200

type Asked = NonNullable<NonNullable<Item['problem']>['asked']>

function askedOf(target: Target, id: string, server: string): Asked {
  const kind = target.kind === 'pid' ? 'any' : target.kind
  // There is no column for a folder: only a URL can name one.
  if (target.kind === 'dataset' && target.folder !== undefined) return { kind, id: folderAddress(target, server) }
  return { kind, id, ...('version' in target && { version: target.version }) }
}

function folderAddress(
  { dataset, version, folder }: Extract<Target, { readonly kind: 'dataset' }>,
  server: string,
): string {
  const query = new URLSearchParams({
    ...(typeof dataset === 'string' && { persistentId: dataset }),
    ...(version !== undefined && { version }),
    ...(folder !== undefined && { folder }),
  })
  const id = typeof dataset === 'string' ? ':persistentId' : String(dataset)
  return `${server}/api/datasets/${id}/dirindex?${query.toString()}`
}

/** What a target names, as one text. */
export function idOf(target: Target): string {
  switch (target.kind) {
    case 'file':
    case 'bundle':
      return String(target.file)
    case 'pid':
      return target.pid
    case 'zip':
      return target.files.join(' ')
    case 'dataset':
    case 'dataset-zip':
      return String(target.dataset)
    case 'collection':
      return String(target.collection)
  }
}

/** The closest match: a dataset, and a PID that may name one, have no `Ref` of their own. */
function problemRef(target: Target, id: string, format: Format): Ref {
  switch (target.kind) {
    case 'file':
      return { kind: 'file', file: target.file, format }
    case 'bundle':
      return { kind: 'all-forms', file: target.file }
    case 'zip':
      return { kind: 'zip', files: [...target.files], format }
    case 'dataset':
    case 'dataset-zip':
    case 'pid':
      return { kind: 'dataset-zip', dataset: id, version: target.version ?? ':latest', format }
    case 'collection':
      return { kind: 'dataset-zip', dataset: id, version: ':latest', format }
  }
}
