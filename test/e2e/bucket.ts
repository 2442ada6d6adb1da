import { createHash } from 'node:crypto'
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'
import type { S3Server } from '../s3-server.ts'
import { makeHome, type Ended, type Home, type Started } from './cli.ts'

const MIB = 1 << 20
/** Default size of a part of an upload. */
const PART = 8 * MIB
export const SIZES = [0, 1, PART, PART + 1, 26 * MIB, ...Array.from({ length: 40 }, (_, i) => 100 + i * 700)]
export const PID = 'doi:10.5072/FK2/S3'

/** A dataset of `SIZES`, two files of which come wrong once, and an empty bucket for it. */
export interface BucketWorld extends AsyncDisposable {
  readonly dataverse: DataverseProcess
  readonly home: Home
  readonly server: S3Server
  readonly bucket: string
  readonly destination: string
  start(...args: string[]): Started
  run(...args: string[]): Promise<Ended>
}

export async function makeBucketWorld(server: S3Server, bytesPerSecond: number): Promise<BucketWorld> {
  const home = await makeHome()
  const bucket = await server.bucket()
  const files = SIZES.map((size, i) => ({ id: 10 + i, label: `${i}.bin`, content: { size, seed: i } }))
  const dataverse = await startDataverseProcess({
    world: { datasets: [{ pid: PID, files }] },
    bytesPerSecond,
    faults: [
      { file: 12, steps: [{ kind: 'flip', at: 1000 }] },
      { file: 20, steps: [{ kind: 'flip', at: 10 }] },
    ],
  })
  const env = {
    DATAFERRY_S3_ENDPOINT: server.endpoint,
    AWS_ACCESS_KEY_ID: process.env['AWS_ACCESS_KEY_ID'] ?? '',
    AWS_SECRET_ACCESS_KEY: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
    AWS_REGION: process.env['AWS_REGION'] ?? '',
  }
  return {
    dataverse,
    home,
    server,
    bucket,
    destination: `s3://${bucket}/mirror`,
    start: (...args) => home.start(args, env),
    run: (...args) => home.run(args, env),
    async [Symbol.asyncDispose]() {
      await dataverse.close()
      await home[Symbol.asyncDispose]()
      await server.stop()
    },
  }
}

/** Every data object is whole and right: its size and MD5 are those of the file on the server. @returns how many there are */
export async function expectOnlyRightObjects(client: S3Client, bucket: string): Promise<number> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'mirror/doi-' }))
  for (const { Key = '', Size } of Contents) {
    const index = Number(/(\d+)\.bin$/.exec(Key)?.[1])
    expect({ Key, Size }).toEqual({ Key, Size: SIZES[index] })
    const { Metadata } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key }))
    expect(JSON.stringify(Metadata)).toContain(await md5Of(client, bucket, Key))
  }
  return Contents.length
}

export async function md5Of(client: S3Client, bucket: string, key: string): Promise<string> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array()
  return createHash('md5').update(bytes).digest('hex')
}
