import type { ItemJob } from '../../jobs/item.ts'
import type { Outcome } from '../../src/model/receipt.ts'
import { readOutcomes } from '../../src/batch/outcome-log.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { createLogger } from '../../src/log.ts'
import { noticeKey, noticeText, type Notice } from '../../src/model/notice.ts'
import type { Batch } from '../../src/model/batch.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { Batches } from '../../workers/batches.ts'
import { processItem, type ItemDeps } from '../../workers/item.ts'
import type { Attempt } from '../../workers/run-job.ts'
import { Running } from '../../workers/running.ts'
import { DestinationHolds } from '../../workers/destination-holds.ts'
import type { Step } from '../../workers/step.ts'
import type { FileAccess, FileFacts, Rejection, Requested } from '../../src/model/file-access.ts'
import { batchOf, plannedBatch, type Unnumbered } from '../batch/fixtures.ts'
import { AT_ONCE, type ScriptedSource } from '../transfer/scripted-source.ts'

export const FIRST: Attempt = { made: 0, allowed: 8, stalled: 0 }
export const LAST: Attempt = { ...FIRST, made: 7 }

/** What one worker process has, but for Redis. */
export interface Desk {
  readonly sink: Sink
  readonly ledger: MemoryLedger
  readonly batches: Batches
  readonly running: Running
  readonly batch: Batch
  /** Errors that were reported as the server's, each with the code. */
  readonly reported: string[]
  readonly notices: (string | undefined)[]
  /** What a failure that looks like an outage is taken for. */
  readonly judged: { as: 'alone' | 'probe' | 'outage' }
  work(job: Pick<ItemJob, 'n' | 'counted'>, attempt?: Attempt, lock?: AbortSignal): Promise<Step>
  outcomes(): Promise<Outcome[]>
}

interface DeskOptions {
  /** Default: the server answers nothing about access. */
  readonly access?: FileAccess
  readonly now?: () => Date
  /** Default: no other token can come. */
  readonly tokens?: ItemDeps['tokens']
  readonly sink?: Sink
  readonly batch?: Partial<Batch>
}

/** A batch `b1` of these items, planned and open, and a process that works on it. */
export async function deskFor(
  items: readonly Unnumbered[],
  source: Pick<ScriptedSource, 'open'>,
  {
    sink = memorySink(),
    batch: more = {},
    access = new ScriptedAccess(),
    now = () => new Date(),
    tokens = ONE_TOKEN,
  }: DeskOptions = {},
): Promise<Desk> {
  const { batch, plan } = await plannedBatch(sink.records, items, batchOf('b1', more))
  const ledger = new MemoryLedger()
  const { id, servers, createdAt } = batch
  await ledger.open({ id, destination: sink.url, servers, createdAt })
  await ledger.setPlanned(id, plan.items, plan.totals.size, true)
  const running = new Running()
  const batches = new Batches(ledger, () => Promise.resolve(sink), 'w1', createLogger('silent'))
  const log = createLogger('silent')
  const notices: (string | undefined)[] = []
  const reported: string[] = []
  const judged: Desk['judged'] = { as: 'alone' }
  const deps: ItemDeps = {
    ledger,
    batches,
    running,
    openSource: () => source.open,
    taker: { server: servers[0] ?? '', attached: false, withToken: false },
    limits: {
      throttled: (_server, { code }) => Promise.resolve(void reported.push(code)),
      outage: (_server, _item, { code }) => Promise.resolve(reported.push(code)).then(() => judged.as),
      isPaused: () => false,
      succeeded: () => void reported.push('an answer'),
    },
    destinations: new DestinationHolds(noticesInto(notices)),
    access: () => access,
    now,
    tokens,
    reconnect: { ...AT_ONCE, retries: 0 },
    log,
  }
  return {
    sink,
    ledger,
    batches,
    running,
    batch,
    reported,
    notices,
    judged,
    work: (job, attempt = FIRST, lock) => processItem({ v: 1, batch: id, ...job }, attempt, lock, deps),
    async outcomes() {
      const found: Outcome[] = []
      for await (const line of readOutcomes(sink.records, id)) if (line.state !== 'reopened') found.push(line)
      return found
    },
  }
}

export const ONE_TOKEN: ItemDeps['tokens'] = { isOpen: () => Promise.resolve(true), hold: () => false }

/** A server that says about access what a test tells it to, and remembers what it was asked. */
export class ScriptedAccess implements FileAccess {
  answer: Requested = { kind: 'made' }
  about: FileFacts = {}
  readonly asked: string[] = []
  readonly granted = new Set<number>()
  rejected: Rejection[] = []
  everRequested = false
  /** What fails, with its error. */
  fails: Partial<Record<'facts' | 'request' | 'permitted', Error>> = {}

  facts(): Promise<FileFacts> {
    this.asked.push('facts')
    return this.fails.facts ? Promise.reject(this.fails.facts) : Promise.resolve(this.about)
  }

  request(file: number | string): Promise<Requested> {
    this.asked.push(`request ${file}`)
    return this.fails.request ? Promise.reject(this.fails.request) : Promise.resolve(this.answer)
  }

  hasRequested(): Promise<boolean> {
    this.asked.push('requested?')
    return Promise.resolve(this.everRequested)
  }

  permitted(
    files: readonly number[],
  ): Promise<{ readonly yes: ReadonlySet<number>; readonly no: ReadonlySet<number> }> {
    this.asked.push(`permitted ${files.join(' ')}`)
    if (this.fails.permitted) return Promise.reject(this.fails.permitted)
    const no = new Set(files.filter((file) => !this.granted.has(file)))
    return Promise.resolve({ yes: this.granted, no })
  }

  rejections(): Promise<readonly Rejection[]> {
    return Promise.resolve(this.rejected)
  }
}

/** Notices as texts, each once, in its latest words; undefined where one is taken back. */
export function noticesInto(texts: (string | undefined)[]): { set(cause: string, notice: Notice | undefined): void } {
  let key: string | undefined
  return {
    set: (_, notice) => {
      const now = notice && noticeKey(notice)
      texts.splice(now === key ? -1 : texts.length, 1, notice && noticeText(notice))
      key = now
    },
  }
}
