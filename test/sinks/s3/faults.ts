import { expect } from 'vitest'
import { openS3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { bytesOf, contentOf, never } from '../../contracts/sink-bytes.ts'
import type { S3Server } from '../../s3-server.ts'
import { faultProxy, type Fault } from './fault-proxy.ts'
import { keysIn, PART, promised, transfer } from './transfer.ts'

export const FAULTS: readonly Fault[] = [500, 503, 'reset', 'lost']

const PATH = 'folder/data.csv'
const LARGE = bytesOf(2 * PART + 12_345)
const SMALL = bytesOf(12_345)

/** Requests that a fault may meet, each with a file that causes it. */
export const PLACES: readonly (readonly [string, RegExp, Uint8Array])[] = [
  ['beginning an upload', /POST .*\?uploads/, LARGE],
  ['a part in the middle', /PUT .*partNumber=2/, LARGE],
  ['the last part', /PUT .*partNumber=3/, LARGE],
  ['the record of the upload', /PUT .*\.dataferry\/parts/, LARGE],
  ['completing', /POST .*uploadId=(?!.*partNumber)/, LARGE],
  ['a small file', /PUT .*data\.csv/, SMALL],
  ['looking', /HEAD .*data\.csv/, SMALL],
]

/** One fault at one request: the file is there all the same, whole and with its proof, and nothing else is. */
export async function expectRightAfter(server: S3Server, fault: Fault, when: RegExp, bytes: Uint8Array): Promise<void> {
  await using proxy = await faultProxy(server.endpoint)
  const bucket = await server.bucket()
  const sink = await openS3Sink(`s3://${bucket}`, { endpoint: proxy.endpoint, partSize: PART, leaseMs: 1000 })
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
}
