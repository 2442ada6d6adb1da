import { DataferryError, type ErrorCode } from '../errors.ts'
import { envelopeMessage, parseEnvelope, type Envelope } from './envelope.ts'
import { header, parseRetryAfter, type Headers } from './http/headers.ts'
import { parseStorageError, type StorageError } from './storage-error.ts'

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
  /** A host other than the configured one answered, after a redirect: storage, or a firewall's page. */
  readonly elsewhere: boolean
  /** A token was sent along. */
  readonly authenticated: boolean
  /** The requested range is believed to lie within the file. */
  readonly continuation: boolean
}

interface Verdict {
  readonly code: ErrorCode
  /** Completes the sentence "… did not deliver file 42: ". */
  readonly why: string
}

/**
 * Turns a failed answer into the error to throw; `redact` cleans whatever the server wrote.
 * @see the protocol note §0.1 (envelopes), §1.1 (matrix), §7 (throttling), §8 and §12 (what a status may mean)
 */
export function failureFrom(refusal: Refusal, redact: (text: string) => string): DataferryError {
  const envelope = parseEnvelope(refusal.text)
  const storage = envelope ? undefined : parseStorageError(refusal.text)
  const { code, why } = judge(refusal, envelope, storage)
  const said = envelope ? envelopeMessage(envelope) : storage ? wordsOf(storage) : pageTitle(refusal.text)
  const quote = said ? `: ${redact(said)}` : '.'
  const retryAfterMs = parseRetryAfter(header(refusal.headers, 'retry-after'))
  return new DataferryError(
    code,
    `${refusal.host} did not deliver ${refusal.what}: ${why} (${refusal.status})${quote}`,
    {
      status: refusal.status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  )
}

function judge(refusal: Refusal, envelope: Envelope | undefined, storage: StorageError | undefined): Verdict {
  const { status, headers } = refusal
  // The AWS firewall sets this header, whatever the status: 202 for a challenge, 405 for a captcha.
  if (header(headers, 'x-amzn-waf-action')) return verdict('SOURCE_BLOCKED', 'a firewall wants to see a browser')
  if (status < 300) return verdict('SOURCE_UNEXPECTED', 'it answered with a success but without a file')
  if (status < 400) return verdict('SOURCE_UNEXPECTED', 'it answered with a redirect that leads nowhere')
  if (status >= 500) return judgeServerError(status, envelope)
  if (storage) return judgeStorageError(refusal, storage)
  return envelope ? judgeClientError(refusal, envelope) : judgePage(refusal)
}

/** The store's own error: the object is missing, is in an archive tier, or the link is not accepted. */
function judgeStorageError({ status, continuation }: Refusal, { code, message = '' }: StorageError): Verdict {
  switch (code) {
    case 'NoSuchKey':
    case 'NoSuchVersion':
    case 'BlobNotFound':
      return verdict('SOURCE_BYTES_MISSING', 'the storage does not have its bytes')
    case 'InvalidObjectState':
    case 'BlobArchived':
      return verdict('SOURCE_ARCHIVED', 'its bytes are in an archive tier of the storage and must be restored first')
    case 'InvalidRange':
      return rangeBeyond(continuation)
    case 'SlowDown':
    case 'TooManyRequests':
      return verdict('SOURCE_THROTTLED', 'it asked for fewer requests')
    case 'RequestTimeout':
      return verdict('SOURCE_UNREACHABLE', 'it timed out waiting for the request')
    case 'ExpiredToken':
      return verdict('SOURCE_FAILED', 'the link to the storage has expired')
    case 'AccessDenied':
      // Not about the user's permissions: Dataverse issued the link, and is asked for a new one.
      return /expired/i.test(message)
        ? verdict('SOURCE_FAILED', 'the link to the storage has expired')
        : verdict('SOURCE_FAILED', 'the storage does not accept the link that the server gave')
    default:
      return status === 429
        ? verdict('SOURCE_THROTTLED', 'it asked for fewer requests')
        : verdict('SOURCE_FAILED', 'the storage does not accept the link that the server gave: a broken signature')
  }
}

/** An answer of neither the API nor a store: a page of a proxy, of a firewall, or of the container that Dataverse runs in. */
function judgePage(refusal: Refusal): Verdict {
  const { status, elsewhere, continuation } = refusal
  switch (status) {
    case 401:
      return elsewhere ? REFUSED_LINK : judgeUnauthorized(refusal, '')
    case 403:
      return elsewhere ? REFUSED_LINK : verdict('SOURCE_BLOCKED', 'a firewall or proxy refused the request')
    case 400:
      return elsewhere ? REFUSED_LINK : verdict('SOURCE_REJECTED', 'it refused the request')
    case 404:
    case 410:
      // Every URL answers this during deployment; the API has an envelope for what it does not know.
      return elsewhere
        ? verdict('SOURCE_FAILED', 'it answered with a page where the file should be')
        : verdict('SOURCE_FAILED', 'it answered with a page where the API should be, as during a restart')
    default:
      return judgeStatus(status, continuation)
  }
}

const REFUSED_LINK = verdict('SOURCE_FAILED', 'the storage does not accept the link that the server gave')

function judgeServerError(status: number, envelope: Envelope | undefined): Verdict {
  if (status !== 503) return verdict('SOURCE_FAILED', 'it failed')
  // The endpoint filter writes `error` in lower case; a mapped exception says that the service does not exist for this object.
  const permanent = envelope?.status === 'error' || /not available on the requested object/i.test(textOf(envelope))
  return permanent
    ? verdict('SOURCE_REJECTED', 'it does not offer this')
    : verdict('SOURCE_THROTTLED', 'it is overloaded or down for maintenance')
}

function judgeClientError(refusal: Refusal, envelope: Envelope): Verdict {
  const said = textOf(envelope)
  switch (refusal.status) {
    case 400:
      if (/guestbook response/i.test(said)) return verdict('SOURCE_GUESTBOOK', 'its guestbook must be answered first')
      // The DDI route answers a missing permission with 400, unlike every other.
      if (/you do not have permission/i.test(said)) return verdict('SOURCE_DENIED', 'this user has no access to it')
      // Routes that submit commands directly report the limiter as 400.
      if (/rate limited/i.test(said)) return verdict('SOURCE_THROTTLED', 'it asked for fewer requests')
      return verdict('SOURCE_REJECTED', 'it refused the request')
    case 401:
      return judgeUnauthorized(refusal, said)
    case 403:
      return verdict('SOURCE_DENIED', 'this user has no access to it')
    case 410:
      return verdict('SOURCE_NOT_FOUND', 'it was not found')
    case 404:
      // The same message for bytes that are lost and for a storage that is away for seconds.
      return /failed to locate and\/or open physical file/i.test(said)
        ? verdict('SOURCE_BYTES_MISSING', 'its storage does not have the bytes, or is away')
        : verdict('SOURCE_NOT_FOUND', 'it was not found')
    default:
      return judgeStatus(refusal.status, refusal.continuation)
  }
}

/** What a status means, from any sender. */
function judgeStatus(status: number, continuation: boolean): Verdict {
  switch (status) {
    case 408:
      return verdict('SOURCE_UNREACHABLE', 'it timed out waiting for the request')
    case 416:
      return rangeBeyond(continuation)
    case 429:
      return verdict('SOURCE_THROTTLED', 'it asked for fewer requests')
    default:
      return verdict('SOURCE_REJECTED', 'it refused the request')
  }
}

function rangeBeyond(continuation: boolean): Verdict {
  return continuation
    ? verdict('SOURCE_CHANGED', 'the file now ends before the byte to continue from')
    : verdict('SOURCE_REJECTED', 'the range begins beyond the end of the file')
}

/** 401 means a bad token, or a user (or guest) without permission on something unpublished. */
function judgeUnauthorized({ authenticated }: Refusal, said: string): Verdict {
  if (!authenticated) return verdict('SOURCE_DENIED', 'it requires an API token')
  return /not permitted|permission|not authorized|must be authenticated/i.test(said)
    ? verdict('SOURCE_DENIED', 'this user has no access to it')
    : verdict('TOKEN_REJECTED', 'it does not accept the token')
}

function textOf(envelope: Envelope | undefined): string {
  return (envelope && envelopeMessage(envelope)) ?? ''
}

function verdict(code: ErrorCode, why: string): Verdict {
  return { code, why }
}

function wordsOf({ code, message }: StorageError): string {
  return message ? `${code}: ${message}` : code
}

/** The part of an HTML page worth quoting. */
function pageTitle(text: string): string | undefined {
  const tag = text.search(/<title[\s>]/i)
  const start = tag < 0 ? -1 : text.indexOf('>', tag)
  const end = start < 0 ? -1 : text.indexOf('<', start)
  return end < 0 ? undefined : text.slice(start + 1, end).trim()
}
