import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { openS3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { bytesOf, store } from '../../contracts/sink-bytes.ts'
import { AUTHORITY, SERVER } from '../../fakes/tls/index.ts'

const EMPTY = '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
const BYTES = bytesOf(1000)

/** What the signature says of the bytes of one object that is put into a store behind TLS or not. */
async function signedPayload(secure: boolean): Promise<IncomingMessage['headers']> {
  const server = secure ? createSecureServer(SERVER) : createServer()
  let put: IncomingMessage['headers'] = {}
  server.on('request', (request: IncomingMessage, response) => {
    if (request.method === 'PUT' && request.url?.startsWith('/bucket/data/a.bin')) put = request.headers
    request.resume().on('end', () => response.setHeader('ETag', '"e"').end(request.method === 'GET' ? EMPTY : ''))
  })
  process.env['AWS_ACCESS_KEY_ID'] = 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test'
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const endpoint = `http${secure ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}`
  const sink = await openS3Sink('s3://bucket', { endpoint, ca: [AUTHORITY] })
  try {
    await store(sink, 'data/a.bin', BYTES)
  } finally {
    await sink.close()
    server.closeAllConnections()
    server.close()
  }
  return put
}

it('leaves the bytes out of the signature over TLS, which protects them', async () => {
  const headers = await signedPayload(true)
  expect(headers['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD')
  expect(headers.authorization).toMatch(/SignedHeaders=[^,]*x-amz-content-sha256/)
})

it('signs the bytes in plain text, where nothing else protects them', async () => {
  const headers = await signedPayload(false)
  expect(headers['x-amz-content-sha256']).toBe(createHash('sha256').update(BYTES).digest('hex'))
})
