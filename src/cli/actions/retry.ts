import { DataferryError } from '../../errors.ts'
import type { LedgerEntry } from '../../ledger/ledger.ts'
import { runBatch } from '../batch-run.ts'
import { runShared, somebodyWorks } from '../shared-run.ts'
import type { Command } from '../command.ts'
import { knownBatch } from '../control.ts'
import { plural } from '../../model/format.ts'
import { feed } from '../recover.ts'
import { reopenBatch } from '../reopen-batch.ts'
import { lazyRuntime, openRuntime, type Runtime } from '../runtime.ts'
import { openDestination } from '../destination.ts'

/** What `dataferry retry` does. */
export const run: Command['run'] = async (context) => {
  const { out, args, text, config } = context
  const { share } = config.settings
  const runtime = await openRuntime(context, 'producer')
  let isClosed = false
  const close = async (): Promise<void> => {
    if (!isClosed) await runtime[Symbol.asyncDispose]()
    isClosed = true
  }
  try {
    const { id, destination, attached, servers, tokenServers } = await batchToRetry(runtime, args[0])
    const sink = await openDestination(config, destination)
    try {
      const codes = (text('code') ?? '').split(',').filter((code) => code !== '')
      const { begun, count } = await reopenBatch(runtime.ledger, sink, { id, destination }, codes)
      out.line(`${plural(count, 'failed file')} of ${id} ${count === 1 ? 'is' : 'are'} tried again.`)
      if (count === 0) return 0
      if (!attached && !share && (await somebodyWorks(runtime, { servers, tokenServers, destination }))) {
        await feed(runtime, id)
        return 0
      }
      await close()
      await using lazy = lazyRuntime(context, 'worker')
      const bring = share ? runShared : runBatch
      return await bring(context, sink, begun, lazy)
    } finally {
      await sink.close()
    }
  } finally {
    await close()
  }
}

/** The named batch, or else the newest one that has failures. */
async function batchToRetry({ ledger }: Runtime, given: string | undefined): Promise<LedgerEntry> {
  if (given !== undefined) return knownBatch(ledger, given)
  const newestFirst = [...(await ledger.list())].sort((a, b) => b.createdAt.localeCompare(a.createdAt))
  for (const entry of newestFirst) if ((await ledger.summary(entry.id)).failed > 0) return entry
  throw new DataferryError('BATCH_NOT_FOUND', 'This Redis knows no batch with failures.')
}
