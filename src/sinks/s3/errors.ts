import { DataferryError, systemCode, type ErrorCode } from '../../errors.ts'

/** The attempted action, named after the permission it needs. */
export interface Attempt {
  /** IAM action, e.g. `s3:PutObject`. */
  readonly action: string
  /** `s3://bucket/key`, without credentials. */
  readonly where: string
  /** Requested encryption. */
  readonly encryption?: string | undefined
  readonly storageClass?: string | undefined
  /** Something without which nothing works: its failure concerns the whole destination. */
  readonly essential?: boolean
}

interface Kind {
  readonly code: ErrorCode
  readonly say: (attempt: Attempt) => string
  readonly retryAfterMs?: number
}

const REFUSED: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) => `The object store does not accept the credentials for ${where}: renew or correct them.`,
}
const EXPIRED: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) => `The credentials for ${where} have expired: sign in again or renew them.`,
}
const NO_CREDENTIALS: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) =>
    `No usable credentials were found for ${where}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role.`,
}
const DENIED: Kind = {
  code: 'SINK_DENIED',
  say: ({ action, where }) => `The object store denies ${action} on ${where}: allow this action for these credentials.`,
}
const NO_BUCKET: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) => `The bucket of ${where} does not exist at this endpoint: create it, or correct its name.`,
}
const WRONG_REGION: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) => `The bucket of ${where} is in another region: give the right one with --region or AWS_REGION.`,
}
const CLOCK: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) => `The object store refuses ${where} because this machine's clock is wrong: set the clock.`,
}
const SLOW_DOWN: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ action, where }) => `The object store asks for fewer requests (${action} on ${where}).`,
  retryAfterMs: 10_000,
}
const UNREACHABLE: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) => `The object store of ${where} cannot be reached: check the endpoint and the network.`,
}
const NO_STORE: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where }) => `What answers for ${where} is not an object store: correct the endpoint.`,
}
const FULL: Kind = {
  code: 'SINK_FULL',
  say: ({ where }) => `The object store has no space left for ${where}.`,
}

const NO_ENCRYPTION: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where, encryption = '' }) =>
    `The object store does not encrypt ${where} with ${encryption}: give the store a key for it, correct --sse and --sse-kms-key, or omit them.`,
}
const NO_STORAGE_CLASS: Kind = {
  code: 'SINK_UNAVAILABLE',
  say: ({ where, storageClass = '' }) =>
    `The object store does not have the storage class ${storageClass} for ${where}: give one that it has with --storage-class, or omit it.`,
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the names that the SDK itself gives. */
const BY_NAME: Readonly<Partial<Record<string, Kind>>> = {
  NoSuchBucket: NO_BUCKET,
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  AccountProblem: DENIED,
  Forbidden: DENIED,
  InvalidAccessKeyId: REFUSED,
  SignatureDoesNotMatch: REFUSED,
  InvalidToken: REFUSED,
  // versitygw, for an unknown access key.
  XAdminUserNotFound: REFUSED,
  InvalidSecurity: REFUSED,
  Unauthorized: REFUSED,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: NO_CREDENTIALS,
  PermanentRedirect: WRONG_REGION,
  AuthorizationHeaderMalformed: WRONG_REGION,
  IllegalLocationConstraintException: WRONG_REGION,
  RequestTimeTooSkewed: CLOCK,
  RequestExpired: CLOCK,
  SlowDown: SLOW_DOWN,
  SlowDownRead: SLOW_DOWN,
  SlowDownWrite: SLOW_DOWN,
  ServiceUnavailable: SLOW_DOWN,
  RequestLimitExceeded: SLOW_DOWN,
  TooManyRequests: SLOW_DOWN,
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
}

const BY_STATUS: Readonly<Partial<Record<number, Kind>>> = {
  301: WRONG_REGION,
  307: WRONG_REGION,
  401: REFUSED,
  403: DENIED,
  429: SLOW_DOWN,
  503: SLOW_DOWN,
  507: FULL,
}

const UNREACHABLE_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  // Encryption was requested but not applied, or the other way round.
  'EPROTO',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/**
 * Turns an SDK error into a `DataferryError`: `SINK_UNAVAILABLE`, `SINK_DENIED`, `SINK_FULL`, else `SINK_FAILED`,
 * with the store's own message. The SDK's error itself is dropped, as it may hold the access key id and the signed string; its
 * name, status and request id are kept as the cause.
 */
export function toSinkError(error: unknown, attempt: Attempt): DataferryError {
  if (error instanceof DataferryError) return error
  const status = statusOf(error)
  const { code, say, retryAfterMs } = kindOf(error, status, attempt) ?? OTHER
  const ofAll = attempt.essential === true && code !== 'SINK_FULL'
  return new DataferryError(ofAll ? 'SINK_UNAVAILABLE' : code, `${say(attempt).slice(0, -1)} (${wordsOf(error)}).`, {
    cause: withoutSecrets(error, status),
    ...(status !== undefined && { status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

/** Code and message of a store's answer, or why none came. */
function wordsOf(error: unknown): string {
  const name = nameOf(error)
  if (statusOf(error) === undefined) return systemCode(error) ?? name
  const words =
    error instanceof Error
      ? withoutKeyIds(error)
          .replaceAll(/[\s\p{Cc}]+/gu, ' ')
          .trim()
      : ''
  return words === '' || words === name ? name : `${name}: ${words.slice(0, MAX_WORDS).replace(/\.$/, '')}`
}

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes */
function withoutKeyIds(error: Error): string {
  const named = 'AWSAccessKeyId' in error ? String(error.AWSAccessKeyId) : ''
  const words = named === '' ? error.message : error.message.replaceAll(named, '[key id]')
  return words.replaceAll(/\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b/g, '[key id]')
}

const MAX_WORDS = 300

const OTHER: Kind = {
  code: 'SINK_FAILED',
  say: ({ action, where }) => `The object store failed on ${action} for ${where}.`,
}

/** A store took the bytes, and its answer shows that it did not encrypt them as requested. */
export function notEncrypted(where: string, encryption: string): DataferryError {
  return new DataferryError(NO_ENCRYPTION.code, NO_ENCRYPTION.say({ action: 's3:PutObject', where, encryption }))
}

function kindOf(error: unknown, status: number | undefined, attempt: Attempt): Kind | undefined {
  if (attempt.encryption !== undefined && isAboutEncryption(error)) return NO_ENCRYPTION
  if (attempt.storageClass !== undefined && nameOf(error) === 'InvalidStorageClass') return NO_STORAGE_CLASS
  const byName = BY_NAME[nameOf(error)]
  if (byName) return byName
  // A store either lists a bucket or says why not.
  if (attempt.action === 's3:ListBucket' && (status === 404 || status === 405)) return NO_STORE
  if (UNREACHABLE_CODES.has(systemCode(error) ?? '')) return UNREACHABLE
  return status === undefined ? undefined : BY_STATUS[status]
}

/** In answer to a write with encryption: no other cause in dataferry's requests leads to these codes. */
function isAboutEncryption(error: unknown): boolean {
  const name = nameOf(error)
  return isUnsupported(error) || /^(?:KMS|kms)[.:]|^Invalid(?:Argument|Request)$|Encryption/.test(name)
}

/** The S3 error code, which the SDK puts into `name`; never a message. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  // Some stores' codes arrive only as `Code`, with a generic name.
  return 'Code' in error && typeof error.Code === 'string' ? error.Code : error.name
}

/** HTTP status of the answer; undefined when none came. */
export function statusOf(error: unknown): number | undefined {
  return metadataOf(error)?.status
}

function withoutSecrets(error: unknown, status: number | undefined): Error {
  const id = metadataOf(error)?.requestId
  const parts = [nameOf(error), systemCode(error), status && `HTTP ${status}`, id && `request ${id}`].filter(Boolean)
  return new Error(parts.join(', '))
}

function metadataOf(error: unknown): { status: number | undefined; requestId: string | undefined } | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null) return undefined
  const status = 'httpStatusCode' in metadata ? metadata.httpStatusCode : undefined
  const requestId = 'requestId' in metadata ? metadata.requestId : undefined
  return {
    status: typeof status === 'number' ? status : undefined,
    requestId: typeof requestId === 'string' ? requestId : undefined,
  }
}

/**
 * There is no such object, or it was a `HEAD`, whose answer has no body with a code. A 404 alone does not prove it, as it may
 * be about the bucket, the upload or even the user.
 */
export function isMissing(error: unknown): boolean {
  return ['NoSuchKey', 'NoSuchVersion', 'NotFound'].includes(nameOf(error))
}

/** The store knows the caller and denies the action. */
export function isDenied(error: unknown): boolean {
  return (BY_NAME[nameOf(error)] ?? BY_STATUS[statusOf(error) ?? 0]) === DENIED
}

/** The upload was completed or aborted: its id is no longer known. */
export function isNoSuchUpload(error: unknown): boolean {
  return nameOf(error) === 'NoSuchUpload'
}

/** An `If-Match` or `If-None-Match` did not hold: 412, or 409 when two conditional writes met. */
export function isPreconditionFailed(error: unknown): boolean {
  return statusOf(error) === 412 || nameOf(error) === 'ConditionalRequestConflict'
}

/** The store lacks a feature requested by header. */
export function isUnsupported(error: unknown): boolean {
  return (
    statusOf(error) === 501 || ['NotImplemented', 'XNotImplemented', 'UnsupportedOperation'].includes(nameOf(error))
  )
}
