import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openS3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { contractHash } from '../../contracts/hash.ts'
import { appendHashed, bytesOf, chunked, contentOf, itemAt, never, proofOf, store } from '../../contracts/sink-bytes.ts'
import { describeWithS3, type S3Server } from '../../s3-server.ts'
import { faultProxy } from './fault-proxy.ts'
import { keysIn, PART, promised } from './transfer.ts'

const AWAY = { code: 'SINK_UNAVAILABLE', remedy: 'park' }
const LARGE = bytesOf(2 * PART + 12_345)

await describeWithS3('an object store', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  it('that was killed is unavailable as a whole, and an upload goes on once it is back', async (context) => {
    if (!server.outage) return context.skip('this server was not started by the tests, which cannot kill it')
    const bucket = await server.bucket()
    const sink = await openS3Sink(`s3://${bucket}`, { endpoint: server.endpoint, partSize: PART, maxAttempts: 2 })
    const item = promised('a', LARGE)
    await using stage = await sink.stage({ key: 'b1-0', item, signal: never })
    await stage.restart()
    await appendHashed(stage, chunked(LARGE, { stopAt: 2 * PART + 10 }))
    await server.outage(async () => {
      await expect(stage.commit(proofOf(LARGE.subarray(0, 2 * PART + 10)))).rejects.toMatchObject(AWAY)
      await expect(sink.stage({ key: 'b1-1', item: itemAt('b'), signal: never })).rejects.toMatchObject(AWAY)
      await expect(sink.records.write('b1/report.json', '{}')).rejects.toMatchObject(AWAY)
      await expect(sink.check()).rejects.toMatchObject({
        ...AWAY,
        message: expect.stringContaining('(ECONNREFUSED)') as unknown,
      })
    })
    await sink.check()
    const hash = await contractHash()
    const from = await stage.resume(hash, never)
    expect(from).toBeGreaterThan(0)
    await appendHashed(stage, chunked(LARGE.subarray(from)), never, Promise.resolve(hash))
    await stage.commit(proofOf(LARGE))
    expect((await contentOf(sink, 'a')).equals(LARGE)).toBe(true)
    await sink.close()
  })

  describe('whose answer is a refusal', () => {
    it.each([
      ['one object', /PUT .*data\.csv/, 'SINK_DENIED'],
      ['records', /PUT .*\.dataferry\/parts/, 'SINK_UNAVAILABLE'],
      ['everything that is written', /PUT /, 'SINK_UNAVAILABLE'],
    ])('of %s is told by trying, in its own words', async (_, when, code) => {
      await using proxy = await faultProxy(server.endpoint)
      const bucket = await server.bucket()
      const sink = await openS3Sink(`s3://${bucket}`, { endpoint: proxy.endpoint })
      await store(sink, 'before', bytesOf(10))
      proxy.add({ fault: 403, when, times: 99 })
      await expect(store(sink, 'data.csv', bytesOf(10))).rejects.toMatchObject({
        code,
        message: expect.stringMatching(
          /denies s3:PutObject.*\(AccessDenied: No write for you, \[31m \[key id\]\)\.$/,
        ) as unknown,
      })
      await sink.close()
    })

    it.each([
      ['one object', /HEAD .*data\.csv/, 'SINK_DENIED'],
      ['everything that is read', /HEAD |GET /, 'SINK_UNAVAILABLE'],
    ])('to read %s is told without writing', async (_, when, code) => {
      await using proxy = await faultProxy(server.endpoint)
      const bucket = await server.bucket()
      const sink = await openS3Sink(`s3://${bucket}`, { endpoint: proxy.endpoint })
      proxy.add({ fault: 403, when, times: 99 })
      await expect(sink.stat('data.csv', 'b1-0', never)).rejects.toMatchObject({ code })
      expect(proxy.requests.filter((line) => line.startsWith('PUT'))).toEqual([])
      expect(await keysIn(server, bucket)).toEqual([])
      await sink.close()
    })
  })
})
