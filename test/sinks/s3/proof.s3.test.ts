import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { openS3Sink, type S3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { checksumOf } from '../../contracts/hash.ts'
import { appendHashed, bytesOf, chunked, itemAt, never, proofOf, store } from '../../contracts/sink-bytes.ts'
import { describeWithS3, type S3Server } from '../../s3-server.ts'
import { faultProxy } from './fault-proxy.ts'
import { all, dataIn, feed, keysIn, PART, promised, transfer } from './transfer.ts'

const LARGE = bytesOf(PART + 1)
const KEY = 'b1-7'

await describeWithS3('the proof of an object', (kind) => {
  let server: S3Server
  let bucket: string
  let sink: S3Sink
  beforeAll(async () => {
    server = await kind.start()
  })
  beforeEach(async () => {
    bucket = await server.bucket()
    sink = await openS3Sink(`s3://${bucket}`, { endpoint: server.endpoint, partSize: PART })
    return () => sink.close()
  })
  afterAll(() => server.stop())

  it.each([
    ['a small file', bytesOf(1000)],
    ['an upload in parts', LARGE],
  ])('is its metadata: %s', async (_, bytes) => {
    const path = 'folder/Größe "1".csv'
    await transfer(sink, promised(path, bytes), bytes, KEY)
    const head = await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: path }))
    expect(head.Metadata).toMatchObject({
      'dataferry-checksum': `md5:${checksumOf(bytes).hex}`,
      'dataferry-verified': 'checksum',
      'dataferry-server': 'https://demo.invalid',
      'dataferry-file': '1',
      'dataferry-pid': 'doi:10.5072/FK2/ABC/DEF',
      'dataferry-dataset': 'doi:10.5072/FK2/ABC',
      'dataferry-version': '2.1',
      'dataferry-key': KEY,
    })
    expect(head.ContentType).toBe('text/csv')
    expect(head.ContentDisposition).toBe(
      `attachment; filename="Gr__e _1_.csv"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22.csv`,
    )
    await sink.forget(KEY)
    expect(await sink.stat(path, 'another-1', never)).toMatchObject({ size: bytes.length, proof: proofOf(bytes) })
    expect(await keysIn(server, bucket)).toEqual([path])
  })

  it('has further digests in its metadata where all its bytes are known before, and in its mark', async () => {
    const digests = [checksumOf(LARGE, 'sha256'), checksumOf(LARGE, 'sha512')]
    const statement = { ...proofOf(LARGE), digests }
    await sink.put({ key: KEY, item: promised('whole.bin', LARGE), signal: never }, LARGE, statement)
    expect(await sink.stat('whole.bin', 'another-1', never)).toMatchObject({ proof: { digests } })
    const head = await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'whole.bin' }))
    expect(head.Metadata).toMatchObject({ 'dataferry-sha512': digests[1]?.hex })
    await using stage = await sink.stage({ key: 'b1-9', item: itemAt('parts.bin'), signal: never })
    await stage.restart()
    await appendHashed(stage, chunked(LARGE))
    await stage.commit(statement)
    expect(await sink.stat('parts.bin', 'b1-9', never)).toMatchObject({ proof: { digests } })
  })

  it('is a mark beside it, until forgotten, where no checksum was known when the upload began', async () => {
    await store(sink, 'archive.zip', LARGE, { key: KEY, verified: 'structure' })
    expect(await sink.stat('archive.zip', KEY, never)).toEqual({
      size: LARGE.length,
      proof: { ...proofOf(LARGE, 'structure'), key: KEY },
      key: KEY,
    })
    expect(await sink.stat('archive.zip', 'b1-8', never)).toEqual({ size: LARGE.length, proof: undefined, key: KEY })
    await sink.forget(KEY)
    expect(await sink.stat('archive.zip', KEY, never)).toEqual({ size: LARGE.length, proof: undefined, key: KEY })
    expect(await keysIn(server, bucket)).toEqual(['archive.zip'])
  })

  it('never states a checksum that the bytes do not have, though it was published', async () => {
    const item = promised('legacy.csv', bytesOf(LARGE.length, 3))
    const attempt = async () => {
      await using stage = await sink.stage({ key: KEY, item, signal: never })
      expect(await feed(stage, LARGE)).toBe(0)
      await stage.commit(proofOf(LARGE, 'size'))
    }
    await expect(attempt()).rejects.toMatchObject({ code: 'SINK_FAILED' })
    expect(await dataIn(server, bucket)).toEqual([])
    await attempt()
    expect(await sink.stat('legacy.csv', KEY, never)).toMatchObject({
      size: LARGE.length,
      proof: proofOf(LARGE, 'size'),
    })
    const head = await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'legacy.csv' }))
    expect(head.Metadata).not.toHaveProperty('dataferry-checksum')
  })

  it('costs a small file no request of its own: one to look, one to write', async () => {
    await using proxy = await faultProxy(server.endpoint)
    const proxied = await openS3Sink(`s3://${bucket}`, { endpoint: proxy.endpoint })
    const before = proxy.requests.length
    let next = 0
    const worker = async () => {
      for (let n = next++; n < 1000; n = next++) {
        const bytes = bytesOf(n)
        await proxied.stat(`small/${n}`, `b1-${n}`, never)
        await transfer(proxied, promised(`small/${n}`, bytes), bytes, `b1-${n}`)
        await proxied.forget(`b1-${n}`)
      }
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    expect(proxy.requests.length - before).toBe(2000)
    expect(await all(proxied.list(never))).toHaveLength(1000)
    await proxied.close()
  })
})
