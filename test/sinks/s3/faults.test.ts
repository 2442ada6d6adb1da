import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openS3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { bytesOf, contentOf, never, proofOf } from '../../contracts/sink-bytes.ts'
import { describeWithS3, type S3Server } from '../../s3-server.ts'
import { faultProxy, type Fault } from './fault-proxy.ts'
import { dataIn, feed, keysIn, PART, promised, transfer } from './transfer.ts'

const PATH = 'folder/data.csv'
const LARGE = bytesOf(2 * PART + 12_345)
const SMALL = bytesOf(12_345)

await describeWithS3('a store with faults', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  const open = async (endpoint: string, bucket: string) =>
    await openS3Sink(`s3://${bucket}`, { endpoint, partSize: PART, leaseMs: 1000 })

  describe.each<Fault>([500, 503, 'reset', 'lost'])('%s', (fault) => {
    it.each([
      ['beginning an upload', /POST .*\?uploads/, LARGE],
      ['a part in the middle', /PUT .*partNumber=2/, LARGE],
      ['the last part', /PUT .*partNumber=3/, LARGE],
      ['the record of the upload', /PUT .*\.dataferry\/parts/, LARGE],
      ['completing', /POST .*uploadId=(?!.*partNumber)/, LARGE],
      ['a small file', /PUT .*data\.csv/, SMALL],
      ['looking', /HEAD .*data\.csv/, SMALL],
    ])('at %s ends with the right bytes and their proof', async (_, when, bytes) => {
      await using proxy = await faultProxy(server.endpoint)
      const bucket = await server.bucket()
      const sink = await open(proxy.endpoint, bucket)
      proxy.add({ fault, when })
      await sink.stat(PATH, 'b1-0', never)
      await transfer(sink, promised(PATH, bytes), bytes)
      expect(proxy.hits).toBe(1)
      expect((await contentOf(sink, PATH)).equals(bytes)).toBe(true)
      expect(await sink.stat(PATH, 'b1-0', never)).toMatchObject({
        size: bytes.length,
        proof: { verified: 'checksum' },
      })
      expect(await keysIn(server, bucket)).toEqual([PATH])
      await sink.close()
    })
  })

  it('that go on shows nothing, and the next attempt goes on from what was stored', async () => {
    await using proxy = await faultProxy(server.endpoint)
    const bucket = await server.bucket()
    const sink = await openS3Sink(`s3://${bucket}`, { endpoint: proxy.endpoint, partSize: PART, maxAttempts: 2 })
    proxy.add({ fault: 500, when: /PUT .*partNumber=3/, times: 2 })
    {
      await using stage = await sink.stage({ key: 'b1-0', item: promised(PATH, LARGE), signal: never })
      await feed(stage, LARGE)
      const commit = stage.commit(proofOf(LARGE))
      await expect(commit).rejects.toMatchObject({ code: 'SINK_FAILED' })
      expect(await dataIn(server, bucket)).toEqual([])
    }
    expect(await dataIn(server, bucket)).toEqual([])
    expect(await transfer(sink, promised(PATH, LARGE), LARGE)).toBeGreaterThanOrEqual(2 * PART)
    expect(await dataIn(server, bucket)).toEqual([PATH])
    await sink.close()
  })
})
