import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { contentEncoding } from '../../../src/dataverse/decode.ts'
import { failureFrom } from '../../../src/dataverse/failure.ts'
import {
  mediaType,
  parseContentLength,
  parseContentRange,
  parseFileName,
  parseRetryAfter,
  strongEtag,
} from '../../../src/dataverse/http/headers.ts'
import { isPrivateAddress, literalAddress } from '../../../src/dataverse/http/private-address.ts'
import { nextHop, type Hop } from '../../../src/dataverse/http/redirect.ts'
import { DataAccessApi } from '../../../src/dataverse/data-access-api.ts'
import { redact } from '../../../src/dataverse/redact.ts'
import { safeFilePath } from '../../../src/model/path.ts'
import { headersOf, proofOf } from '../../../src/sinks/s3/metadata.ts'
import { checkPath } from '../../../src/sinks/names.ts'
import type { Dice } from '../../dice.ts'
import { checkMessage, given, linear, must, resultOrCode, type Given } from '../promises.ts'
import type { FuzzTarget } from '../target.ts'

type Note = Parameters<FuzzTarget['once']>[1]

/** What servers, stores and proxies write around a file: headers, redirects, complaints, and whole answers on the wire. */
export const target: FuzzTarget = {
  about:
    'A header gives what it says or nothing, a redirect never takes credentials or a body elsewhere, a complaint becomes one ' +
    'coded sentence without secrets, and any answer gives right bytes or an error with a code; steps are in proportion to length.',
  async once(dice, note) {
    await dice.pick(KINDS)(dice, note)
  },
}

/** Characters of all headers of an answer: the HTTP client reads no more. */
const LONGEST = 16 * 1024
const HOUR = 3_600_000

async function contentRange(dice: Dice, note: Note): Promise<void> {
  const from = dice.between(0, 1e9)
  const to = from + dice.between(0, 1e9)
  const size = dice.number() < 0.2 ? undefined : to + dice.between(1, 1e9)
  const { text, isPlain } = header(`bytes ${from}-${to}/${size ?? '*'}`, dice, note)
  const range = await linear(text, () => parseContentRange(text))
  if (isPlain) must(range?.from === from && range.to === to && range.size === size, 'another range')
  if (!range) return
  must(Number.isSafeInteger(range.from) && range.from >= 0 && range.from <= range.to, 'a range that is none')
  must(
    range.size === undefined || (Number.isSafeInteger(range.size) && range.to < range.size),
    'a range beyond its end',
  )
}

async function contentLength(dice: Dice, note: Note): Promise<void> {
  const length = dice.between(0, 2 ** 40)
  const { text, isPlain } = header(String(length), dice, note)
  const read = await linear(text, () => parseContentLength(text))
  if (isPlain) must(read === length, 'another length')
  must(read === undefined || (Number.isSafeInteger(read) && read >= 0), `a length of ${read}`)
}

async function retryAfter(dice: Dice, note: Note): Promise<void> {
  const now = Date.UTC(2026, 10, 27, 12)
  const seconds = dice.between(-9_999, 9_999)
  const isDate = dice.number() < 0.5 || seconds < 0
  const { text, isPlain } = header(isDate ? new Date(now + seconds * 1000).toUTCString() : String(seconds), dice, note)
  const wait = await linear(text, () => parseRetryAfter(text, now))
  if (isPlain) must(wait === Math.min(Math.max(0, seconds * 1000), HOUR), `a wait of ${wait} ms`)
  must(wait === undefined || (wait >= 0 && wait <= HOUR), `a wait of ${wait} ms`)
}

async function validators(dice: Dice, note: Note): Promise<void> {
  const tag = `"${dice.between(0, 1e6).toString(16)}"`
  const { text, isPlain } = header(dice.pick([tag, `W/${tag}`]), dice, note)
  const strong = await linear(text, () => strongEtag(text))
  if (isPlain) must(strong === (text.startsWith('W/') ? undefined : tag), 'another ETag')
  must(strong === undefined || /^"[^"]*"$/.test(strong), 'a validator that is none')
  const type = header(dice.pick(['text/html; charset=utf-8', 'Application/JSON', 'text/plain;a=";"']), dice, note)
  const media = await linear(type.text, () => mediaType(type.text))
  must(media === undefined || (media === media.toLowerCase() && !media.includes(';')), 'no media type')
  const encoding = contentEncoding({ headers: { 'content-encoding': type.text } })
  must(encoding !== '' && encoding !== 'identity', 'an encoding that is none')
}

const NAMES = [
  'a.csv',
  'Übersicht 2024.tab',
  'a%20b',
  '50%.txt',
  '日本語.pdf',
  'raw/2024/x.csv',
  '..',
  'a\\b',
  'say "hi".txt',
]

async function disposition(dice: Dice, note: Note): Promise<void> {
  const name = dice.pick(NAMES)
  const encoded = encodeURIComponent(name)
  const raw = Buffer.from(name.replaceAll(/["\\]/g, '\\$&')).toString('latin1')
  const made = dice.pick([
    `filename="${encoded}"`,
    `filename*=UTF-8''${encoded}`,
    `filename="${raw}"`,
    `filename=${encoded}`,
  ])
  const { text, isPlain } = header(`attachment; ${made}`, dice, note)
  const read = await linear(text, () => parseFileName(text))
  const base = name.split(/[/\\]/).at(-1)
  // A plain name with a `%` in it may be taken for an encoded one.
  if (isPlain && !made.includes(raw)) must(read === (base === '..' ? undefined : base), `another name: ${read}`)
  if (read === undefined) return
  must(!/[/\\]/.test(read) && !['', '.', '..'].includes(read), `no name: ${read}`)
  checkPath(safeFilePath('', read).path)
}

const SECRET = 'f3a1c5d2-0000-4444-8888-123456789abc'
const COMPLAINTS = [
  JSON.stringify({
    status: 'ERROR',
    code: 404,
    message: `File not found at https://dv.example.edu/api/x?key=${SECRET}`,
  }),
  JSON.stringify({ status: 'ERROR', message: { message: `User with token ${SECRET} not found.` } }),
  `<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>The key ${SECRET} does not exist</Message></Error>`,
  '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>',
  `<html><head><title>502 Bad Gateway</title></head><body>X-Dataverse-key: ${SECRET}</body></html>`,
  `Authorization: Bearer ${SECRET}`,
  '',
]
const STATUSES = [200, 202, 302, 400, 401, 403, 404, 405, 408, 410, 416, 429, 500, 502, 503, 504, 599]

async function complaint(dice: Dice, note: Note): Promise<void> {
  const { text } = given(dice.pick(COMPLAINTS), dice, 64 * 1024)
  note(text)
  const wait = given(dice.pick(['1', '-5', '99999999999', 'Fri, 27 Nov 2026 12:00:00 GMT']), dice, LONGEST).text
  const refusal = {
    status: dice.pick(STATUSES),
    headers: { 'retry-after': wait, ...(dice.number() < 0.1 && { 'x-amzn-waf-action': 'challenge' }) },
    text,
    what: 'file 42',
    host: 'dv.example.edu',
    elsewhere: dice.number() < 0.3,
    authenticated: dice.number() < 0.5,
    continuation: dice.number() < 0.3,
  }
  const error = await linear(text + wait, () => failureFrom(refusal, (said) => redact(said, [SECRET])))
  checkMessage(error.message)
  must(/^(?:SOURCE_|TOKEN_REJECTED)/.test(error.code), `the code ${error.code}`)
  must(!error.message.includes(SECRET), `a secret: ${error.message}`)
  must(error.retryAfterMs === undefined || (error.retryAfterMs >= 0 && error.retryAfterMs <= HOUR), 'an absurd wait')
}

const HOMES = ['https://dv.example.edu', 'http://dv.example.edu', 'http://127.0.0.1:8080']
const LOCATIONS = [
  'https://dv.example.edu/api/access/datafile/7?signed=1',
  'http://dv.example.edu/x',
  'https://store.example.org/bucket/key?X-Amz-Signature=abc',
  'https://user:word@dv.example.edu/x',
  '/api/access/datafile/8',
  '//evil.example.org/x',
  '../x',
  'http://169.254.169.254/latest/meta-data',
  'http://[::ffff:127.0.0.1]:6379/',
  'http://0x7f.1/',
  'ftp://dv.example.edu/x',
  'javascript:alert(1)',
]

async function redirect(dice: Dice, note: Note): Promise<void> {
  const home = dice.pick(HOMES)
  const { text } = header(dice.pick(LOCATIONS), dice, note)
  const hop: Hop = {
    url: dice.pick([`${home}/api/access/datafile/7`, 'https://store.example.org/x']),
    method: dice.pick(['GET', 'POST'] as const),
    body: dice.number() < 0.5 ? undefined : { text: 'fileIds=1', type: 'text/plain' },
    withCredentials: dice.number() < 0.7,
  }
  const status = dice.pick([301, 302, 303, 307, 308])
  const next = await resultOrCode(() => linear(text, () => nextHop(hop, status, text, home)), /^SOURCE_REJECTED$/)
  if (!next) return
  const { origin, protocol, hostname } = new URL(next.url)
  must(/^https?:$/.test(protocol), `a redirect to ${protocol}`)
  must(!next.withCredentials || (origin === home && hop.withCredentials), `credentials for ${origin}`)
  must(next.body === undefined || origin === home, `a body for ${origin}`)
  must(home.startsWith('http:') || protocol === 'https:', 'a redirect away from TLS')
  const literal = literalAddress(hostname)
  if (literal !== undefined) isPrivateAddress(literal)
}

const BODY = Buffer.from('0123456789'.repeat(300))

/** One whole answer on the wire, with anything changed but its body. */
async function exchange(dice: Dice, note: Note): Promise<void> {
  const from = dice.pick([0, 0, 700])
  const bytes = BODY.subarray(from)
  const lines = [
    from === 0 ? 'HTTP/1.1 200 OK' : 'HTTP/1.1 206 Partial Content',
    ...(from === 0 ? [] : [`Content-Range: bytes ${from}-${BODY.length - 1}/${BODY.length}`]),
    'Content-Type: application/octet-stream; name="a.bin"',
    `Content-Disposition: attachment; filename="a.bin"`,
    'ETag: "abc"',
    dice.pick(['Content-Length: ' + String(bytes.length), 'Connection: close', 'Connection: keep-alive']),
  ]
  const { text, isPlain } = given(`${lines.join('\r\n')}\r\n\r\n`, dice, 4 * LONGEST)
  note(text)
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(Buffer.concat([Buffer.from(text, 'latin1'), bytes])))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const signal = AbortSignal.timeout(30_000)
  const timeouts = { connectMs: 20_000, headersMs: 20_000, idleMs: 20_000 }
  const api = new DataAccessApi({ baseUrl: `http://127.0.0.1:${port}`, retries: 0, timeouts })
  try {
    const read = async (): Promise<{ readonly from: number; readonly bytes: Buffer }> => {
      const opened = await api.open({ kind: 'file', file: 7, format: 'original' }, from, { signal, count: true })
      const chunks: Buffer[] = []
      for await (const chunk of opened.body) chunks.push(Buffer.from(chunk))
      return { from: opened.from, bytes: Buffer.concat(chunks) }
    }
    const got = await resultOrCode(read, /^(?:SOURCE_|TOKEN_REJECTED|SHORT_BODY|ARGUMENT_INVALID)/)
    if (isPlain) must(got?.from === from && got.bytes.equals(bytes), 'other bytes')
    must(!got || (got.from <= from && got.bytes.length <= text.length + bytes.length), 'bytes from nowhere')
  } finally {
    await api.close()
    await new Promise((resolve) => server.close(resolve))
  }
}

/** Bytes of all names and values that S3 keeps with an object, and of the other headers of a request. */
const MOST_METADATA = 2048
const MOST_HEADERS = 8192

/** What is written about an item beside its bytes, and read again. */
async function objectHeaders(dice: Dice, note: Note): Promise<void> {
  const { text } = header(dice.pick(['text/plain', 'doi:10.5072/FK2/ÄÖ', '6.1', '日本語']), dice, note)
  const item = {
    n: 0,
    server: 'https://dv.example.edu',
    ref: { kind: 'file' as const, file: dice.pick<number | string>([7, text]), format: 'original' as const },
    path: safeFilePath('', text).path,
    expect: {},
    contentType: dice.pick(['text/plain', text]),
    origin: { dataset: dice.pick(['doi:10.5072/A', text]), version: '1.0', pid: text },
  }
  const checksum = { algorithm: 'md5' as const, hex: 'a'.repeat(32) }
  const ids = { key: 'b1-0', write: 'w' }
  const headers = await linear(text, () => headersOf(item, ids, {}, { checksum, verified: 'checksum' }))
  const { Metadata = {}, ...others } = headers
  for (const value of [...Object.values(Metadata), ...Object.values(others)]) {
    must(/^[\x20-\x7e]*$/.test(String(value)), `a header that cannot be sent: ${String(value)}`)
  }
  const size = (all: object): number => Object.entries(all).flat().join('').length
  must(size(Metadata) <= MOST_METADATA, `${size(Metadata)} bytes of metadata`)
  must(size(others) <= MOST_HEADERS, `${size(others)} bytes of headers`)
  const head = { metadata: { ...Metadata, 'dataferry-checksum': dice.pick(['md5:' + 'a'.repeat(32), text]) }, size: 1 }
  const proof = proofOf({ ...head, etag: '' })
  must(!proof || (proof.verified === 'checksum' && /^[0-9a-f]{32,128}$/.test(proof.checksum.hex)), 'a proof of nothing')
}

const KINDS = [
  objectHeaders,
  contentRange,
  contentLength,
  retryAfter,
  validators,
  disposition,
  complaint,
  complaint,
  redirect,
  exchange,
]

function header(made: string, dice: Dice, note: Note): Given {
  const value = given(made, dice, LONGEST)
  note(value.text)
  return value
}
