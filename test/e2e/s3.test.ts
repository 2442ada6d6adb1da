import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'
import { describeWithS3, type S3Server } from '../s3-server.ts'
import { makeHome, records, type Home } from './cli.ts'

const MIB = 1 << 20
/** Default size of a part of an upload. */
const PART = 8 * MIB
const SIZES = [0, 1, PART, PART + 1, 26 * MIB, ...Array.from({ length: 40 }, (_, i) => 100 + i * 700)]
const KILLS = 5

await describeWithS3('a batch to a bucket', (kind) => {
  let server: S3Server
  let dataverse: DataverseProcess
  let home: Home
  let bucket: string
  let destination: string
  const env = (): Record<string, string> => ({
    DATAFERRY_S3_ENDPOINT: server.endpoint,
    AWS_ACCESS_KEY_ID: process.env['AWS_ACCESS_KEY_ID'] ?? '',
    AWS_SECRET_ACCESS_KEY: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
    AWS_REGION: process.env['AWS_REGION'] ?? '',
  })
  const run = (...args: string[]) => home.run(args, env())

  beforeAll(async () => {
    server = await kind.start()
    home = await makeHome()
    bucket = await server.bucket()
    destination = `s3://${bucket}/mirror`
    const files = SIZES.map((size, i) => ({ id: 10 + i, label: `${i}.bin`, content: { size, seed: i } }))
    dataverse = await startDataverseProcess({
      world: { datasets: [{ pid: 'doi:10.5072/FK2/S3', files }] },
      bytesPerSecond: 8 * MIB,
      faults: [
        { file: 12, steps: [{ kind: 'flip', at: 1000 }] },
        { file: 20, steps: [{ kind: 'flip', at: 10 }] },
      ],
    })
  })
  afterAll(async () => {
    await dataverse.close()
    await home[Symbol.asyncDispose]()
    await server.stop()
  })

  test('killed again and again, it ends with every object right, and nothing unverified was ever visible', async () => {
    const args = ['run', 'doi:10.5072/FK2/S3', '--server', dataverse.url, '--to', destination, '--json']
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended } = home.start(args, env())
      await Promise.race([ended, sleep(1_500 + kill * 400)])
      child.kill('SIGKILL')
      await ended
      await expectOnlyRightObjects(server.client, bucket)
    }
    const { code, stdout, stderr } = await run(...args)
    expect(stderr).not.toContain('dataferry: ')
    expect(code).toBe(0)
    const [summary] = records(stdout).filter(({ event }) => event === 'summary')
    const planned = SIZES.length
    expect(summary).toMatchObject({ planned, failed: 0, complete: true, verified: { checksum: planned } })
    expect(await expectOnlyRightObjects(server.client, bucket)).toBe(planned)
  }, 240_000)

  test('an object says what it is and what proves it', async () => {
    const { Metadata } = await server.client.send(
      new HeadObjectCommand({ Bucket: bucket, Key: 'mirror/doi-10.5072-FK2-S3/3.bin' }),
    )
    expect(JSON.stringify(Metadata)).toContain('doi:10.5072/FK2/S3')
    expect(JSON.stringify(Metadata)).toContain(await md5Of(server.client, bucket, 'mirror/doi-10.5072-FK2-S3/3.bin'))
  })

  test('an object that vanished or was replaced is fetched again from the manifest that verify writes', async () => {
    const again = join(home.folder, 'again.csv')
    const gone = 'mirror/doi-10.5072-FK2-S3/7.bin'
    const replaced = 'mirror/doi-10.5072-FK2-S3/8.bin'
    await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: gone }))
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: replaced, Body: 'not mine' }))
    const found = await run('verify', destination, '--wanted', again)
    expect(found.code).toBe(1)
    expect(found.stdout).toContain('asks for 2 files again')
    const args = ['run', again, '--server', dataverse.url, '--to', destination, '-e', 'overwrite-different', '--json']
    const { code, stdout } = await run(...args)
    expect(code).toBe(0)
    expect(records(stdout).filter(({ event }) => event === 'summary')).toMatchObject([{ planned: 2, done: 2 }])
  }, 120_000)

  test('verify reads every byte, and resume into an empty Redis fetches nothing again', async () => {
    expect((await run('verify', destination)).code).toBe(0)
    const { code, stdout } = await run('resume', destination, '--server', dataverse.url)
    expect(code).toBe(0)
    expect(stdout).toContain('no unfinished batch')
    const before = (await dataverse.totals()).requests
    const again = await run('run', 'doi:10.5072/FK2/S3', '--server', dataverse.url, '--to', destination, '--json')
    expect(again.code).toBe(0)
    expect((await dataverse.requests(before)).filter(({ url }) => url.includes('/access/'))).toEqual([])
  }, 120_000)

  test('a bucket that is not there is one clear sentence', async () => {
    const { code, stderr } = await run('run', '10', '--server', dataverse.url, '--to', 's3://not-there-at-all/x')
    expect(code).toBe(3)
    expect(stderr).toContain('not-there-at-all')
    expect(stderr).not.toContain('    at ')
  })
})

/** Every data object is whole and right: its size and MD5 are those of the file on the server. @returns how many there are */
async function expectOnlyRightObjects(client: S3Client, bucket: string): Promise<number> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'mirror/doi-' }))
  for (const { Key = '', Size } of Contents) {
    const index = Number(/(\d+)\.bin$/.exec(Key)?.[1])
    expect({ Key, Size }).toEqual({ Key, Size: SIZES[index] })
    const { Metadata } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key }))
    expect(JSON.stringify(Metadata)).toContain(await md5Of(client, bucket, Key))
  }
  return Contents.length
}

async function md5Of(client: S3Client, bucket: string, key: string): Promise<string> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array()
  return createHash('md5').update(bytes).digest('hex')
}
