import { hash } from 'node:crypto'
import { embargoed } from './access.ts'
import { integer } from './call.ts'
import type { Call } from './call.ts'
import type { Context } from './context.ts'
import { fileElement } from './file-json.ts'
import { failure, Refusal, unknownRoute } from './reply.ts'
import type { Reply } from './reply.ts'
import type { FileMeta, Version } from './world.ts'

const ORDERS = ['NameAZ', 'NameZA', 'Newest', 'Oldest', 'Size', 'Type'] as const
const STATUSES = ['Public', 'Restricted', 'EmbargoedThenRestricted', 'EmbargoedThenPublic', 'RetentionPeriodExpired']

interface Page {
  readonly total: number
  readonly length: number
  readonly at: (index: number) => FileMeta
}

/** `GET .../versions/{v}/files`: everything unless a page is asked for; written piece by piece. */
export function listFiles(call: Call, version: Version, context: Context): Reply {
  const page = pageOf(call, version, context)
  const head = context.features.totalCount
    ? `{"status":"OK","totalCount":${page.total},"data":[`
    : '{"status":"OK","data":['
  const chunks = inPieces(head, page, version, ']}')
  return { status: 200, headers: { 'Content-Type': 'application/json' }, body: { kind: 'stream', chunks } }
}

/** An answer that holds all files of a version at its end, such as `data.latestVersion.files`. */
export function withFiles(head: string, tail: string, version: Version): Reply {
  const page = { total: version.files.length, length: version.files.length, at: version.files.at }
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: { kind: 'stream', chunks: inPieces(head, page, version, tail) },
  }
}

const PIECE = 64 * 1024

async function* inPieces(head: string, page: Page, version: Version, tail: string): AsyncGenerator<Uint8Array> {
  let piece = head
  for (let index = 0; index < page.length; index += 1) {
    piece += (index > 0 ? ',' : '') + JSON.stringify(await fileElement(page.at(index), version))
    if (piece.length < PIECE) continue
    yield Buffer.from(piece)
    piece = ''
  }
  yield Buffer.from(piece + tail)
}

function pageOf(call: Call, version: Version, context: Context): Page {
  const limit = integer(call.query.get('limit'))
  const offset = integer(call.query.get('offset'))
  if (limit === 'bad' || offset === 'bad') throw unknownRoute(call)
  const order = call.query.get('orderCriteria') ?? 'NameAZ'
  if (!ORDERS.some((name) => name === order)) throw new Refusal(failure(400, `Invalid order criteria: ${order}`))
  const matches = filterOf(call, context)
  const plain = !context.features.paging || (order === 'NameAZ' && !matches && version.files.sorted)
  const { files } = version
  const all = plain ? files : sorted(listed(files, matches), order, context)
  const from = context.features.paging ? Math.min(offset ?? 0, all.length) : 0
  const to = context.features.paging && limit !== undefined ? Math.min(from + limit, all.length) : all.length
  return { total: all.length, length: to - from, at: (index) => all.at(from + index) }
}

function* listed(files: Version['files'], matches: ((meta: FileMeta) => boolean) | undefined): Generator<FileMeta> {
  for (let index = 0; index < files.length; index += 1) {
    const meta = files.at(index)
    if (!matches || matches(meta)) yield meta
  }
}

/** Sorts by the criterion alone: equal ones stand in an order that changes with each listing (DVFiles:303-324). */
function sorted(metas: Iterable<FileMeta>, order: string, context: Context): Omit<Page, 'total'> {
  const turn = context.settings.unstablePaging ? (context.memory.listings += 1) : 0
  const tie = (meta: FileMeta): string => hash('md5', `${turn}:${meta.file.id}`)
  const ranked = [...metas].map((meta) => ({ meta, tie: tie(meta) }))
  const compare = comparison(order)
  ranked.sort((a, b) => compare(a.meta, b.meta) || compareText(a.tie, b.tie))
  return {
    length: ranked.length,
    at: (index) => {
      const entry = ranked[index]
      if (!entry) throw new Error(`No entry ${index}.`)
      return entry.meta
    },
  }
}

function comparison(order: string): (a: FileMeta, b: FileMeta) => number {
  switch (order) {
    case 'NameZA':
      return (a, b) => compareText(b.label, a.label)
    case 'Newest':
      return (a, b) => b.file.id - a.file.id
    case 'Oldest':
      return (a, b) => a.file.id - b.file.id
    case 'Size':
      return (a, b) => a.file.stored.size - b.file.stored.size
    case 'Type':
      return (a, b) => compareText(a.file.contentType, b.file.contentType)
    default:
      return (a, b) => compareText(a.label, b.label)
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function filterOf(call: Call, context: Context): ((meta: FileMeta) => boolean) | undefined {
  const { query } = call
  const type = query.get('contentType')
  const status = query.get('accessStatus')
  const category = query.get('categoryName')
  const search = query.get('searchText')?.toLowerCase()
  if (status !== null && !STATUSES.includes(status)) throw new Refusal(failure(400, `Invalid access status: ${status}`))
  if (type === null && status === null && category === null && search === undefined) return undefined
  return (meta) =>
    (type === null || meta.file.contentType === type) &&
    (status === null || accessStatus(meta, context) === status) &&
    (category === null || meta.file.spec.categories?.includes(category) === true) &&
    (search === undefined || meta.label.toLowerCase().includes(search))
}

/** The bucket of a file; one whose embargo has ended is in none (DVFiles:147-154, 247-264). */
export function accessStatus(meta: FileMeta, context: Context): string | undefined {
  const { file } = meta
  if (embargoed(file, context)) return meta.restricted ? 'EmbargoedThenRestricted' : 'EmbargoedThenPublic'
  if (file.spec.embargo) return undefined
  return meta.restricted ? 'Restricted' : 'Public'
}
