import { readKnownBatch } from '../src/batch/destination.ts'
import { EarlierBatches } from '../src/batch/earlier-batches.ts'
import { readPlanState } from '../src/batch/folder.ts'
import { ItemsReader } from '../src/batch/items-file.ts'
import { OutcomeWriter } from '../src/batch/outcome-log.ts'
import { isUnreadable } from '../src/batch/record.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Logger } from '../src/log.ts'
import { Counts } from '../src/model/counts.ts'
import type { Batch, BatchId } from '../src/model/batch.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { GroupSettle, logEnd, type Ended } from './group-settle.ts'
import { LogTails, type BatchLog } from './log-tails.ts'

/** A batch that this process works on. */
export interface OpenBatch {
  readonly batch: Batch
  readonly sink: Sink
  readonly items: ItemsReader
  readonly outcomes: OutcomeWriter
  readonly receipts: GroupSettle
  readonly earlier: EarlierBatches
  /** Every line names the batch. */
  readonly log: BatchLog
  /** Logs and counts the end of an item. */
  readonly ended: Ended
  /** How many of the first `lines` lines are planned at the destination, whatever Redis says. */
  readonly planned: (lines: number) => Promise<number>
}

/**
 * Opens each destination and batch once per process. Redis only says which batches there are and where: everything else is taken
 * from `batch.json` of that id, and where that is missing nothing is written.
 */
export class Batches {
  readonly #ledger: Ledger
  readonly #openSink: (url: string) => Promise<Sink>
  readonly #mayOpen: (url: string) => boolean
  /** Names this process's own file of receipts. */
  readonly #writer: string
  readonly #log: Logger
  readonly #sinks = new Map<string, Promise<Sink>>()
  readonly #batches = new Map<BatchId, Promise<OpenBatch | undefined>>()
  readonly #counts: Counts
  readonly #tails: LogTails

  /**
   * @param mayOpen whether this process works for a destination; another one is not even looked at. Default: for each
   * @param counts where ends are counted
   * @param tails where the logs of batches go besides
   */
  constructor(
    ledger: Ledger,
    openSink: (url: string) => Promise<Sink>,
    writer: string,
    log: Logger,
    mayOpen: (url: string) => boolean = () => true,
    counts = new Counts(),
    tails = new LogTails(),
  ) {
    this.#counts = counts
    this.#tails = tails
    this.#ledger = ledger
    this.#openSink = openSink
    this.#mayOpen = mayOpen
    this.#writer = writer
    this.#log = log
  }

  /**
   * @returns undefined when the ledger or the destination does not know the batch, and when its records cannot be read: then it
   * waits for a person. Rejects with `SINK_UNAVAILABLE` when the destination knows nothing at all.
   */
  open(id: BatchId): Promise<OpenBatch | undefined> {
    return once(this.#batches, id, () => this.#load(id))
  }

  sink(url: string): Promise<Sink> {
    return once(this.#sinks, url, () => this.#openSink(url))
  }

  async #load(id: BatchId): Promise<OpenBatch | undefined> {
    const known = await this.#ledger.get(id)
    if (!known || !this.#mayOpen(known.destination)) return undefined
    const sink = await this.sink(known.destination)
    const batch = await unlessUnreadable(this.#ledger, id, () => readKnownBatch(sink, id))
    if (!batch) return undefined
    const { records } = sink
    const ownLog = this.#log.child({ batch: id })
    const log = this.#tails.of(id, ownLog)
    const { destination, servers, planned } = known
    log.info({ destination, servers, entries: batch.manifest.entries, planned }, 'batch begins here')
    const outcomes = new OutcomeWriter(records, id, this.#writer)
    const ended: Ended = (outcome, server, began) => {
      const ms = began === undefined ? undefined : performance.now() - began
      // What is there is counted; the last lines that others see are those about everything else.
      logEnd(outcome, outcome.state === 'done' || outcome.state === 'kept' ? ownLog : log, ms)
      if (outcome.state !== 'waiting') this.#counts.ended(server, outcome.state, ms)
    }
    return {
      log,
      ended,
      batch,
      sink,
      items: new ItemsReader(records, id),
      outcomes,
      receipts: new GroupSettle({ batch, sink, outcomes, ended }, this.#ledger),
      earlier: new EarlierBatches(records, id),
      planned: plannedAt(() =>
        unlessUnreadable(this.#ledger, id, async () => (await readPlanState(records, id)).items),
      ),
    }
  }

  /** Releases batches that have ended elsewhere. @param isBusy whether this process still works on one */
  async releaseEnded(isBusy: (id: BatchId) => boolean): Promise<void> {
    for (const id of this.#batches.keys()) {
      const state = (await this.#ledger.get(id))?.state ?? 'finished'
      if ((state === 'finished' || state === 'cancelled') && !isBusy(id)) await this.release(id)
    }
  }

  /** Closes the receipts file of a batch that has ended. */
  async release(id: BatchId): Promise<void> {
    const opened = await this.#batches.get(id)
    this.#batches.delete(id)
    await opened?.outcomes.close()
  }

  async close(): Promise<void> {
    for (const id of [...this.#batches.keys()]) await this.release(id)
    for (const sink of this.#sinks.values()) await (await sink).close()
    this.#sinks.clear()
  }
}

/**
 * Asks again only for lines that were not planned when it was asked last.
 * @param ask undefined: the plan cannot be read; 0: it is lost, and what Redis says is all there is
 */
function plannedAt(ask: () => Promise<number | undefined>): OpenBatch['planned'] {
  let known = 0
  return async (lines) => {
    if (lines > known) known = (await ask()) ?? -1
    if (known === 0) return lines
    return Math.max(0, Math.min(lines, known))
  }
}

/** Reads a record of a batch. If it cannot be read, pauses the batch, so that everything else continues, and returns undefined. */
export async function unlessUnreadable<T>(
  ledger: Pick<Ledger, 'setState'>,
  id: BatchId,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!isUnreadable(error)) throw error
    await ledger.setState(id, 'paused', `${error.code}: ${error.message}`)
    return undefined
  }
}

/** Caches a promise by key, but not one that failed or found nothing. */
function once<K, V>(known: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const existing = known.get(key)
  if (existing) return existing
  const made = make()
  known.set(key, made)
  const forget = () => void known.delete(key)
  made.then((value) => (value === undefined ? forget() : undefined), forget)
  return made
}
