import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { openS3Sink, type S3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { bytesOf, collect } from '../../contracts/sink-bytes.ts'
import { describeWithOneS3, type S3Server } from '../../s3-server.ts'
import { faultProxy } from './fault-proxy.ts'
import { keysIn } from './transfer.ts'

const LOG = 'b1/items.ndjson'
const KEY = `.dataferry/${LOG}`

await describeWithOneS3('a log in a bucket', (kind) => {
  let server: S3Server
  let bucket: string
  let sink: S3Sink
  beforeAll(async () => {
    server = await kind.start()
  })
  beforeEach(async () => {
    bucket = await server.bucket()
    sink = await openS3Sink(`s3://${bucket}`, { endpoint: server.endpoint })
    return () => sink.close()
  })
  afterAll(() => server.stop())

  const content = async () => (await collect(sink.records.streamLog(LOG, 0))).toString()
  const put = (Key: string, Body: string) => server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))

  it('is not one object for each append', async () => {
    for (let round = 0; round < 2; round++) {
      const log = await sink.records.appendTo(LOG)
      for (let n = 0; n < 20; n++) await log.append('a line\n')
      await log.close()
    }
    expect(await keysIn(server, bucket)).toEqual([`${KEY}/0000000000000000`])
    const log = await sink.records.appendTo(LOG)
    await log.append(bytesOf(100_000))
    await log.append('after')
    await log.close()
    expect(await keysIn(server, bucket)).toEqual([`${KEY}/0000000000000000`, `${KEY}/0000000000100280`])
    expect((await sink.records.readLog(LOG, 100_278, 100_284)).subarray(2)).toEqual(Buffer.from('afte'))
  })

  it('ends at a gap, and what lies beyond never comes back', async () => {
    await put(`${KEY}/0000000000000000`, '0123')
    await put(`${KEY}/0000000000000004`, '4567')
    await put(`${KEY}/0000000000000010`, 'beyond')
    expect(await content()).toBe('01234567')
    const log = await sink.records.appendTo(LOG)
    expect(log.length).toBe(8)
    await log.append('89')
    await log.close()
    expect(await content()).toBe('0123456789')
  })

  it('is cut within a segment and before later ones', async () => {
    await put(`${KEY}/0000000000000000`, '0123')
    await put(`${KEY}/0000000000000004`, '4567')
    await put(`${KEY}/0000000000000008`, '89')
    const log = await sink.records.appendTo(LOG, 6)
    await log.append('x')
    await log.close()
    expect(await content()).toBe('012345x')
    await (await sink.records.appendTo(LOG, 4)).close()
    expect(await content()).toBe('0123')
  })

  it('is as it was when an append failed, and takes the next one', async () => {
    await using proxy = await faultProxy(server.endpoint)
    const faulty = await openS3Sink(`s3://${bucket}`, { endpoint: proxy.endpoint, maxAttempts: 1 })
    const log = await faulty.records.appendTo(LOG)
    await log.append('first\n')
    // Stored, but nobody is told.
    proxy.add({ fault: 'lost', when: /PUT/ })
    await expect(log.append('second, which is longer\n')).rejects.toMatchObject({
      code: expect.stringMatching(/^SINK_/) as unknown,
    })
    expect(log.length).toBe(6)
    await log.append('third\n')
    await log.close()
    await faulty.close()
    expect(await content()).toBe('first\nthird\n')
  })

  it('is read without a listing where it is known', async () => {
    await using proxy = await faultProxy(server.endpoint)
    const counted = await openS3Sink(`s3://${bucket}`, { endpoint: proxy.endpoint })
    const log = await counted.records.appendTo(LOG)
    await log.append(bytesOf(1000))
    await log.close()
    await counted.records.readLog(LOG, 0, 1000)
    const before = proxy.requests.length
    await counted.records.readLog(LOG, 10, 20)
    expect(proxy.requests.slice(before)).toHaveLength(1)
    await counted.close()
  })
})
