import type { Content } from './content.ts'
import type { Features } from './profile.ts'
import type { Call } from './call.ts'

/** What a route answers. Faults change it before it is sent. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
  /** The words of the status line, where they are not the usual ones. */
  readonly statusText?: string
  /** Called when the last byte of the body has been handed over: what the server does only then. */
  readonly delivered?: () => void
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
  405: 'API endpoint does not support this method. Consult our API guide at http://guides.dataverse.org.',
  406: 'API endpoint does not accept your request. Consult our API guide at http://guides.dataverse.org.',
  503: 'Requested service or method not available on the requested object',
}
const BAD_REQUEST = 'Bad Request. The API request cannot be completed with the parameters supplied.'

/**
 * Envelope 5: an exception mapped centrally (ErrH:35-113). A 404 keeps its text only if that starts with "datafile",
 * so an unknown id and an unknown route look the same. `requestUrl` echoes the query, tokens included; texts of the
 * exceptions themselves come without it.
 */
export function thrown(call: Call, code: number, detail = ''): Reply {
  if (code === 404 && /^datafile/i.test(detail)) return json(code, { status: 'ERROR', code, message: detail })
  const central = code === 400 ? `${BAD_REQUEST} Details: ${detail}` : CENTRAL[code]
  if (central === undefined) return json(code, { status: 'ERROR', code, message: detail })
  return json(code, {
    status: 'ERROR',
    code,
    message: central,
    ...(code !== 503 && { requestUrl: call.requestUrl, requestMethod: call.method }),
  })
}

/** What the server says of bytes that it cannot open, for good or for a moment. */
export function noPhysicalFile(file: number): Reply {
  const message = `Datafile ${file}: Failed to locate and/or open physical file.`
  return json(404, { status: 'ERROR', code: 404, message })
}

/** 405, with the methods that the route has. */
export function notAllowed(call: Call, ...allowed: readonly string[]): Reply {
  const made = thrown(call, 405)
  return { ...made, headers: { ...made.headers, Allow: [...allowed, 'OPTIONS'].join(',') } }
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
