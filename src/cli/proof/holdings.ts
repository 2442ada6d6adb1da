import { listBatches } from '../../batch/folder.ts'
import { parseIdentifier } from '../../dataverse/identifier.ts'
import { DataferryError } from '../../errors.ts'
import { listMirrors, readOrder } from '../../mirror/order.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { batchHoldings } from '../../proof/batch-holdings.ts'
import type { Holding } from '../../proof/holding.ts'
import { mirrorHoldings } from '../../proof/mirror-holdings.ts'
import type { Sink } from '../../sinks/sink.ts'
import { idsMeant } from '../batch-names.ts'

export interface HoldingsOptions {
  readonly sink: Sink
  /** Name of a mirror, a batch or the end of its name, or the PID of a dataset. */
  readonly what: string
  readonly per: 'dataset' | 'batch'
  readonly signal: AbortSignal
}

/** What is held of what somebody names. Rejects with `ARGUMENT_INVALID`, `NO_RECORDS` and `BATCH_NOT_FOUND`. */
export async function* holdingsOf({ sink, what, per, signal }: HoldingsOptions): AsyncGenerator<Holding, void> {
  const { records } = sink
  const mirrors = await listMirrors(records)
  const batches = (await listBatches(records)).map(({ id }) => id)
  if (mirrors.length + batches.length === 0) {
    throw new DataferryError('NO_RECORDS', `There is nothing to hand on: ${shownUrl(sink.url)} has no records.`)
  }
  if (mirrors.includes(what)) {
    if (per === 'batch')
      throw new DataferryError('ARGUMENT_INVALID', `${what} is a mirror: --per batch is for batches.`)
    yield* ofMirror(sink, what)
    return
  }
  const meant = idsMeant(what, batches)
  const [batch, other] = meant
  if (other !== undefined) {
    throw new DataferryError('ARGUMENT_INVALID', `${what} may be ${meant.join(' or ')}: give more of the name.`)
  }
  if (batch !== undefined) {
    yield* batchHoldings({ records, batch, per, signal })
    return
  }
  yield* ofDataset({ sink, what, per, signal }, mirrors, batches)
}

async function* ofMirror({ records }: Sink, name: string, pid?: string): AsyncGenerator<Holding, void> {
  const order = await readOrder(records, name)
  if (order) yield* mirrorHoldings(records, order, pid)
}

/** A mirror's, else the newest batch's. */
async function* ofDataset(
  { sink, what, signal }: HoldingsOptions,
  mirrors: readonly string[],
  batches: readonly string[],
): AsyncGenerator<Holding, void> {
  const { records } = sink
  const pid = pidOf(what)
  if (pid !== undefined) {
    const sources = [
      ...mirrors.map((mirror) => () => ofMirror(sink, mirror, pid)),
      ...batches.toReversed().map((batch) => () => batchHoldings({ records, batch, per: 'dataset', pid, signal })),
    ]
    for (const open of sources) {
      let found = false
      for await (const holding of open()) {
        found = true
        yield holding
      }
      if (found) return
    }
  }
  const known = [...mirrors, ...batches.slice(-3)].join(', ')
  const message = `${shownUrl(sink.url)} has no mirror, batch or dataset ${what}; it has ${known}.`
  throw new DataferryError('BATCH_NOT_FOUND', message, { advice: 'Give one of those names, or the PID of a dataset.' })
}

function pidOf(text: string): string | undefined {
  try {
    const named = parseIdentifier(text)
    return named.kind === 'pid' ? named.pid : undefined
  } catch {
    return undefined
  }
}
