import { setTimeout as sleep } from 'node:timers/promises'
import { DESTINATION_LOOK_MS, readKnownBatch } from '../batch/destination.ts'
import { tokenFor } from '../config/config.ts'
import { isAboutDestination } from '../errors.ts'
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts'
import type { BatchId } from '../model/batch.ts'
import { shownUrl } from '../model/shown-url.ts'
import { hasEnded } from '../status.ts'
import type { Context } from './command.ts'
import { openDestination } from './destination.ts'

const LOOK_MS = 500

/**
 * Resolves when no batch is open any more that a worker with this command line can bring to its end. Says once of every other
 * one why it is left out, and what is waited for where no worker can help.
 * @param mayOpen whether a destination is worked for; undefined: each
 */
export async function untilDone(
  context: Pick<Context, 'config' | 'out'>,
  { ledger }: { readonly ledger: Pick<Ledger, 'list' | 'summary'> },
  mayOpen: ((url: string) => boolean) | undefined,
  signal: AbortSignal,
): Promise<void> {
  const judge = new Judge(context, mayOpen)
  while (!signal.aborted) {
    let waiting = 0
    for (const batch of await ledger.list()) {
      if (hasEnded(batch)) continue
      if (batch.state === 'waiting') {
        judge.tell(
          batch.id,
          `${batch.id} is left out: what is left of it waits for access, or for the end of an embargo.`,
        )
        continue
      }
      const why = await judge.whyLeftOut(batch)
      if (why !== undefined) judge.tell(batch.id, `${batch.id} is left out: ${why}`)
      else waiting += 1
      if (why === undefined && (await lacksPlan(batch, ledger))) judge.tell(batch.id, unplanned(batch.id))
    }
    if (waiting === 0) return
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}

/** Whether all that is planned has ended, and the plan goes on: only the command that plans can go on with it. */
async function lacksPlan({ id, planComplete }: LedgerEntry, ledger: Pick<Ledger, 'summary'>): Promise<boolean> {
  if (planComplete) return false
  const { planned, done, kept, failed, waiting } = await ledger.summary(id)
  return planned === done + kept + failed + waiting
}

function unplanned(id: BatchId): string {
  return `${id} is not planned to its end: the command that enqueued it does that, or has to be given again.`
}

/** Which batches can be brought to their end from here. */
class Judge {
  readonly #context: Pick<Context, 'config' | 'out'>
  readonly #mayOpen: ((url: string) => boolean) | undefined
  readonly #told = new Set<string>()
  /** Batches whose destination has been reached: should it be away later, it is waited for. */
  readonly #reached = new Set<BatchId>()
  readonly #unreached = new Map<BatchId, { readonly why: string; readonly at: number }>()

  constructor(context: Pick<Context, 'config' | 'out'>, mayOpen: ((url: string) => boolean) | undefined) {
    this.#context = context
    this.#mayOpen = mayOpen
  }

  tell(batch: BatchId, text: string): void {
    if (this.#told.has(text)) return
    this.#told.add(text)
    this.#context.out.say(text)
    this.#context.out.record({ event: 'notice', batch, text })
  }

  /** @returns why nothing here can bring it to its end; undefined: something can */
  async whyLeftOut(batch: LedgerEntry): Promise<string | undefined> {
    const { config } = this.#context
    const { state, reason, attached, servers, tokenServers, destination } = batch
    if (state === 'paused') return `it is paused${reason === undefined ? '' : ` (${reason})`}.`
    if (attached) return 'it belongs to the command that began it.'
    const unnamed = servers.find((server) => !config.servers.includes(server))
    if (unnamed !== undefined) return `it needs ${unnamed}, which is not given with --server.`
    const secret = tokenServers.find((server) => tokenFor(config, server) === undefined)
    if (secret !== undefined) return `it needs a token for ${secret}, and this command has none.`
    if (this.#mayOpen?.(destination) === false) return `its destination ${shownUrl(destination)} is none of --to.`
    return this.#whyUnreached(batch)
  }

  async #whyUnreached({ id, destination }: LedgerEntry): Promise<string | undefined> {
    if (this.#reached.has(id)) return undefined
    const known = this.#unreached.get(id)
    if (known && performance.now() - known.at < DESTINATION_LOOK_MS) return known.why
    const problem = await this.#look(id, destination)
    if (problem === undefined) this.#reached.add(id)
    else this.#unreached.set(id, { why: problem, at: performance.now() })
    return problem
  }

  async #look(id: BatchId, destination: string): Promise<string | undefined> {
    const sink = await openDestination(this.#context.config, destination)
    try {
      await readKnownBatch(sink, id)
      return undefined
    } catch (error) {
      if (!isAboutDestination(error)) return undefined
      return `its destination cannot be used from here: ${error.message}`
    } finally {
      await sink.close()
    }
  }
}
