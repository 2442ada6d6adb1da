import type { OpenBody } from '../model/source.ts'
import { partialExtent, wholeExtent } from './file-answer.ts'
import { header, strongEtag } from './http/headers.ts'
import { Installation, type InstallationOptions } from './installation.ts'
import { rangeOf } from './open.ts'

/**
 * Opens a URL of a host that the user named, which need not be a Dataverse, near byte `from`. It gets no credentials, and may
 * redirect as an installation may. Rejects as `OpenSource` does.
 */
export async function openUrl(
  url: string,
  from: number,
  options: Omit<InstallationOptions, 'baseUrl' | 'apiToken' | 'bearerToken'>,
  signal: AbortSignal,
): Promise<OpenBody> {
  const { origin, pathname } = new URL(url)
  const installation = new Installation({ ...options, baseUrl: origin })
  const route = { path: '', query: [], what: `${origin}${pathname}` }
  const answer = await installation.sendSigned(url, { route, signal, range: rangeOf({ from }) })
  if (answer.status !== 200 && !(answer.status === 206 && from > 0)) {
    throw await installation.failure(answer, { continuation: from > 0 })
  }
  const extent = answer.status === 206 ? partialExtent(answer, from) : wholeExtent(answer)
  return {
    ...extent,
    body: answer.body.batches(true),
    etag: strongEtag(header(answer.headers, 'etag')),
    contentType: header(answer.headers, 'content-type'),
    encoding: undefined,
    counted: false,
  }
}
