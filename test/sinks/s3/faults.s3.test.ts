import { afterAll, beforeAll, expect, it } from 'vitest'
import { openS3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { bytesOf, never, proofOf } from '../../contracts/sink-bytes.ts'
import { describeWithS3, type S3Server } from '../../s3-server.ts'
import { faultProxy } from './fault-proxy.ts'
import { expectRightAfter, FAULTS, PLACES } from './faults.ts'
import { dataIn, feed, PART, promised, transfer } from './transfer.ts'

const PATH = 'folder/data.csv'
const LARGE = bytesOf(2 * PART + 12_345)

await describeWithS3('a store with faults', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  // Each fault and each request once; faults.long.test.ts has every pair.
  const pairs = PLACES.map(([name, when, bytes], i) => ({ name, when, bytes, fault: FAULTS[i % FAULTS.length] ?? 500 }))
  it.each(pairs)('$fault at $name ends with the right bytes and their proof', ({ when, bytes, fault }) =>
    expectRightAfter(server, fault, when, bytes),
  )

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
