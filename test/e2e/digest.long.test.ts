import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { checksumsOf, receiptSchema } from '../../src/model/receipt.ts'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'
import { describeWithOneS3 } from '../s3-server.ts'
import { makeBucketWorld, PID as IN_BUCKET, SIZES, type BucketWorld } from './bucket.ts'
import { makeHome, records, type Home } from './cli.ts'

const MIB = 1 << 20
const PID = 'doi:10.5072/FK2/DIGEST'
const LARGE = { streamed: 60 * MIB, segmented: 160 * MIB }
const SMALL = 120
const KILLS = 5
const BOTH = ['--digest', 'sha256', '--digest', 'sha512']

describe('further digests on disk', () => {
  let dataverse: DataverseProcess
  let home: Home
  beforeAll(async () => {
    dataverse = await startDataverseProcess({
      world: {
        datasets: [
          {
            pid: PID,
            files: [
              { id: 1, label: 'streamed.bin', content: { size: LARGE.streamed, seed: 1 } },
              { id: 2, label: 'stored.bin', content: { size: LARGE.segmented, seed: 2 }, store: 's3-redirect' },
              ...Array.from({ length: SMALL }, (_, i) => ({
                id: 1000 + i,
                label: `small ${i}.bin`,
                content: { size: (i * 977) % 30_000, seed: 100 + i },
                checksum: (['MD5', 'SHA-1', 'SHA-256', 'SHA-512'] as const)[i % 4] ?? 'MD5',
              })),
            ],
          },
        ],
      },
      bytesPerSecond: 24 * MIB,
    })
  })
  beforeEach(async () => {
    home = await makeHome()
    return () => home[Symbol.asyncDispose]()
  })
  afterEach(() => dataverse.set({ bytesPerSecond: 24 * MIB }))
  afterAll(() => dataverse.close())

  /** Resolves when the server has sent so many bytes more of the large files. */
  async function receivedMore(more: number): Promise<void> {
    const sent = async (): Promise<number> => {
      const [one, other] = await Promise.all([1, 2].map((file) => dataverse.counters(file)))
      return (one?.bytes ?? 0) + (other?.bytes ?? 0)
    }
    const before = await sent()
    while ((await sent()) < before + more) await sleep(50)
  }

  /** Has the tools of the system check every sum of a batch. @returns the summary of its run */
  async function expectSums(output: string, files: number): Promise<Record<string, unknown>> {
    const [summary = {}] = records(output).filter(({ event }) => event === 'summary')
    const batch = String(summary['batch'])
    for (const algorithm of ['sha256', 'sha512']) {
      const sums = join('.dataferry', batch, `${algorithm}sums.txt`)
      const { stdout } = await promisify(execFile)(`${algorithm}sum`, ['--strict', '-c', sums], { cwd: home.data })
      expect(stdout.split('\n').filter((line) => line.endsWith(': OK'))).toHaveLength(files)
    }
    return summary
  }

  test('are right for every file after kills in the middle of large ones, of segments and of bundles', async () => {
    const args = ['run', PID, '--server', dataverse.url, '--to', home.data, '--bundle', 'auto', '--json', ...BOTH]
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended } = home.start(args)
      await Promise.race([ended, receivedMore(30 * MIB)])
      child.kill('SIGKILL')
      await ended
    }
    await dataverse.set({ bytesPerSecond: 200 * MIB })
    const { code, stdout } = await home.run(args)
    expect(code).toBe(0)
    const all = SMALL + 2
    expect(await expectSums(stdout, all)).toMatchObject({ complete: true, checksums: { sha256: all, sha512: all } })
    const items = records(stdout).filter(({ event }) => event === 'item')
    expect(items.some(({ resumedFrom }) => typeof resumedFrom === 'number' && resumedFrom > MIB)).toBe(true)
  })

  test('are kept with a batch, also where it goes on without the flag', async () => {
    const args = ['run', PID, '--server', dataverse.url, '--to', home.data, '--json']
    const { child, ended } = home.start([...args, ...BOTH])
    await Promise.race([ended, receivedMore(20 * MIB)])
    child.kill('SIGKILL')
    await ended
    await dataverse.set({ bytesPerSecond: 200 * MIB })
    const { code, stdout } = await home.run(args)
    expect(code).toBe(0)
    await expectSums(stdout, SMALL + 2)
  })

  test('are taken of what an earlier batch fetched without them', async () => {
    await dataverse.set({ bytesPerSecond: 200 * MIB })
    const args = ['run', PID, '--server', dataverse.url, '--to', home.data]
    expect((await home.run(args)).code).toBe(0)
    const again = await home.run([...args, '--new', '--json', '--digest', 'sha512'])
    const [summary] = records(again.stdout).filter(({ event }) => event === 'summary')
    expect(summary).toMatchObject({ kept: SMALL + 2, checksums: { sha512: SMALL + 2 } })
  })

  test('of one file are printed by get', async () => {
    const to = join(home.folder, 'one.bin')
    const { stdout } = await home.run(['get', '1001', '--server', dataverse.url, '-o', to, ...BOTH])
    const sum = promisify(execFile)('sha512sum', [to])
    expect(stdout).toContain(`sha512 ${(await sum).stdout.split(' ')[0] ?? '?'}`)
  })
})

await describeWithOneS3('further digests in a bucket', (kind) => {
  let world: BucketWorld
  beforeAll(async () => {
    world = await makeBucketWorld(await kind.start(), 8 * MIB)
  })
  afterAll(() => world[Symbol.asyncDispose]())

  test('are right for every object after kills in the middle of uploads', async () => {
    const args = ['run', IN_BUCKET, '--server', world.dataverse.url, '--to', world.destination, '--json', ...BOTH]
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended } = world.start(...args)
      await Promise.race([ended, sleep(2_000 + kill * 400)])
      child.kill('SIGKILL')
      await ended
    }
    const { code, stdout } = await world.run(...args)
    expect(code).toBe(0)
    const receipts = records(stdout).flatMap((line) => (line['event'] === 'item' ? [receiptSchema.parse(line)] : []))
    expect(receipts).toHaveLength(SIZES.length)
    for (const receipt of receipts) {
      const command = new GetObjectCommand({ Bucket: world.bucket, Key: `mirror/${receipt.path}` })
      const { Body } = await world.server.client.send(command)
      const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array()
      const found = checksumsOf(receipt).map(({ algorithm }) => algorithm)
      expect(found).toEqual(['md5', 'sha256', 'sha512'])
      for (const { algorithm, hex } of checksumsOf(receipt)) {
        const path = receipt.path
        expect({ path, hex }).toEqual({ path, hex: createHash(algorithm).update(bytes).digest('hex') })
      }
    }
  })
})
