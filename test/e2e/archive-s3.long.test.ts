import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkArchive } from '../../src/archive/check-archive.ts'
import { bufferAccess } from '../../src/archive/random-access.ts'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import { makeHome, records, type Home } from './cli.ts'

const PID = 'doi:10.5072/FK2/S3ZIP'
const SMALL = 40

await describeWithOneS3('Archives', (kind) => {
  let s3: S3Server
  let dataverse: DataverseProcess
  let home: Home
  let bucket: string
  let env: Record<string, string>
  beforeAll(async () => {
    home = await makeHome()
    s3 = await kind.start()
    bucket = await s3.bucket()
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_REGION = '' } = process.env
    env = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL_S3: s3.endpoint }
    const small = Array.from({ length: SMALL }, (_, i) => ({
      label: `f${i}.bin`,
      content: { size: 2_000, seed: i + 1 },
    }))
    const large = { label: 'large.bin', content: { size: 20 << 20, seed: 99 } }
    const secret = { label: 'secret.bin', content: 'secret', restricted: true }
    dataverse = await startDataverseProcess({ world: { datasets: [{ pid: PID, files: [...small, large, secret] }] } })
  })
  afterAll(async () => {
    await dataverse.close()
    await s3.stop()
    await home[Symbol.asyncDispose]()
  })

  async function keys(prefix: string): Promise<string[]> {
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
    return Contents.flatMap(({ Key }) => (Key === undefined || Key.includes('/.dataferry/') ? [] : [Key]))
  }

  test('that were asked for are proven while they are uploaded, and one that is cut off never shows', async () => {
    const manifest = `kind,dataset\ndataset-zip,${PID}\n`
    const args = ['run', '-', '--server', dataverse.url, '--to', `s3://${bucket}/kept`, '--json']
    await dataverse.fault({ path: '/access/dataset/', steps: [{ kind: 'early-end', after: 12 << 20 }] })
    const { code, stdout } = await home.run(args, env, manifest)
    const [summary] = records(stdout).filter(({ event }) => event === 'summary')
    expect(summary).toMatchObject({ done: 1, leftOut: 1, complete: false, verified: { structure: 1 } })
    expect(code).toBe(1)
    const [key] = await keys('kept/')
    expect(key).toBe('kept/doi-10.5072-FK2-S3ZIP_1.0.zip')
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    const { entries } = await checkArchive(bufferAccess((await Body?.transformToByteArray()) ?? new Uint8Array()))
    expect(entries).toHaveLength(SMALL + 1)
  })

  test('of small files become objects of their own', async () => {
    const args = ['run', PID, '--server', dataverse.url, '--to', `s3://${bucket}/bundled`, '--bundle', 'auto', '--json']
    const { stdout } = await home.run(args, env)
    const [summary] = records(stdout).filter(({ event }) => event === 'summary')
    expect(summary).toMatchObject({ done: SMALL + 1, failed: 1, verified: { checksum: SMALL + 1 } })
    expect(await keys('bundled/')).toHaveLength(SMALL + 1)
    const zips = (await dataverse.requests()).filter(({ url }) => url.includes('/access/datafiles/'))
    expect(zips).toHaveLength(1)
  })
})
