import { DataferryError } from '../errors.ts'
import { contentEncoding } from './decode.ts'
import { header, mediaType, parseContentLength, parseContentRange } from './http/headers.ts'
import type { Answer } from './installation.ts'

/** Which bytes an answer carries. Offsets count from 0. */
export interface Extent {
  /** Offset of the first byte. */
  readonly from: number
  /** Bytes in the whole; undefined when the server does not say. */
  readonly size: number | undefined
}

/**
 * Checks that a success really carries file bytes. Returns what is wrong with it, or undefined.
 * @see the protocol note §8.4: a login or maintenance page also comes with 200. Dataverse and its stores name every file
 * in a Content-Disposition, so HTML without one is a page, unless HTML was requested.
 * @param takesEncoded the caller can tell whether bytes with an unrequested encoding are the right ones
 */
export function impostor(answer: Answer, expectedContentType?: string, takesEncoded = false): string | undefined {
  const type = mediaType(header(answer.headers, 'content-type'))
  const isPage = type === 'text/html' || type === 'application/xhtml+xml'
  if (
    isPage &&
    header(answer.headers, 'content-disposition') === undefined &&
    mediaType(expectedContentType) !== type
  ) {
    return 'sent a web page instead of'
  }
  if (takesEncoded || contentEncoding(answer) === undefined) return undefined
  return 'sent an unrequested compressed form of'
}

/** A plain success covers everything. */
export function wholeExtent(answer: Answer): Extent {
  return { from: 0, size: parseContentLength(header(answer.headers, 'content-length')) }
}

/**
 * What a 206 covers, by its Content-Range alone. Rejects with `SOURCE_UNEXPECTED` when that is missing, begins after
 * `asked`, or disagrees with the Content-Length: then it is unknown where these bytes belong.
 */
export function partialExtent(answer: Answer, asked: number): Extent {
  const range = parseContentRange(header(answer.headers, 'content-range'))
  const length = parseContentLength(header(answer.headers, 'content-length'))
  const sound = range && range.from <= asked && (length === undefined || length === range.to - range.from + 1)
  if (!sound) {
    const message = `${answer.host} sent a part of ${answer.what} without saying which (a wrong or missing Content-Range).`
    throw new DataferryError('SOURCE_UNEXPECTED', message, { status: answer.status })
  }
  return { from: range.from, size: range.size }
}

/**
 * What a 200 to a request with a range covers. By RFC 9110 the whole, but Dataverse 5.9–5.11 sends the requested part
 * with 200 and no Content-Range (IQSS/dataverse#8726). A length equal to the known whole settles it. Otherwise `probe`
 * requests only the first byte: a server that answers 200 with one byte honours ranges silently, one that answers 200
 * with more ignores them. Anything else proves nothing and rejects with `SOURCE_UNEXPECTED`.
 */
export async function silentExtent(
  answer: Answer,
  asked: number,
  expectedSize: number | undefined,
  probe: () => Promise<Answer>,
): Promise<Extent> {
  const length = parseContentLength(header(answer.headers, 'content-length'))
  if (length !== undefined && length === expectedSize) return { from: 0, size: length }
  const first = await probe()
  const bytes = await first.body.beginning(2)
  if (first.status === 200 && bytes.length === 1) {
    return { from: asked, size: length === undefined ? undefined : asked + length }
  }
  if (first.status === 200 && bytes.length === 2) return { from: 0, size: length }
  const message = `${answer.host} answers range requests for ${answer.what} inconsistently.`
  throw new DataferryError('SOURCE_UNEXPECTED', message, { status: first.status })
}
