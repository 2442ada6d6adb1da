import { writeBatch, EMPTY_PLAN, writePlanState } from '../../src/batch/folder.ts'
import { ItemsWriter } from '../../src/batch/items-file.ts'
import type { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { pathToFileURL } from 'node:url'
import { batchOf } from '../batch/fixtures.ts'

const SIZE = 262_144
const FLUSH_EVERY = 50_000

export interface Staged {
  readonly id: string
  readonly folder: string
  readonly items: number
  readonly servers: readonly string[]
  /** Path of item `n`. */
  readonly pathOf: (n: number) => string
}

/** A planned batch of any size, at a destination and in Redis; nothing of it has ended. */
export async function stageBatch(ledger: RedisLedger, { id, folder, items, servers, pathOf }: Staged): Promise<void> {
  const destination = pathToFileURL(folder).href
  const sink = diskSink(folder)
  const createdAt = new Date(Date.now() - 3_600_000).toISOString()
  const batch = batchOf(id, {
    destination,
    createdAt,
    servers: [...servers],
    manifest: { name: 'climate.csv', format: 'csv', sha256: 'f'.repeat(64), entries: items },
  })
  await writeBatch(sink.records, batch)
  const writer = await ItemsWriter.open(sink.records, id, { items: 0, bytes: 0 })
  for (let n = 0; n < items; n++) {
    const server = servers[n % servers.length] ?? ''
    const checksum = { algorithm: 'md5' as const, hex: 'd41d8cd98f00b204e9800998ecf8427e' }
    const origin = { dataset: 'doi:10.5072/FK2/CLIMATE', version: '3.0' }
    writer.add({
      server,
      ref: { kind: 'file', file: n + 1, format: 'original' },
      path: pathOf(n),
      expect: { size: SIZE, checksum },
      origin,
    })
    if (writer.buffered >= FLUSH_EVERY) await writer.flush()
  }
  await writer.flush()
  await writer.close()
  const size = items * SIZE
  await writePlanState(sink.records, id, {
    entries: items,
    ...writer.position,
    complete: true,
    totals: { ...EMPTY_PLAN.totals, size, restricted: 12 },
  })
  await sink.close()
  await ledger.open({ id, destination, servers, createdAt })
  await ledger.setPlanned(id, items, size, true)
}

/** Has items `from` … `to` − 1 end well. */
export async function settleMany(
  ledger: RedisLedger,
  id: string,
  from: number,
  to: number,
  state: 'done' | 'kept' = 'done',
): Promise<void> {
  const STEP = 500
  for (let at = from; at < to; at += STEP) {
    const lines = Array.from({ length: Math.min(STEP, to - at) }, (_, i) => ({ n: at + i, state, bytes: SIZE }))
    await ledger.settleAll(id, lines)
  }
}
