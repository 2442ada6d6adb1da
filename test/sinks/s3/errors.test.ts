import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ERROR_CODES, type ErrorCode, type Remedy } from '../../../src/errors.ts'
import { toSinkError } from '../../../src/sinks/s3/errors.ts'
import { openS3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { describeWithS3, type S3Server } from '../../s3-server.ts'

const ATTEMPT = { action: 's3:PutObject', where: 's3://bucket/key' }

/** An error as the SDK makes it of an answer, with the fields that may not get out. */
function fromStore(name: string, status: number | undefined, extra: object = {}): Error {
  const error = new Error(`AKIASECRET: ${name}`)
  return Object.assign(error, {
    name,
    $metadata: { httpStatusCode: status, requestId: 'R1' },
    AWSAccessKeyId: 'AKIASECRET',
    StringToSign: 'AKIASECRET',
    ...extra,
  })
}

describe('what an object store refuses', () => {
  it.each<[string, number | undefined, ErrorCode, Remedy, RegExp]>([
    ['NoSuchBucket', 404, 'SINK_UNAVAILABLE', 'park', /does not exist/],
    ['AccessDenied', 403, 'SINK_DENIED', 'fail', /denies s3:PutObject/],
    ['PermanentRedirect', 301, 'SINK_UNAVAILABLE', 'park', /another region/],
    ['AuthorizationHeaderMalformed', 400, 'SINK_UNAVAILABLE', 'park', /another region/],
    ['ExpiredToken', 400, 'SINK_UNAVAILABLE', 'park', /expired/],
    ['InvalidAccessKeyId', 403, 'SINK_UNAVAILABLE', 'park', /does not accept the credentials/],
    ['SignatureDoesNotMatch', 403, 'SINK_UNAVAILABLE', 'park', /does not accept the credentials/],
    ['CredentialsProviderError', undefined, 'SINK_UNAVAILABLE', 'park', /AWS_ACCESS_KEY_ID/],
    ['RequestTimeTooSkewed', 403, 'SINK_UNAVAILABLE', 'park', /clock/],
    ['SlowDown', 503, 'SINK_UNAVAILABLE', 'park', /fewer requests/],
    ['InvalidStorageClass', 400, 'SINK_UNAVAILABLE', 'park', /storage class CHEAP/],
    ['NotImplemented', 501, 'SINK_UNAVAILABLE', 'park', /does not encrypt .* with aws:kms/],
    ['KMS.NotFoundException', 400, 'SINK_UNAVAILABLE', 'park', /does not encrypt .* with aws:kms/],
    ['InternalError', 500, 'SINK_FAILED', 'retry', /failed on s3:PutObject.*InternalError/],
  ])('%s (%s) is %s: %s', (name, status, code, remedy, message) => {
    const wish = { encryption: 'aws:kms', storageClass: 'CHEAP' }
    const error = toSinkError(fromStore(name, status), { ...ATTEMPT, ...wish })
    expect(error).toMatchObject({ code, remedy })
    expect(error.message).toMatch(message)
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('AKIASECRET')
  })

  it('is waited for when the store asks for it', () => {
    expect(toSinkError(fromStore('SlowDown', 503), ATTEMPT).retryAfterMs).toBeGreaterThan(0)
  })

  it('is told apart from a store that is not there', () => {
    const error = toSinkError(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), ATTEMPT)
    expect(error).toMatchObject({ code: 'SINK_UNAVAILABLE', remedy: ERROR_CODES.SINK_UNAVAILABLE.remedy })
  })
})

describe('an S3 destination that cannot be right', () => {
  it.each([
    ['https://bucket', {}],
    ['s3://', {}],
    ['s3://AKIA:secret@bucket/x', {}],
    ['s3://bucket/../x', {}],
    ['s3://bucket', { endpoint: 'no url' }],
    ['s3://bucket', { endpoint: 'http://AKIA:secret@127.0.0.1' }],
    ['s3://bucket', { endpoint: 'ftp://127.0.0.1' }],
    ['s3://bucket', { partSize: 1000 }],
    ['s3://bucket', { maxConcurrentParts: 0 }],
    ['s3://bucket', { storageClass: 'CHEAP' }],
  ])('%s %j is refused before anything is sent, without repeating secrets', async (url, options) => {
    const error: unknown = await openS3Sink(url, options).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(inspect(error)).not.toMatch(/AKIA|secret/)
  })

  it('is parked when what answers at its endpoint is no object store, or does not speak TLS', async () => {
    const page = createServer((_, answer) => answer.writeHead(404).end('<html>Not Found</html>')).listen(0, '127.0.0.1')
    await once(page, 'listening')
    const { port } = page.address() as AddressInfo
    const opening = (scheme: string) =>
      openS3Sink('s3://bucket', { endpoint: `${scheme}://127.0.0.1:${port}`, region: 'us-east-1', maxAttempts: 1 })
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIA')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    await expect(opening('http')).rejects.toMatchObject({
      code: 'SINK_UNAVAILABLE',
      message: expect.stringContaining('not an object store') as unknown,
    })
    await expect(opening('https')).rejects.toMatchObject({
      code: 'SINK_UNAVAILABLE',
      message: expect.stringContaining('check the endpoint') as unknown,
    })
    vi.unstubAllEnvs()
    page.close()
  })

  it('is parked when nobody answers at its endpoint', async () => {
    const opening = openS3Sink('s3://bucket', { endpoint: 'http://127.0.0.1:9', region: 'us-east-1', maxAttempts: 1 })
    await expect(opening).rejects.toMatchObject({ code: expect.stringMatching(/^SINK_UNA/) as unknown })
  })
})

await describeWithS3('a real store', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })
  afterAll(() => server.stop())

  it('says that there is no such bucket', async () => {
    const opening = openS3Sink('s3://no-such-bucket-here', { endpoint: server.endpoint })
    await expect(opening).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
  })

  it.each(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])(
    'says that %s is wrong, and not what it was',
    async (name) => {
      const bucket = await server.bucket()
      vi.stubEnv(name, 'WRONGWRONGWRONG')
      const error: unknown = await openS3Sink(`s3://${bucket}`, { endpoint: server.endpoint }).catch((e: unknown) => e)
      expect(error).toMatchObject({ code: 'SINK_UNAVAILABLE' })
      expect(inspect(error, { depth: 9 })).not.toMatch(/WRONGWRONG|dataferry-test/)
    },
  )
})
