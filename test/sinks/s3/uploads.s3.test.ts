import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
  GetObjectCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { ProcessIdentity } from '../../../src/process/process-identity.ts'
import { openS3Sink, type S3Options, type S3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { contractHash } from '../../contracts/hash.ts'
import { bytesOf, contentOf, itemAt, never, proofOf, store } from '../../contracts/sink-bytes.ts'
import { describeWithS3, type S3Server } from '../../s3-server.ts'
import { deadProcess } from '../disk/dead-process.ts'
import { all, dataIn, feed, feedSome, keysIn, PART, promised, transfer } from './transfer.ts'

const PATH = 'folder/data.csv'
const KEY = 'b1-0'
const BYTES = bytesOf(2 * PART + 12_345)
const ITEM = promised(PATH, BYTES)
const RECORD = '.dataferry/parts/b1-0'

await describeWithS3('uploads', (kind) => {
  let server: S3Server
  let bucket: string
  let sink: S3Sink
  let sinks: S3Sink[]
  beforeAll(async () => {
    server = await kind.start()
  })
  beforeEach(async () => {
    bucket = await server.bucket()
    sinks = []
    sink = await open()
  })
  afterEach(async () => {
    for (const one of sinks) await one.close()
  })
  afterAll(() => server.stop())

  const open = async (options: S3Options = {}, identity?: ProcessIdentity): Promise<S3Sink> => {
    const one = await openS3Sink(`s3://${bucket}`, { endpoint: server.endpoint, partSize: PART, ...options }, identity)
    sinks.push(one)
    return one
  }
  const openUploads = async (): Promise<string[]> => {
    const page = await server.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    return (page.Uploads ?? []).map(({ UploadId = '' }) => UploadId)
  }
  /** An attempt that ends in the middle, and is there to go on with. */
  const interrupted = async (count = 2 * PART): Promise<string> => {
    await using stage = await sink.stage({ key: KEY, item: ITEM, signal: never })
    await feedSome(stage, BYTES, count)
    const [id = ''] = await openUploads()
    return id
  }
  const overwritePart = (UploadId: string, PartNumber: number) =>
    server.client.send(
      new UploadPartCommand({ Bucket: bucket, Key: PATH, UploadId, PartNumber, Body: bytesOf(PART, 99) }),
    )

  it('show nothing while they run, after they were interrupted, and after the checksum was wrong', async () => {
    {
      await using stage = await sink.stage({ key: KEY, item: ITEM, signal: never })
      await feedSome(stage, BYTES, 2 * PART)
      expect(await dataIn(server, bucket)).toEqual([])
      await stage.restart()
      expect(await openUploads()).toEqual([])
      await expect(feed(stage, bytesOf(BYTES.length, 7))).resolves.toBe(0)
      expect(await dataIn(server, bucket)).toEqual([])
      // The engine finds that the checksum is not the promised one.
      await stage.restart()
    }
    expect(await keysIn(server, bucket)).toEqual([])
    expect(await openUploads()).toEqual([])
  })

  it('go on with the parts that the store still holds', async () => {
    const id = await interrupted()
    const from = await transfer(sink, ITEM, BYTES)
    expect(from).toBeGreaterThanOrEqual(PART)
    expect(await dataIn(server, bucket)).toEqual([PATH])
    expect((await contentOf(sink, PATH)).equals(BYTES)).toBe(true)
    expect(id).not.toBe('')
    expect(await openUploads()).toEqual([])
    expect(await keysIn(server, bucket)).toEqual([PATH])
  })

  it('begin again when a part is not the one that was stored', async () => {
    await overwritePart(await interrupted(), 1)
    expect(await transfer(sink, ITEM, BYTES)).toBe(0)
    expect((await contentOf(sink, PATH)).equals(BYTES)).toBe(true)
    expect(await openUploads()).toEqual([])
  })

  it('begin again when somebody aborted them, or the record is damaged', async () => {
    const UploadId = await interrupted()
    await server.client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: PATH, UploadId }))
    expect(await transfer(sink, ITEM, BYTES)).toBe(0)
  })

  it('begin again when the item is another one by now', async () => {
    await interrupted()
    const other = bytesOf(BYTES.length, 5)
    expect(await transfer(sink, promised(PATH, other), other)).toBe(0)
    expect((await contentOf(sink, PATH)).equals(other)).toBe(true)
    expect(await openUploads()).toEqual([])
  })

  it('are not completed when a part was changed under them', async () => {
    await using stage = await sink.stage({ key: KEY, item: ITEM, signal: never })
    await feed(stage, BYTES)
    const [id = ''] = await openUploads()
    await overwritePart(id, 2)
    await expect(stage.commit(proofOf(BYTES))).rejects.toMatchObject({ code: 'SINK_FAILED' })
    expect(await dataIn(server, bucket)).toEqual([])
    expect(await openUploads()).toEqual([])
  })

  it('are not completed when somebody aborted them', async () => {
    await using stage = await sink.stage({ key: KEY, item: ITEM, signal: never })
    await feed(stage, BYTES)
    const [UploadId = ''] = await openUploads()
    await server.client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: PATH, UploadId }))
    await expect(stage.commit(proofOf(BYTES))).rejects.toMatchObject({ code: 'SINK_FAILED' })
    expect(await dataIn(server, bucket)).toEqual([])
    expect(await feed(stage, BYTES)).toBe(0)
    await stage.commit(proofOf(BYTES))
    expect((await contentOf(sink, PATH)).equals(BYTES)).toBe(true)
  })

  it('have one live writer', async () => {
    await using stage = await sink.stage({ key: KEY, item: ITEM, signal: never })
    const other = await open()
    const busy = other.stage({ key: KEY, item: ITEM, signal: never })
    await expect(busy).rejects.toMatchObject({ code: 'SINK_BUSY' })
    expect(await stage.restart()).toBe(0)
  })

  it('pass to the next writer, and the one that wakes cannot publish over it', async () => {
    const frozen = await open({}, await deadProcess())
    await using old = await frozen.stage({ key: KEY, item: ITEM, signal: never })
    await feed(old, BYTES)
    await using next = await sink.stage({ key: KEY, item: ITEM, signal: never })
    expect(await feed(next, BYTES)).toBeGreaterThanOrEqual(PART)
    await expect(old.commit(proofOf(BYTES))).rejects.toMatchObject({ code: 'SINK_BUSY' })
    expect(await dataIn(server, bucket)).toEqual([])
    await next.commit(proofOf(BYTES))
    await expect(old.restart()).rejects.toMatchObject({ code: 'SINK_BUSY' })
    expect((await contentOf(sink, PATH)).equals(BYTES)).toBe(true)
  })

  it('pass to the next writer when a remote one has given no sign of life for the time of its lease', async () => {
    const remote = await open({}, { host: 'elsewhere', space: 'another machine', pid: 1, startTime: '1' })
    let record: Uint8Array
    {
      await using stage = await remote.stage({ key: KEY, item: ITEM, signal: never })
      await feedSome(stage, BYTES, 2 * PART)
      const found = await server.client.send(new GetObjectCommand({ Bucket: bucket, Key: RECORD }))
      record = (await found.Body?.transformToByteArray()) ?? new Uint8Array()
    }
    // As if that machine had lost its power: the record says that it writes, and nobody renews it.
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: RECORD, Body: record }))
    const impatient = await open({ leaseMs: 2000 })
    await expect(impatient.stage({ key: KEY, item: ITEM, signal: never })).rejects.toMatchObject({ code: 'SINK_BUSY' })
    const stage = await vi.waitFor(() => impatient.stage({ key: KEY, item: ITEM, signal: never }), {
      timeout: 120_000,
      interval: 200,
    })
    expect(await stage.resume(await contractHash(), never)).toBeGreaterThanOrEqual(PART)
    await stage[Symbol.asyncDispose]()
  })

  it('replace what was looked at and nothing newer', async () => {
    expect(await sink.stat(PATH, KEY, never)).toBeUndefined()
    await using stage = await sink.stage({ key: KEY, item: ITEM, signal: never })
    await feed(stage, BYTES)
    await store(await open(), PATH, bytesOf(10), { key: 'b2-0' })
    await expect(stage.commit(proofOf(BYTES))).rejects.toMatchObject({ code: 'SINK_BUSY' })
    expect(await contentOf(sink, PATH)).toEqual(bytesOf(10))
    await sink.stat(PATH, KEY, never)
  })

  it('of ended processes are found and aborted, and those of other programs are left alone', async () => {
    const dead = await open({}, await deadProcess())
    const lost = await dead.stage({ key: KEY, item: ITEM, signal: never })
    await feedSome(lost, BYTES, 2 * PART)
    const [ours] = await openUploads()
    await server.client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'folder/of another program' }))
    await using live = await sink.stage({ key: 'b2-0', item: promised('other', BYTES), signal: never })
    const found = await all(sink.abandonedUploads(never))
    expect(found).toEqual([{ key: KEY, path: PATH, uploadId: ours }])
    expect(await sink.sweep(never, (key) => key !== KEY)).toBe(0)
    expect(await sink.sweep(never, (key) => key === KEY)).toBe(1)
    expect(await openUploads()).toHaveLength(1)
    expect(await openUploads()).not.toContain(ours)
    await sink.forget(KEY)
    expect(await keysIn(server, bucket)).toEqual(['.dataferry/parts/b2-0'])
    await live.restart()
  })

  it('go with their key', async () => {
    await interrupted()
    await sink.forget(KEY)
    expect(await openUploads()).toEqual([])
    expect(await keysIn(server, bucket)).toEqual([])
  })

  it('take more than was announced, and sizes that nobody announced', async () => {
    const announced = { ...ITEM, expect: { ...ITEM.expect, size: 1000 } }
    expect(await transfer(sink, announced, BYTES)).toBe(0)
    expect((await contentOf(sink, PATH)).equals(BYTES)).toBe(true)
    await store(sink, 'unknown', BYTES, { key: 'b1-1', verified: 'nothing' })
    expect((await contentOf(sink, 'unknown')).equals(BYTES)).toBe(true)
    expect(itemAt('unknown').expect).toEqual({})
  })
})
