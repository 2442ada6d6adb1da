import { DataferryError } from '../errors.ts'
import type { AnsweredGuestbook } from '../model/guestbook.ts'
import type { Ref } from '../model/item.ts'
import { afterCounting, type OpenBody, type OpenOptions, type StoreLink } from '../model/source.ts'
import { contentEncoding, decodedBody } from './decode.ts'
import { impostor, partialExtent, silentExtent, wholeExtent, type Extent } from './file-answer.ts'
import { header, strongEtag } from './http/headers.ts'
import type { Answer, ApiRequest, Installation } from './installation.ts'
import { bundleRoute, datasetZipRoute, fileRoute, zipRoute, type Query } from './route.ts'

/** An answer that carries file bytes, and which. */
export interface Opened extends Extent {
  readonly answer: Answer
  /** A guestbook was answered for it, now or before. */
  readonly answered?: AnsweredGuestbook
}

/** A call for file bytes, and which of them. */
export interface FileRequest extends ApiRequest {
  /** First byte wanted; 0 asks for everything. */
  readonly from: number
  /** Last byte wanted, inclusive; the rest of the file when left out. */
  readonly to?: number | undefined
  /** The caller knows that `from` lies within the file, so a refused range means that the file changed. */
  readonly continuation: boolean
  readonly expectedSize?: number | undefined
  readonly expectedContentType?: string | undefined
  /** As in `OpenOptions`. */
  readonly encoded?: OpenOptions['encoded']
  readonly link?: OpenOptions['link']
}

/** Bytes from which on the reading of a body is worth a connection of its own. */
const LARGE = 64 << 20

/** Where links lead. Outside they are objects without content, so that no log or record can hold one. */
const links = new WeakMap<StoreLink, string>()

/** Opens a request for file bytes; `openFile` is the plain way. */
type OpenRequest = (request: FileRequest) => Promise<Opened>

/**
 * `OpenSource` for one installation: see the contract in `model/source.ts`.
 * @param opening how the request is sent; default: as it is
 */
export async function openRef(
  installation: Installation,
  ref: Ref,
  from: number,
  options: OpenOptions,
  opening: OpenRequest = (request) => openFile(installation, request),
): Promise<OpenBody> {
  const { answer, answered, ...extent } = await opening({
    ...requestFor(ref, options),
    // The server makes a new ZIP for each request, so it has no ranges. Nor have decoded bytes.
    from: ref.kind === 'file' && options.encoded !== 'decoded' ? from : 0,
    to: options.to === undefined ? undefined : options.to - 1,
    link: options.link,
    large: ref.kind === 'file' && options.to === undefined && (options.expectedSize ?? 0) - from > LARGE,
    continuation: true,
    signal: options.signal,
    expectedSize: options.expectedSize,
    expectedContentType: options.expectedContentType,
    encoded: options.encoded,
  })
  const encoding = contentEncoding(answer)
  const decodes = encoding !== undefined && options.encoded === 'decoded'
  // A part that came without a Content-Range says nothing of the whole by its length.
  const isSilent = answer.status === 200 && extent.from > 0 && options.to !== undefined
  return {
    from: extent.from,
    size: decodes || isSilent ? undefined : extent.size,
    body: decodes
      ? decodedBody(answer, encoding)
      : answer.body.batches(options.continuable === true || options.spare === true),
    encoding: decodes ? undefined : encoding,
    etag: strongEtag(header(answer.headers, 'etag')),
    contentType: header(answer.headers, 'content-type'),
    // The record of the answer is that of the download.
    counted: answer.stored || answered !== undefined,
    link: options.link ?? linkOf(answer),
    ...(answered && { answered }),
  }
}

function linkOf({ stored, handedTo }: Answer): StoreLink | undefined {
  if (!stored || handedTo === undefined) return undefined
  const link = Object.freeze({})
  links.set(link, handedTo)
  return link
}

/** Sends a request for file bytes and determines which bytes came. Anything else is an error and never data. */
export async function openFile(installation: Installation, request: FileRequest): Promise<Opened> {
  const link = request.link && links.get(request.link)
  const asked = { ...request, range: rangeOf(request) }
  const answer = link === undefined ? installation.send(asked) : installation.sendStored(link, asked)
  const come = await answer
  return openedFrom(installation, come, request).catch((error: unknown) => {
    throw come.stored ? afterCounting(error) : error
  })
}

/** The `Range` that a request for a part sends. */
export function rangeOf({ from, to }: Pick<FileRequest, 'from' | 'to'>): string | undefined {
  return from > 0 || to !== undefined ? `bytes=${from}-${to ?? ''}` : undefined
}

/** Judges an answer to `request`, as `openFile` does. */
export async function openedFrom(installation: Installation, answer: Answer, request: FileRequest): Promise<Opened> {
  const ranged = request.from > 0 || request.to !== undefined
  if (answer.status !== 200 && !(answer.status === 206 && ranged)) {
    throw await installation.failure(answer, { continuation: request.continuation && ranged })
  }
  try {
    const wrong = impostor(answer, request.expectedContentType, request.encoded !== undefined)
    if (wrong) throw new DataferryError('SOURCE_UNEXPECTED', `${answer.host} ${wrong} ${answer.what}.`, { status: 200 })
    return { answer, ...(await extentOf(installation, answer, request, ranged)) }
  } catch (error) {
    answer.body.close()
    throw error
  }
}

async function extentOf(
  installation: Installation,
  answer: Answer,
  request: FileRequest,
  ranged: boolean,
): Promise<Extent> {
  if (!ranged) return wholeExtent(answer)
  if (answer.status === 206) return partialExtent(answer, request.from)
  const probe = () => installation.send({ ...request, query: uncountedQuery(request), range: 'bytes=0-0' })
  return silentExtent(answer, request.from, request.expectedSize, probe)
}

/** Keeps a request out of the server's download counts. @see the protocol note §1.1, `gbrecs` */
export const UNCOUNTED = ['gbrecs', 'true'] as const

/** The query of a request, without what keeps it out of the count. */
export function countedQuery({ query = [] }: Pick<ApiRequest, 'query'>): Query {
  return query.filter(([name]) => name !== UNCOUNTED[0])
}

/** The query of a request, kept out of the count. */
export function uncountedQuery(request: Pick<ApiRequest, 'query'>): Query {
  return [...countedQuery(request), UNCOUNTED]
}

function requestFor(
  ref: Ref,
  { count, headerless }: OpenOptions,
): Pick<ApiRequest, 'route' | 'method' | 'query' | 'body'> {
  const counting: Query = count ? [] : [UNCOUNTED]
  const format: Query = ref.kind !== 'all-forms' && ref.format === 'original' ? [['format', 'original']] : []
  switch (ref.kind) {
    case 'file':
      // Of `format` and `noVarHeader` the server applies only one.
      return { route: fileRoute(ref.file), query: [...(headerless ? HEADERLESS : format), ...counting] }
    case 'zip':
      return { ...zipRequest(ref.files), query: [...format, ...counting] }
    case 'dataset-zip':
      return { route: datasetZipRoute(ref.dataset, ref.version), query: [...format, ...counting] }
    case 'all-forms':
      return { route: bundleRoute(ref.file), query: counting }
  }
}

const HEADERLESS: Query = [['noVarHeader', 'true']]

/** A ZIP of files. The POST form is for lists too long for a URL; since 6.10 every file must be allowed. */
export function zipRequest(files: readonly (number | string)[]): Pick<ApiRequest, 'route' | 'method' | 'body'> {
  const { method, ids, ...route } = zipRoute(files)
  if (method === 'GET') return { route, method }
  // Anything but text/plain is refused with 415.
  return { route, method, body: { text: `fileIds=${ids.join(',')}`, type: 'text/plain' } }
}
