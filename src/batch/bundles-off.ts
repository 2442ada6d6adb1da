import { createHash } from 'node:crypto'
import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'

/** Records that a server gets no more requests for bundles in this batch. Repeatable. */
export async function recordBundlesOff(records: Records, batch: BatchId, server: string): Promise<void> {
  await records.write(nameFor(batch, server), server)
}

export async function areBundlesOff(records: Records, batch: BatchId, server: string): Promise<boolean> {
  return (await records.read(nameFor(batch, server))) !== undefined
}

/** The servers of which it is recorded. */
export async function archivesOff(records: Records, batch: BatchId): Promise<string[]> {
  const servers: string[] = []
  for (const name of await records.list(names.archivesOff(batch))) {
    const bytes = await records.read(name)
    if (bytes) servers.push(Buffer.from(bytes).toString('utf8'))
  }
  return servers.sort()
}

function nameFor(batch: BatchId, server: string): string {
  const hash = createHash('sha256').update(server).digest('hex').slice(0, 16)
  return `${names.archivesOff(batch)}/${hash}.txt`
}
