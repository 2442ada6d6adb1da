import { HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { openS3Sink, type S3Options } from '../../../src/sinks/s3/s3-sink.ts'
import { bytesOf, contentOf, never, store } from '../../contracts/sink-bytes.ts'
import { KMS_KEY } from '../../s3-process.ts'
import { describeWithEncryptingS3, describeWithS3, type S3Server } from '../../s3-server.ts'
import { dataIn, feedSome, keysIn, PART, promised, transfer } from './transfer.ts'

const KEY = 'b1-0'
const KEY_ID = process.env.S3_TEST_KMS_KEY ?? KMS_KEY
const CASES: readonly [string, Uint8Array][] = [
  ['a small file', bytesOf(1000)],
  ['an upload in parts', bytesOf(2 * PART + 1)],
]

await describeWithEncryptingS3('encryption', (start) => {
  let server: S3Server
  let bucket: string
  beforeAll(async () => {
    server = await start()
  })
  beforeEach(async () => {
    bucket = await server.bucket()
  })
  afterAll(() => server.stop())

  const open = (options: S3Options) =>
    openS3Sink(`s3://${bucket}`, { endpoint: server.endpoint, partSize: PART, ...options })
  const head = (key: string): Promise<HeadObjectCommandOutput> =>
    server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))

  it.each(CASES)('with the key of the store is what HEAD says: %s', async (_, bytes) => {
    const sink = await open({ sse: 'AES256' })
    await transfer(sink, promised('data', bytes), bytes)
    expect(await head('data')).toMatchObject({ ServerSideEncryption: 'AES256', ContentLength: bytes.length })
    expect((await contentOf(sink, 'data')).equals(bytes)).toBe(true)
    await sink.close()
  })

  it.each(CASES)('with a named key is what HEAD says: %s', async (_, bytes) => {
    const sink = await open({ sse: 'aws:kms', kmsKeyId: KEY_ID })
    await transfer(sink, promised('data', bytes), bytes)
    const { ServerSideEncryption, SSEKMSKeyId } = await head('data')
    expect(ServerSideEncryption).toBe('aws:kms')
    expect(SSEKMSKeyId?.endsWith(KEY_ID)).toBe(true)
    expect((await contentOf(sink, 'data')).equals(bytes)).toBe(true)
    await sink.close()
  })

  it('is that of the records as well: logs, streams, claims and marks', async () => {
    const sink = await open({ sse: 'AES256', storageClass: 'REDUCED_REDUNDANCY' })
    await sink.records.write('b1/batch.json', Buffer.from('{}'))
    const log = await sink.records.appendTo('b1/receipts/1.ndjson')
    await log.append('a line\n')
    await log.close()
    await store(sink, 'archive.zip', bytesOf(PART + 1), { key: 'b1-1', verified: 'structure' })
    await using stage = await sink.stage({ key: KEY, item: promised('data', bytesOf(3 * PART)), signal: never })
    await feedSome(stage, bytesOf(3 * PART), 2 * PART)
    const records = (await keysIn(server, bucket)).filter((key) => key.startsWith('.dataferry/'))
    expect(records.map((key) => key.split('/')[1]).sort()).toEqual(['b1', 'b1', 'marks', 'parts'])
    for (const key of records) {
      const { ServerSideEncryption, StorageClass = 'STANDARD' } = await head(key)
      expect({ key, ServerSideEncryption, StorageClass }).toEqual({
        key,
        ServerSideEncryption: 'AES256',
        StorageClass: 'STANDARD',
      })
    }
    await stage.restart()
    await sink.close()
  })

  it.each(CASES)('leaves the storage class to another option, which is what HEAD says: %s', async (_, bytes) => {
    const sink = await open({ storageClass: 'REDUCED_REDUNDANCY' })
    await transfer(sink, promised('data', bytes), bytes)
    const { ServerSideEncryption, StorageClass } = await head('data')
    expect({ ServerSideEncryption, StorageClass }).toEqual({
      ServerSideEncryption: undefined,
      StorageClass: 'REDUCED_REDUNDANCY',
    })
    await sink.close()
  })

  it('with a key that the store does not have is refused with what to do', async () => {
    const sink = await open({ sse: 'aws:kms', kmsKeyId: 'no-such-key' })
    await expect(sink.records.write('b1/batch.json', Buffer.from('{}'))).rejects.toMatchObject({
      code: 'SINK_UNAVAILABLE',
      message: expect.stringMatching(/does not encrypt .* with aws:kms.*--sse-kms-key/) as unknown,
    })
    expect(await keysIn(server, bucket)).toEqual([])
    await sink.close()
  })

  it('does not change what a storage class is refused with', async () => {
    const sink = await open({ sse: 'AES256', storageClass: 'GLACIER' })
    await expect(transfer(sink, promised('data', bytesOf(10)), bytesOf(10))).rejects.toMatchObject({
      code: 'SINK_UNAVAILABLE',
      message: expect.stringMatching(/storage class GLACIER .*--storage-class/) as unknown,
    })
    expect(await dataIn(server, bucket)).toEqual([])
    await sink.close()
  })
})

await describeWithS3('a store without a key to encrypt with', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  it('is refused for encryption at the first record, even where it says nothing itself', async () => {
    const sink = await openS3Sink(`s3://${await server.bucket()}`, { endpoint: server.endpoint, sse: 'AES256' })
    await expect(sink.records.write('b1/batch.json', Buffer.from('{}'))).rejects.toMatchObject({
      code: 'SINK_UNAVAILABLE',
      remedy: 'park',
      message: expect.stringMatching(/does not encrypt .* with AES256.*omit them/) as unknown,
    })
    await sink.close()
  })
})
