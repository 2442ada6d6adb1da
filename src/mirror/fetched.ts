import { ExternalSort, numberKey } from '../batch/external-sort.ts'
import { LineSet } from '../batch/line-set.ts'
import { Outcomes } from '../batch/outcomes.ts'
import { logLineSchema, type LogLine } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { next } from './joined.ts'
import type { HeldFile } from './state.ts'

/** Codes that say that this user may not have a file: it is not asked for in every run. */
const RIGHTS: readonly string[] = [
  'SOURCE_DENIED',
  'SOURCE_EMBARGOED',
  'SOURCE_RETENTION_OVER',
  'SOURCE_GUESTBOOK',
  'SOURCE_DEACCESSIONED',
]

/** How the batch of a run ended, by line of its plan. Datasets are settled in the order of the plan, so that memory stays flat. */
export class Fetched implements AsyncDisposable {
  /** Receipts and failures. */
  readonly #outcomes = new ExternalSort(logLineSchema)
  #lines: AsyncGenerator<LogLine> | undefined
  #next: LogLine | undefined
  bytes = 0

  static async of(records: Records, batch: string | undefined): Promise<Fetched> {
    const fetched = new Fetched()
    if (batch === undefined) return fetched
    const outcomes = await Outcomes.of(records, batch)
    for await (const receipt of outcomes.receipts()) {
      if (receipt.state === 'done') fetched.bytes += receipt.size
      await fetched.#outcomes.add(numberKey(receipt.n), receipt)
    }
    for await (const failure of outcomes.failures()) await fetched.#outcomes.add(numberKey(failure.n), failure)
    return fetched
  }

  /** The files of a dataset as they are once the batch has ended. */
  async settle(planned: readonly HeldFile[]): Promise<readonly HeldFile[]> {
    const last = planned.reduce((most, { item = -1, link = -1 }) => Math.max(most, item, link), -1)
    const outcomes = await this.#upTo(last)
    return planned.map((file) => settled(file, outcomes))
  }

  async #upTo(last: number): Promise<ReadonlyMap<number, LogLine>> {
    const found = new Map<number, LogLine>()
    if (last < 0) return found
    this.#lines ??= this.#outcomes.values()
    for (;;) {
      this.#next ??= await next(this.#lines)
      if (!this.#next || this.#next.n > last) return found
      found.set(this.#next.n, this.#next)
      this.#next = undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lines?.return(undefined)
    await this.#outcomes[Symbol.asyncDispose]()
  }
}

function settled({ item, link, ...planned }: HeldFile, outcomes: ReadonlyMap<number, LogLine>): HeldFile {
  const file = { ...planned, surplus: undefined }
  const n = item ?? link
  if (n === undefined) return file
  const line = outcomes.get(n)
  if (line?.state !== 'done' && line?.state !== 'kept') {
    const code = line?.state === 'failed' ? line.code : 'SOURCE_FAILED'
    return { ...file, state: 'missing', code, withheld: RIGHTS.includes(code) ? true : undefined }
  }
  const { size, verified, checksum, digests } = line
  return {
    ...file,
    code: undefined,
    // It was given, whatever the listing says: should it be lost here, it is asked for again.
    withheld: undefined,
    state: file.withheld ? 'restricted-now' : 'current',
    size,
    verified,
    digests,
    // What was compared with the listing's checksum keeps that one.
    ...(verified !== 'checksum' && checksum && { checksum }),
  }
}

/** Lines of the plan of a batch whose bytes are at the destination. */
export async function linesFetched(records: Records, batch: string | undefined): Promise<LineSet> {
  const lines = new LineSet()
  if (batch === undefined) return lines
  for await (const { n } of (await Outcomes.of(records, batch)).receipts()) lines.add(n)
  return lines
}
