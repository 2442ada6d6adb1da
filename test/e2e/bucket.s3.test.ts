import { DeleteObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithS3 } from '../s3-server.ts'
import { expectOnlyRightObjects, makeBucketWorld, md5Of, PID, SIZES, type BucketWorld } from './bucket.ts'
import { records } from './cli.ts'

await describeWithS3('a batch to a bucket', (kind) => {
  let world: BucketWorld
  beforeAll(async () => {
    world = await makeBucketWorld(await kind.start(), 0)
  })
  afterAll(() => world[Symbol.asyncDispose]())

  const where = (to = world.destination): string[] => ['--server', world.dataverse.url, '--to', to]

  test('brings every object there whole, also those that came wrong at first', async () => {
    const { code, stdout } = await world.run('run', PID, ...where(), '--json')
    expect(code).toBe(0)
    const [summary] = records(stdout).filter(({ event }) => event === 'summary')
    const planned = SIZES.length
    expect(summary).toMatchObject({ planned, failed: 0, complete: true, verified: { checksum: planned } })
    expect(await expectOnlyRightObjects(world.server.client, world.bucket)).toBe(planned)
  })

  test('an object says what it is and what proves it', async () => {
    const { client } = world.server
    const Key = 'mirror/doi-10.5072-FK2-S3/3.bin'
    const { Metadata } = await client.send(new HeadObjectCommand({ Bucket: world.bucket, Key }))
    expect(JSON.stringify(Metadata)).toContain(PID)
    expect(JSON.stringify(Metadata)).toContain(await md5Of(client, world.bucket, Key))
  })

  test('an object that vanished or was replaced is fetched again from the manifest that verify writes', async () => {
    const again = join(world.home.folder, 'again.csv')
    const gone = 'mirror/doi-10.5072-FK2-S3/7.bin'
    const replaced = 'mirror/doi-10.5072-FK2-S3/8.bin'
    await world.server.client.send(new DeleteObjectCommand({ Bucket: world.bucket, Key: gone }))
    await world.server.client.send(new PutObjectCommand({ Bucket: world.bucket, Key: replaced, Body: 'not mine' }))
    const found = await world.run('verify', world.destination, '--wanted', again)
    expect(found.code).toBe(1)
    expect(found.stdout).toContain('names 2 files')
    const { code, stdout } = await world.run('run', again, ...where(), '-e', 'overwrite-different', '--json')
    expect(code).toBe(0)
    expect(records(stdout).filter(({ event }) => event === 'summary')).toMatchObject([{ planned: 2, done: 2 }])
  })

  test('verify reads every byte, and resume into an empty Redis fetches nothing again', async () => {
    expect((await world.run('verify', world.destination)).code).toBe(0)
    const { code, stdout } = await world.run('resume', world.destination, '--server', world.dataverse.url)
    expect(code).toBe(0)
    expect(stdout).toContain('no unfinished batch')
    const before = (await world.dataverse.totals()).requests
    const again = await world.run('run', PID, ...where(), '--json')
    expect(again.code).toBe(0)
    expect((await world.dataverse.requests(before)).filter(({ url }) => url.includes('/access/'))).toEqual([])
  })

  test('a bucket that is not there is one clear sentence', async () => {
    const { code, stderr } = await world.run('run', '10', ...where('s3://not-there-at-all/x'))
    expect(code).toBe(3)
    expect(stderr).toContain('not-there-at-all')
    expect(stderr).not.toContain('    at ')
  })
})
