import { createHash } from 'node:crypto'
import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'

/** Records that a server gets no more requests for bundles in this batch. Repeatable. */
export async function recordBundlesOff(records: Records, batch: BatchId, server: string): Promise<void> {
  await records.write(`${names.bundlesOff(batch)}/${fileFor(server)}`, server)
}

export async function areBundlesOff(records: Records, batch: BatchId, server: string): Promise<boolean> {
  return (await serversWithoutBundles(records, batch)).includes(server)
}

/** The servers for which it is recorded. */
export async function serversWithoutBundles(records: Records, batch: BatchId): Promise<string[]> {
  const servers = new Set<string>()
  for (const folder of [names.bundlesOff(batch), names.archivesOff(batch)]) {
    for (const name of await records.list(folder)) {
      const bytes = await records.read(name)
      if (bytes) servers.add(Buffer.from(bytes).toString('utf8'))
    }
  }
  return [...servers].sort()
}

function fileFor(server: string): string {
  return `${createHash('sha256').update(server).digest('hex').slice(0, 16)}.txt`
}
