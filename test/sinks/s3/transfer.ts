import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { Item } from '../../../src/model/item.ts'
import type { Sink, Stage } from '../../../src/sinks/sink.ts'
import { checksumOf, contractHash } from '../../contracts/hash.ts'
import { appendHashed, chunked, itemAt, never, proofOf } from '../../contracts/sink-bytes.ts'
import type { S3Server } from '../../s3-server.ts'

export const PART = 5 << 20

/** An item as a listing with checksums describes it. */
export function promised(path: string, bytes: Uint8Array): Item {
  return {
    ...itemAt(path, bytes.length),
    expect: { size: bytes.length, checksum: checksumOf(bytes) },
    origin: { dataset: 'doi:10.5072/FK2/ABC', version: '2.1', pid: 'doi:10.5072/FK2/ABC/DEF' },
    contentType: 'text/csv',
  }
}

/** Brings an item home as the engine does: resumes, appends the rest, compares the checksum, commits. @returns where it went on */
export async function transfer(sink: Sink, item: Item, bytes: Uint8Array, key = 'b1-0'): Promise<number> {
  await using stage = await sink.stage({ key, item, signal: never })
  const from = await feed(stage, bytes)
  await stage.commit(proofOf(bytes))
  return from
}

/** Everything but the commit. Rejects when the bytes do not have the checksum. */
export async function feed(stage: Stage, bytes: Uint8Array): Promise<number> {
  const hash = await contractHash()
  const from = await stage.resume(hash, never)
  await appendHashed(stage, chunked(bytes.subarray(from)), never, Promise.resolve(hash))
  if ((await hash.digest()) !== checksumOf(bytes).hex) throw new Error('the hash did not see these bytes')
  return from
}

/** Appends the first `count` bytes, then the source breaks; the stage stays open. */
export async function feedSome(stage: Stage, bytes: Uint8Array, count: number): Promise<void> {
  await stage.restart()
  const broken = chunked(bytes, {
    stopAt: count,
    onStop: () => {
      throw new Error('the line broke')
    },
  })
  await appendHashed(stage, broken).catch(() => undefined)
}

/** Every key in a bucket, as any other client sees it. */
export async function keysIn({ client }: S3Server, bucket: string): Promise<string[]> {
  const page = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  return (page.Contents ?? []).map(({ Key = '' }) => Key)
}

export async function dataIn(server: S3Server, bucket: string): Promise<string[]> {
  return (await keysIn(server, bucket)).filter((key) => !key.startsWith('.dataferry/'))
}

export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const value of values) found.push(value)
  return found
}
