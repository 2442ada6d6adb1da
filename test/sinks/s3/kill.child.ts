import { writeSync, openSync } from 'node:fs'
import { openS3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { contractHash } from '../../contracts/hash.ts'
import { never } from '../../contracts/sink-bytes.ts'
import { generated, generatedItem, type KillTask } from './kill-task.ts'

/**
 * Brings a generated file into a bucket and kills itself, with SIGKILL and in the middle of whatever is on its way, after
 * `task.killAfter` bytes. Notes in `task.progress` where it went on and how many bytes it was handed.
 */
const task = JSON.parse(process.argv[2] ?? '') as KillTask
const progress = openSync(task.progress, 'w')
const sink = await openS3Sink(task.url, task.options)
{
  await using stage = await sink.stage({ key: 'b1-0', item: generatedItem(task), signal: never })
  const hash = await contractHash()
  const from = await stage.resume(hash, never)
  async function* handed(): AsyncGenerator<Uint8Array> {
    let at = from
    for (const chunk of generated(task.size, from)) {
      await hash.update(chunk)
      at += chunk.length
      writeSync(progress, `${JSON.stringify({ from, at })}\n`, 0)
      if (at - from >= task.killAfter) process.kill(process.pid, 'SIGKILL')
      yield chunk
    }
  }
  await stage.append(handed(), hash, never)
  await stage.commit({
    checksum: { algorithm: 'md5', hex: await hash.digest() },
    size: task.size,
    verified: 'checksum',
  })
}
await sink.close()
