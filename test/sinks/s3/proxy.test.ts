import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { NO_PROXIES } from '../../../src/model/proxies.ts'
import { openSink } from '../../../src/sinks/open-sink.ts'
import type { S3Options } from '../../../src/sinks/s3/client.ts'
import { startForwardProxy } from '../../fakes/forward-proxy.ts'
import { AUTHORITY, SERVER } from '../../fakes/tls/index.ts'

/** An empty store, in plain text and with TLS. */
const EMPTY = '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
const stores = [createServer(), createSecureServer(SERVER)].map((server) =>
  server.on('request', (_, response: { end(text: string): unknown }) => response.end(EMPTY)),
)
beforeAll(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test'
  for (const store of stores) await once(store.listen(0, '127.0.0.1'), 'listening')
})
afterAll(() => {
  for (const store of stores) store.close()
})

const host = (at: number): string => `127.0.0.1:${(stores[at]?.address() as AddressInfo).port}`

async function foldersOf(options: S3Options): Promise<readonly string[]> {
  const sink = await openSink('s3://bucket/prefix', { s3: options })
  try {
    return await sink.records.folders()
  } finally {
    await sink.close()
  }
}

it('a store is reached through the proxy that the environment names', async () => {
  await using proxy = await startForwardProxy()
  const proxies = { ...NO_PROXIES, http: proxy.url }
  expect(await foldersOf({ endpoint: `http://${host(0)}`, proxies })).toEqual([])
  expect(new URL(proxy.requests[0]?.target ?? '').host).toBe(host(0))
})

it('a store with TLS is reached in a tunnel, and its certificate is checked against the named authorities', async () => {
  await using proxy = await startForwardProxy()
  const proxies = { ...NO_PROXIES, https: proxy.url }
  expect(await foldersOf({ endpoint: `https://${host(1)}`, proxies, ca: [AUTHORITY] })).toEqual([])
  expect(proxy.requests[0]).toEqual({ method: 'CONNECT', target: host(1) })
  await expect(foldersOf({ endpoint: `https://${host(1)}`, proxies, maxAttempts: 1 })).rejects.toMatchObject({
    code: 'SINK_UNAVAILABLE',
  })
  await expect(foldersOf({ endpoint: `https://${host(1)}`, maxAttempts: 1 })).rejects.toMatchObject({
    code: 'SINK_UNAVAILABLE',
  })
  expect(await foldersOf({ endpoint: `https://${host(1)}`, ca: [AUTHORITY] })).toEqual([])
})
