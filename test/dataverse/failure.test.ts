import { describe, expect, it } from 'vitest'
import { failureFrom, type Refusal } from '../../src/dataverse/failure.ts'
import { redact } from '../../src/dataverse/redact.ts'

const plain: Refusal = {
  status: 500,
  headers: {},
  text: '',
  what: 'file 42',
  host: 'dv.example.edu',
  elsewhere: false,
  authenticated: true,
  continuation: true,
}
const error = (message: string, more = {}): string => JSON.stringify({ status: 'ERROR', message, ...more })
const HTML = '<html><head><title>Access denied by firewall</title></head></html>'
const storage = (status: number, code: string, message = 'In its own words.'): Partial<Refusal> => ({
  status,
  text: `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>${message}</Message><Key>a</Key></Error>`,
  elsewhere: true,
})
const NOT_AUTHORIZED = error('Not authorized to access this object via this API endpoint.', { code: 403 })

describe('a failed answer', () => {
  it.each<[string, Partial<Refusal>, string]>([
    ['202 of a firewall', { status: 202, headers: { 'x-amzn-waf-action': 'challenge' } }, 'SOURCE_BLOCKED'],
    ['405 of a firewall', { status: 405, headers: { 'x-amzn-waf-action': 'captcha' } }, 'SOURCE_BLOCKED'],
    ['204', { status: 204 }, 'SOURCE_UNEXPECTED'],
    ['304', { status: 304 }, 'SOURCE_UNEXPECTED'],
    ['400', { status: 400, text: error('Bad Request.') }, 'SOURCE_REJECTED'],
    [
      '400 for a guestbook',
      {
        status: 400,
        text: error('You may not download this file without the required Guestbook response for guestbookID 7.'),
      },
      'SOURCE_GUESTBOOK',
    ],
    [
      '400 of the limiter',
      { status: 400, text: error('x failed: Rate limited due to too many requests.') },
      'SOURCE_THROTTLED',
    ],
    [
      '400 for a missing right',
      { status: 400, text: error('You do not have permission to download this file.') },
      'SOURCE_DENIED',
    ],
    ['401 for a bad token', { status: 401, text: error('Bad API key') }, 'TOKEN_REJECTED'],
    [
      '401 for a missing right',
      { status: 401, text: error('User @j is not permitted to perform requested action.') },
      'SOURCE_DENIED',
    ],
    [
      '401 for a guest',
      { status: 401, text: error('User :guest is not permitted'), authenticated: false },
      'SOURCE_DENIED',
    ],
    ['403', { status: 403, text: NOT_AUTHORIZED }, 'SOURCE_DENIED'],
    ['403 with a page', { status: 403, text: HTML }, 'SOURCE_BLOCKED'],
    [
      '404',
      { status: 404, text: error('API endpoint does not exist on this server.', { code: 404 }) },
      'SOURCE_NOT_FOUND',
    ],
    ['404 with a page, as while the server restarts', { status: 404, text: HTML }, 'SOURCE_FAILED'],
    ['404 without a body', { status: 404 }, 'SOURCE_FAILED'],
    [
      '404 for bytes that cannot be opened',
      { status: 404, text: error('Datafile 42: Failed to locate and/or open physical file.', { code: 404 }) },
      'SOURCE_BYTES_MISSING',
    ],
    [
      '404 for a harvested file',
      { status: 404, text: error('Datafile 42 is a harvested file that cannot be accessed', { code: 404 }) },
      'SOURCE_NOT_FOUND',
    ],
    ['408', { status: 408 }, 'SOURCE_UNREACHABLE'],
    ['415', { status: 415, text: error('HTTP 415', { code: 415 }) }, 'SOURCE_REJECTED'],
    ['416 while going on', { status: 416, text: error('Start is larger', { code: 416 }) }, 'SOURCE_CHANGED'],
    ['416 otherwise', { status: 416, continuation: false }, 'SOURCE_REJECTED'],
    ['429', { status: 429, text: error('Rate limited due to too many requests.') }, 'SOURCE_THROTTLED'],
    ['500', { status: 500, text: error('Internal server error.', { code: 500 }) }, 'SOURCE_FAILED'],
    ['502 of a proxy', { status: 502, text: HTML }, 'SOURCE_FAILED'],
    ['503 of a proxy', { status: 503, text: HTML }, 'SOURCE_THROTTLED'],
    [
      '503 of a blocked endpoint',
      { status: 503, text: '{"status":"error","message":"Endpoint blocked."}' },
      'SOURCE_REJECTED',
    ],
    [
      '503 of something that is not there',
      { status: 503, text: error('Requested service or method not available on the requested object', { code: 503 }) },
      'SOURCE_REJECTED',
    ],
    ['403 of storage', storage(403, 'AccessDenied'), 'SOURCE_FAILED'],
    ['403 of storage for a file in an archive tier', storage(403, 'InvalidObjectState'), 'SOURCE_ARCHIVED'],
    ['403 of storage for a broken signature', storage(403, 'SignatureDoesNotMatch'), 'SOURCE_FAILED'],
    ['400 of storage for a broken signature', storage(400, 'InvalidArgument'), 'SOURCE_FAILED'],
    ['400 of storage that waited', storage(400, 'RequestTimeout'), 'SOURCE_UNREACHABLE'],
    ['400 of storage without words', { status: 400, text: '<Error/>', elsewhere: true }, 'SOURCE_FAILED'],
    ['403 of storage with a page', { status: 403, text: HTML, elsewhere: true }, 'SOURCE_FAILED'],
    ['404 of storage', storage(404, 'NoSuchKey'), 'SOURCE_BYTES_MISSING'],
    ['404 of storage with a page', { status: 404, text: HTML, elsewhere: true }, 'SOURCE_FAILED'],
    ['416 of storage', storage(416, 'InvalidRange'), 'SOURCE_CHANGED'],
    ['503 of storage', storage(503, 'SlowDown'), 'SOURCE_THROTTLED'],
    [
      '403 of the API under another name of its host',
      { status: 403, text: NOT_AUTHORIZED, elsewhere: true },
      'SOURCE_DENIED',
    ],
  ])('%s', (_, refusal, code) => {
    expect(failureFrom({ ...plain, ...refusal }, String)).toMatchObject({ code, status: refusal.status })
  })

  it.each([
    [
      'AccessDenied',
      'Request has expired',
      'the link to the storage has expired (403): AccessDenied: Request has expired',
    ],
    ['SignatureDoesNotMatch', 'It differs.', 'a broken signature (403): SignatureDoesNotMatch: It differs.'],
    ['InvalidObjectState', 'GLACIER', 'must be restored first (403): InvalidObjectState: GLACIER'],
  ])('of a storage host is told in its own words: %s', (code, message, told) => {
    const error = failureFrom({ ...plain, ...storage(403, code, message) }, String)
    expect(error.message).toContain(told)
    expect(error.message + error.advice).not.toMatch(/network/)
  })

  it('waits as long as the server asks', () => {
    const throttled = failureFrom({ ...plain, status: 429, headers: { 'retry-after': '7' } }, String)
    expect(throttled).toMatchObject({ remedy: 'throttle', retryAfterMs: 7000 })
    expect(failureFrom({ ...plain, status: 429 }, String).retryAfterMs).toBeUndefined()
  })

  it('says what, where and what the server said, and never a secret', () => {
    const text = JSON.stringify({
      status: 'ERROR',
      code: 403,
      message: 'Not authorized. See https://dv.example.edu/x?key=sesame-1&token=abc or key=sesame-1',
      requestUrl: 'https://dv.example.edu/api/v1/access/datafile/42?key=sesame-1',
    })
    const { message } = failureFrom({ ...plain, status: 403, text }, (said) => redact(said, ['sesame-1']))
    expect(message).toContain('dv.example.edu did not deliver file 42')
    expect(message).toContain('(403): Not authorized.')
    expect(message).not.toMatch(/sesame|key=|token=/)
    expect(failureFrom({ ...plain, status: 502, text: HTML }, String).message).toContain('Access denied by firewall')
  })

  it.each([
    { status: 'ERROR', message: 'text' },
    { status: 'ERROR', message: { message: 'text' } },
    { status: 'ERROR', data: { message: 'text' } },
  ])('reads the message in any of its places: %j', (body) => {
    expect(failureFrom({ ...plain, status: 400, text: JSON.stringify(body) }, String).message).toContain('(400): text')
  })
})
