import { DataferryError } from '../errors.ts'
import { impostor } from './file-answer.ts'
import type { GuestbookResponse, Respond } from '../model/guestbook.ts'
import { signedUrl } from './guestbook.ts'
import type { Guestbooks } from './guestbooks.ts'
import type { Answer, ApiRequest, Installation } from './installation.ts'
import { countedQuery, uncountedQuery } from './open.ts'

/**
 * A URL to fetch the file from: where the server redirects to, a signed URL after a guestbook, or else the API's own URL
 * with its options. No bytes of the file are read: the connection is closed when the answer is known.
 *
 * The server counts a download when it issues a redirect, but on its own URL only when that is opened. So the first
 * request is kept out of the count, and a counted redirect is requested again.
 */
export async function downloadUrl(
  installation: Installation,
  guestbooks: Guestbooks,
  request: ApiRequest,
  count: boolean,
  answers: GuestbookResponse | Respond | undefined,
): Promise<string> {
  const first = await locate(installation, { ...request, query: uncountedQuery(request) })
  if (first instanceof DataferryError) {
    if (first.code !== 'SOURCE_GUESTBOOK') throw first
    return signedUrl(installation, request, await guestbooks.responseTo(first, answers, request.signal))
  }
  if (first === undefined) return installation.url(request.route, request.query)
  if (!count) return first
  const query = countedQuery(request)
  const counted = await locate(installation, { ...request, query })
  if (counted instanceof DataferryError) throw counted
  return counted ?? installation.url(request.route, query)
}

/** Where the redirect leads; undefined when the installation sends the file itself; the error when it does not. */
async function locate(installation: Installation, request: ApiRequest): Promise<string | undefined | DataferryError> {
  const answer: Answer = await installation.send(request, true)
  if (answer.handedTo !== undefined) {
    await answer.body.beginning(0)
    return answer.handedTo
  }
  if (answer.status !== 200) return installation.failure(answer)
  answer.body.close()
  const wrong = impostor(answer)
  return wrong ? new DataferryError('SOURCE_UNEXPECTED', `${answer.host} ${wrong} ${answer.what}.`) : undefined
}
