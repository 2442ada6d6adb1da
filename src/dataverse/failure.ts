import { DataferryError, type ErrorCode } from '../errors.ts'
import { envelopeMessage, parseEnvelope, type Envelope } from './envelope.ts'
import { header, parseRetryAfter, type Headers } from './http/headers.ts'

/** A failed answer and what was asked. */
export interface Refusal {
  readonly status: number
  readonly headers: Headers
  /** The beginning of the body. */
  readonly text: string
  /** What was asked for, for people: `file 42`. */
  readonly what: string
  /** Who answered: a host, without path or query. */
  readonly host: string
  /** Another host than the configured one answered, after a redirect: storage, or a firewall's page. */
  readonly elsewhere: boolean
  /** A token was sent along. */
  readonly authenticated: boolean
  /** A range was asked for that the caller takes to be within the file. */
  readonly continuation: boolean
}

interface Verdict {
  readonly code: ErrorCode
  /** Ends the sentence "… did not give file 42: ". */
  readonly why: string
}

/**
 * Turns a failed answer into the error to throw; `redact` cleans whatever the server wrote.
 * @see the protocol note §0.1 (envelopes), §1.1 (matrix), §7 (throttling), §8 (what a status may mean)
 */
export function failureFrom(refusal: Refusal, redact: (text: string) => string): DataferryError {
  const envelope = parseEnvelope(refusal.text)
  const { code, why } = judge(refusal, envelope)
  const said = envelope ? envelopeMessage(envelope) : pageTitle(refusal.text)
  const quote = said ? `: ${redact(said)}` : '.'
  const retryAfterMs = parseRetryAfter(header(refusal.headers, 'retry-after'))
  return new DataferryError(code, `${refusal.host} did not give ${refusal.what}: ${why} (${refusal.status})${quote}`, {
    status: refusal.status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

function judge(refusal: Refusal, envelope: Envelope | undefined): Verdict {
  const { status, headers } = refusal
  // The firewall of AWS says so by this header, whatever the status: 202 for a challenge, 405 for a captcha.
  if (header(headers, 'x-amzn-waf-action')) return verdict('SOURCE_BLOCKED', 'a firewall asks for a browser')
  if (status < 300) return verdict('SOURCE_UNEXPECTED', 'it answered with a success that holds no file')
  if (status < 400) return verdict('SOURCE_UNEXPECTED', 'it answered with a redirect that leads nowhere')
  if (refusal.elsewhere && (status === 400 || status === 401 || status === 403)) {
    // A link that expired, not a permission: Dataverse is asked for a new one.
    return verdict('SOURCE_UNREACHABLE', 'the storage host does not accept the link, which may have expired')
  }
  if (status >= 500) return judgeServerError(status, envelope)
  return judgeClientError(refusal, envelope)
}

function judgeServerError(status: number, envelope: Envelope | undefined): Verdict {
  if (status !== 503) return verdict('SOURCE_FAILED', 'it failed')
  // The endpoint filter writes `error` in lower case; a mapped exception says that the service does not exist on this object.
  const permanent = envelope?.status === 'error' || /not available on the requested object/i.test(textOf(envelope))
  return permanent
    ? verdict('SOURCE_REJECTED', 'it does not offer this')
    : verdict('SOURCE_THROTTLED', 'it is overloaded or down for maintenance')
}

function judgeClientError(refusal: Refusal, envelope: Envelope | undefined): Verdict {
  const said = textOf(envelope)
  switch (refusal.status) {
    case 400:
      if (/guestbook response/i.test(said)) return verdict('SOURCE_GUESTBOOK', 'its guestbook must be answered first')
      // The DDI route refuses a missing right with 400, unlike every other.
      if (/you do not have permission/i.test(said)) return verdict('SOURCE_DENIED', 'this user may not have it')
      // Routes that submit commands directly report the limiter as 400.
      if (/rate limited/i.test(said)) return verdict('SOURCE_THROTTLED', 'it wants fewer requests')
      return verdict('SOURCE_REJECTED', 'it refused the request')
    case 401:
      return judgeUnauthorized(refusal, said)
    case 403:
      return envelope
        ? verdict('SOURCE_DENIED', 'this user may not have it')
        : verdict('SOURCE_BLOCKED', 'a firewall or proxy refused the request')
    case 404:
    case 410:
      return verdict('SOURCE_NOT_FOUND', 'it does not know it')
    case 408:
      return verdict('SOURCE_UNREACHABLE', 'it gave up waiting for the request')
    case 416:
      return refusal.continuation
        ? verdict('SOURCE_CHANGED', 'the file now ends before the byte to go on from')
        : verdict('SOURCE_REJECTED', 'the range begins beyond the end of the file')
    case 429:
      return verdict('SOURCE_THROTTLED', 'it wants fewer requests')
    default:
      return verdict('SOURCE_REJECTED', 'it refused the request')
  }
}

/** 401 means a bad token, or a user (the guest, too) who lacks a right on something unpublished. */
function judgeUnauthorized({ authenticated }: Refusal, said: string): Verdict {
  if (!authenticated) return verdict('SOURCE_DENIED', 'it wants an API token')
  return /not permitted|permission|not authorized|must be authenticated/i.test(said)
    ? verdict('SOURCE_DENIED', 'this user may not have it')
    : verdict('TOKEN_REJECTED', 'it does not accept the token')
}

function textOf(envelope: Envelope | undefined): string {
  return (envelope && envelopeMessage(envelope)) ?? ''
}

function verdict(code: ErrorCode, why: string): Verdict {
  return { code, why }
}

/** All that is worth quoting of a page written for browsers. */
function pageTitle(text: string): string | undefined {
  return /<title[^>]*>([^<]+)<\/title>/i.exec(text)?.[1]?.trim()
}
