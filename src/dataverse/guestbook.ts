import { z } from 'zod'
import type { GuestbookResponse } from '../model/guestbook.ts'
import { parseEnvelope } from './envelope.ts'
import type { ApiRequest, Installation } from './installation.ts'
import { checkData } from './json-call.ts'

/**
 * How a route takes the answers by POST: most return a signed URL that is valid for a minute, the bundle and the list of
 * ids in a body return the file directly.
 */
export type Handshake = 'signed-url' | 'direct'

const signedSchema = z.looseObject({ signedUrl: z.url({ protocol: /^https?$/ }) })

/** Answers the guestbook. Resolves to a URL that anybody can open by GET within a minute: a secret. */
export async function signedUrl(
  installation: Installation,
  request: ApiRequest,
  response: GuestbookResponse,
): Promise<string> {
  const answer = await installation.send({ ...request, range: undefined, ...responseBody(request, response) })
  if (answer.status !== 200) throw await installation.failure(answer)
  const envelope = parseEnvelope((await answer.body.bytes(64 * 1024)).toString('utf8'))
  return checkData(envelope?.data, signedSchema, answer.host, answer.what).signedUrl
}

/** How a request carries the answers: in a list of ids' own body, else alone. */
export function responseBody(
  request: ApiRequest,
  guestbookResponse: GuestbookResponse,
): Pick<ApiRequest, 'method' | 'body'> {
  const fileIds = request.body && /^fileIds=([\d,]+)$/.exec(request.body.text)?.[1]?.split(',').map(Number)
  return fileIds
    ? { method: 'POST', body: { text: JSON.stringify({ fileIds, guestbookResponse }), type: 'text/plain' } }
    : { method: 'POST', body: { text: JSON.stringify({ guestbookResponse }), type: 'application/json' } }
}
