import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openS3Sink, type S3Options } from '../../../src/sinks/s3/s3-sink.ts'
import { never } from '../../contracts/sink-bytes.ts'
import { nodeProgram } from '../../node-program.ts'
import { describeWithEveryS3, type S3Server } from '../../s3-server.ts'
import { CHUNK, generatedChecksum, type KillTask } from './kill-task.ts'
import { dataIn, keysIn, PART } from './transfer.ts'
import { temporaryFolder } from '../temporary-folder.ts'

const CHILD = fileURLToPath(new URL('kill.child.ts', import.meta.url))
const MIB = 1 << 20
/** `S3_KILL_MIB=1024 S3_KILLS=20` is the long form of this test. */
const SIZE = Number(process.env.S3_KILL_MIB ?? 48) * MIB + 12_345
const KILLS = Number(process.env.S3_KILLS ?? 5)

await describeWithEveryS3('a process that is killed again and again', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  it.each<[string, S3Options, number]>([
    ['32 MiB, by default', {}, 32 * MIB],
    ['the one part that it may hold', { partSize: PART, maxConcurrentParts: 1 }, PART],
    ['the two parts that it may hold', { partSize: PART, maxConcurrentParts: 2 }, 2 * PART],
  ])('fetches no more again than %s', async (_, sizes, most) => {
    await using folder = await temporaryFolder()
    const bucket = await server.bucket()
    const options: S3Options = { endpoint: server.endpoint, ...sizes }
    const checksum = generatedChecksum(SIZE)
    const progress = join(folder.path, 'progress')
    const task = { url: `s3://${bucket}`, options, size: SIZE, checksum, progress }
    const again: number[] = []
    let before = 0
    for (let kill = 0; kill <= KILLS; kill++) {
      // Uneven steps, so that every moment of a part is hit by some.
      const killAfter = kill === KILLS ? Infinity : Math.floor((SIZE / KILLS) * (0.6 + 0.37 * ((kill * 7) % 5) * 0.25))
      const { from, at, signal } = await runChild({ ...task, killAfter })
      again.push(before - from)
      before = at
      expect(signal).toBe(kill === KILLS ? null : 'SIGKILL')
      expect(await dataIn(server, bucket)).toEqual(kill === KILLS ? ['large.bin'] : [])
    }
    const sink = await openS3Sink(task.url, options)
    const hash = createHash('md5')
    for await (const chunk of await sink.read('large.bin', never)) hash.update(chunk as Uint8Array)
    expect(hash.digest('hex')).toBe(checksum.hex)
    expect(await keysIn(server, bucket)).toEqual(['large.bin'])
    await sink.close()
    const inMib = again.map((bytes) => (bytes / MIB).toFixed(1)).join(' ')
    process.stderr.write(`fetched again after each of ${KILLS} kills, in MiB: ${inMib}\n`)
    expect(Math.max(...again)).toBeLessThanOrEqual(most + CHUNK)
  })
})

async function runChild(task: KillTask): Promise<{ from: number; at: number; signal: string | null }> {
  // JSON has no Infinity.
  const spelled = JSON.stringify({ ...task, killAfter: Math.min(task.killAfter, Number.MAX_SAFE_INTEGER) })
  const child = spawn(process.execPath, [...nodeProgram(CHILD), spelled], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (code !== null && code !== 0) throw new Error(`the child ended with ${code}`)
  const [line = ''] = (await readFile(task.progress, 'utf8')).split('\n')
  const { from, at } = JSON.parse(line) as { from: number; at: number }
  return { from, at, signal }
}
