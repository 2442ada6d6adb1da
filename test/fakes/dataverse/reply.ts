import type { Content } from './content.ts'
import type { Features } from './profile.ts'
import type { Call } from './call.ts'

/** What a route answers. Faults change it before it is sent. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
  /** Ids of the files whose download the server counts with this answer. */
  readonly counted?: readonly number[]
}

export type Body =
  /** `pieces`: the same as it was made, where faults want to know. */
  | { readonly kind: 'bytes'; readonly data: Uint8Array; readonly pieces?: readonly Uint8Array[] }
  /** Bytes `from` … `to` − 1 of a content. */
  | { readonly kind: 'part'; readonly content: Content; readonly from: number; readonly to: number }
  /** Length unknown: sent in chunks. An error in it ends the message cleanly, as the real server does (note §2.10). */
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array> }

export const EMPTY: Body = { kind: 'bytes', data: new Uint8Array(0) }

/** Ends a route early with an answer. */
export class Refusal extends Error {
  readonly reply: Reply

  constructor(reply: Reply) {
    super(`${reply.status}`)
    this.reply = reply
  }
}

const JSON_TYPE = { 'Content-Type': 'application/json' }

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = JSON_TYPE): Reply {
  return { status, headers, body: { kind: 'bytes', data: Buffer.from(JSON.stringify(value)) } }
}

export function text(status: number, type: string, content: string): Reply {
  return { status, headers: { 'Content-Type': type }, body: { kind: 'bytes', data: Buffer.from(content) } }
}

/** Envelopes 1 and 2 of the note §0.1. */
export function ok(data: unknown, totalCount?: number): Reply {
  return json(200, totalCount === undefined ? { status: 'OK', data } : { status: 'OK', totalCount, data })
}

/** Envelope 3: a text result, nested as `data.message` or, by a server-side flag, at the top. */
export function said(message: string, topLevel: boolean): Reply {
  return json(200, topLevel ? { status: 'OK', message } : { status: 'OK', data: { message } })
}

/** Envelope 4: a resource-level error, without `code`. */
export function failure(status: number, message: string): Reply {
  return json(status, { status: 'ERROR', message })
}

const GUIDE = 'Please check your code for typos, or consult our API guide at http://guides.dataverse.org.'
const CENTRAL: Readonly<Record<number, string>> = {
  403: `Not authorized to access this object via this API endpoint. ${GUIDE}`,
  404: `API endpoint does not exist on this server. ${GUIDE}`,
  405: 'Method not allowed. The requested API endpoint does not support this HTTP method.',
  406: 'Not Acceptable. The requested API endpoint does not produce the accepted content type.',
  503: 'Requested service or method not available on the requested object',
}
const BAD_REQUEST = 'Bad Request. The API request cannot be completed with the parameters supplied.'

/**
 * Envelope 5: an exception mapped centrally (ErrH:35-113). A 404 keeps its text only if that starts with "datafile",
 * so an unknown id and an unknown route look the same. `requestUrl` echoes the query, tokens included.
 */
export function thrown(call: Call, code: number, detail = ''): Reply {
  const message =
    code === 400
      ? `${BAD_REQUEST} Details: ${detail}`
      : code === 404 && /^datafile/i.test(detail)
        ? detail
        : (CENTRAL[code] ?? detail)
  return json(code, { status: 'ERROR', code, message, requestUrl: call.requestUrl, requestMethod: call.method })
}

/** Envelope 6: something broke on the server. */
export function internalError(call: Call, error: string): Reply {
  return json(500, {
    status: 'ERROR',
    code: 500,
    message: 'Internal server error. More details available at the server logs.',
    incidentId: '1f0c6a52-5a0f-4d0c-9a55-3f5d0c2b7e11',
    internalError: error,
    requestUrl: call.requestUrl,
    requestMethod: call.method,
  })
}

export function unknownRoute(call: Call): Refusal {
  return new Refusal(thrown(call, 404))
}

export function unless(feature: keyof Features, has: Features, call: Call): void {
  if (!has[feature]) throw unknownRoute(call)
}

export function html(status: number, title: string): Reply {
  return text(
    status,
    'text/html',
    `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`,
  )
}
