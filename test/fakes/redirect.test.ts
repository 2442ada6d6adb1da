import { expect, it } from 'vitest'
import type { Answer } from './ask.ts'
import { ask } from './ask.ts'
import type { StandIn } from './dataverse/server.ts'
import { standIns, TABLE, worldOf } from './worlds.ts'

const start = standIns()
const store = 's3-redirect'
const world = () =>
  worldOf(
    { id: 1, label: 'a ü.bin', content: '0123456789', store, contentType: 'text/csv' },
    { ...TABLE, store },
    { ...TABLE, id: 51, store, tabular: { ...TABLE.tabular, storedWithHeader: true } },
  )

async function location(dv: StandIn, path: string): Promise<string> {
  const answer = await ask(`${dv.url}/api/access/datafile/${path}`)
  expect([answer.status, answer.body.length]).toEqual([303, 0])
  return answer.headers.location ?? ''
}

it('a file in an object store is 303 to a presigned URL of another origin, without credentials, Range or not', async () => {
  const dv = await start({ world: world(), tokens: { secret: { user: '@jane' } } })
  const url = await location(dv, '1?key=secret')
  expect(url.startsWith(`${dv.storageUrl}/10.5072/FK2/TEST/1?X-Amz-Algorithm=AWS4-HMAC-SHA256&`)).toBe(true)
  expect(url).not.toContain('secret')
  const ranged = await ask(`${dv.url}/api/access/datafile/1`, { headers: { Range: 'bytes=2-' } })
  expect(ranged.status).toBe(303)
  expect(dv.records.file(1).counted).toBe(2)
})

it('the storage host sends the bytes with its own headers: ETag, Last-Modified, RFC 5987 name', async () => {
  const dv = await start({ world: world() })
  const answer = await ask(await location(dv, '1'))
  expect(answer.text).toBe('0123456789')
  expect(answer.headers).toMatchObject({
    etag: '"1"',
    'accept-ranges': 'bytes',
    'content-type': 'text/csv',
    'content-disposition': "attachment; filename*=UTF-8''a%20%C3%BC.bin",
  })
  expect(answer.headers['last-modified']).toBeDefined()
})

it('the storage host knows ranges, If-Range, and 416 as XML', async () => {
  const dv = await start({ world: world() })
  const url = await location(dv, '1')
  const get = (headers: Record<string, string>): Promise<Answer> => ask(url, { headers })
  const part = await get({ Range: 'bytes=2-4' })
  expect([part.status, part.text, part.headers['content-range']]).toEqual([206, '234', 'bytes 2-4/10'])
  expect((await get({ Range: 'bytes=2-4', 'If-Range': '"other"' })).status).toBe(200)
  const beyond = await get({ Range: 'bytes=10-' })
  expect([beyond.status, beyond.headers['content-type']]).toEqual([416, 'application/xml'])
  expect((await get({ Range: 'bytes=-99' })).text).toBe('0123456789')
})

it('a presigned URL is for GET only, breaks when edited, and refuses a second kind of credentials', async () => {
  const dv = await start({ world: world() })
  const url = await location(dv, '1')
  expect((await ask(url, { method: 'HEAD' })).status).toBe(403)
  expect((await ask(url.replace('text%2Fcsv', 'text%2Fhtml'))).status).toBe(403)
  expect((await ask(url, { headers: { Authorization: 'Bearer x' } })).status).toBe(400)
})

it('a presigned URL expires with 403 XML, while a transfer that runs goes on', async () => {
  let now = 1_800_000_000_000
  const dv = await start({ world: world(), presignTtlMs: 60_000, clock: () => now })
  const url = await location(dv, '1')
  now += 59_000
  expect((await ask(url)).status).toBe(200)
  now += 3_000
  const late = await ask(url)
  expect([late.status, late.headers['content-type']]).toEqual([403, 'application/xml'])
  expect(late.text).toContain('Request has expired')
})

it('a token that reaches the storage host is recorded as a leak', async () => {
  const dv = await start({ world: world() })
  const url = await location(dv, '1')
  await ask(url)
  expect(dv.records.leaks).toBe(0)
  await ask(url, { headers: { 'X-Dataverse-key': 'secret' } })
  expect(dv.records.leaks).toBe(1)
  expect(dv.requests.at(-1)).toMatchObject({ origin: 'storage', hasToken: true, file: 1, status: 200, bytes: 10 })
})

it('of a tabular file the original, the headerless rows and a tab stored with header are redirected, other forms streamed', async () => {
  const dv = await start({ world: world() })
  expect((await ask(await location(dv, '50?format=original'))).text).toBe('a,b\r\n1,2\r\n')
  expect((await ask(await location(dv, '50?noVarHeader=1'))).text).toBe('1\t2\n')
  expect((await ask(await location(dv, '51'))).text).toBe('a\tb\n1\t2\n')
  for (const path of ['50', '50?format=tab', '51?format=tab', '50?variables=50000'])
    expect((await ask(`${dv.url}/api/access/datafile/${path}`)).status, path).toBe(200)
})
