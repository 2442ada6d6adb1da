import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { toolOptions, type Bench } from './bench.ts'
import { emit, say } from './output.ts'
import { run } from './process.ts'
import { scratch } from './scratch.ts'

const MIB = 1024 * 1024
const measuredSchema = z.object({
  seconds: z.number(),
  workerCpuSeconds: z.number(),
  redisCpuSeconds: z.number(),
  engineCpuSeconds: z.number(),
  bullmqCpuSeconds: z.number(),
  redisPeakMemory: z.number(),
})

/** What an item costs besides its bytes: feeder, BullMQ, ledger and receipts, with a source that answers at once. */
export async function queue(bench: Bench): Promise<void> {
  const { items, streams } = bench.options
  await using folder = await scratch(items * 4096 + 64 * MIB)
  say(`queue: ${items} items without network`)
  await mkdir(join(folder.path, 'state'))
  const script = fileURLToPath(new URL('queue-child.ts', import.meta.url))
  const command = [
    process.execPath,
    '--import',
    import.meta.resolve('tsx'),
    script,
    folder.path,
    String(items),
    String(streams),
  ]
  const { stdout } = await run(command, toolOptions(bench, folder.path))
  const measured = measuredSchema.parse(JSON.parse(stdout))
  const perItem = (seconds: number): number => (seconds * 1000) / items
  const row = {
    benchmark: 'queue',
    items,
    streams,
    itemsPerSecond: items / measured.seconds,
    /** Of the whole path in Node.js. */
    workerMsPerItem: perItem(measured.workerCpuSeconds),
    /** Of that, what the engine takes when it is run without any queue. */
    engineMsPerItem: perItem(measured.engineCpuSeconds),
    overheadMsPerItem: perItem(measured.workerCpuSeconds - measured.engineCpuSeconds),
    /** Of that, what BullMQ alone takes for a job without any work. */
    bullmqMsPerItem: perItem(measured.bullmqCpuSeconds),
    redisMsPerItem: perItem(measured.redisCpuSeconds),
    redisPeakMiB: measured.redisPeakMemory / MIB,
  }
  emit(row)
  say(
    '',
    `${items} items without network, ${streams} at a time: ${row.itemsPerSecond.toFixed(0)} items/s`,
    `  CPU an item: ${row.workerMsPerItem.toFixed(3)} ms in Node.js, of it ${row.engineMsPerItem.toFixed(3)} ms for the engine and ${row.overheadMsPerItem.toFixed(3)} ms for queue, ledger and receipts (BullMQ alone: ${row.bullmqMsPerItem.toFixed(3)} ms)`,
    `  and ${row.redisMsPerItem.toFixed(3)} ms in Redis, whose memory was ${row.redisPeakMiB.toFixed(1)} MiB at its peak`,
  )
}
