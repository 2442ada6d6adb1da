import { every, type Repeated } from '../../async/every.ts'
import type { Finding, KnownBy } from '../../batch/verify-destination.ts'
import { LineWriter } from '../../mirror/line-writer.ts'
import type { Algorithm } from '../../model/checksum.ts'
import type { Records } from '../../sinks/sink.ts'
import type { Result } from './result.ts'
import { writeSums } from './sums.ts'
import { mergePending, names, type PendingLine } from './results.ts'
import type { VerifyRun } from './summary.ts'

/** At most so much of what was found is lost by a kill: what was read meanwhile is read again. */
const FLUSH_MS = 5_000

export interface KeeperOptions {
  readonly now: () => Date
  /** Version of dataferry. */
  readonly by: string
}

/** Keeps what a verification finds beside the data, while it goes on. One process at a time. */
export class ResultsKeeper {
  readonly #records: Records
  readonly #options: KeeperOptions
  readonly #log: LineWriter
  readonly #flushing: Repeated
  /** The last time that it was flushed in between. */
  #flushed = Promise.resolve()
  /** In which further digests were taken. */
  readonly #digests = new Set<Algorithm>()

  private constructor(records: Records, options: KeeperOptions, log: LineWriter) {
    this.#records = records
    this.#options = options
    this.#log = log
    this.#flushing = every(
      FLUSH_MS,
      () => (this.#flushed = log.flush()),
      // The next line that is written fails with it.
      () => undefined,
    )
  }

  /** First merges what a run that was cut short has left. */
  static async open(records: Records, options: KeeperOptions): Promise<ResultsKeeper> {
    await mergePending(records, options.now())
    return new ResultsKeeper(records, options, new LineWriter(await records.appendTo(names.pending, 0)))
  }

  async add(finding: Finding): Promise<void> {
    const result = this.#resultOf(finding)
    if (result) await this.#write(result)
  }

  /** Drops what is on record of a path that no record knows any more, and where nothing lies. */
  async drop(path: string): Promise<void> {
    await this.#write({ path, state: 'gone' })
  }

  /** Makes what was found the results on record. @param run absent: not everything was to be looked at */
  async end(run?: VerifyRun): Promise<void> {
    if (run) await this.#write({ run })
    await this.close()
    await mergePending(this.#records, this.#options.now())
    for (const algorithm of this.#digests) await writeSums(this.#records, algorithm)
  }

  /** Leaves what was found for the next verification to merge. Repeatable. */
  async close(): Promise<void> {
    await this.#flushing.stop()
    try {
      await this.#log.flush()
    } finally {
      await this.#log.close()
    }
  }

  async #write(line: PendingLine): Promise<void> {
    await this.#flushed
    await this.#log.add(line)
  }

  #digested({ size, digests = [] }: Extract<Finding, { state: 'ok' | 'size-only' }>): Pick<Result, 'size' | 'digests'> {
    for (const { algorithm } of digests) this.#digests.add(algorithm)
    return { size, ...(digests.length > 0 && { digests }) }
  }

  #resultOf(finding: Finding): Result | undefined {
    const { path, state } = finding
    const { now, by } = this.#options
    const seen = { path, at: now().toISOString(), by }
    switch (state) {
      case 'ok':
        return { ...seen, state, ...this.#digested(finding), checksum: finding.checksum }
      case 'size-only':
        return { ...seen, state, ...this.#digested(finding) }
      case 'extra':
        return { ...seen, state, size: finding.size }
      case 'missing':
        return { ...seen, state, expected: finding.expected, ...ownerOf(finding) }
      case 'changed':
        return { ...seen, state, ...finding.found, expected: finding.expected, ...ownerOf(finding) }
      case 'unfetched':
        return { ...seen, state, ...ownerOf(finding) }
      case 'unreadable':
        return undefined
    }
  }
}

function ownerOf({ batch, mirror }: KnownBy): Pick<Result, 'batch' | 'mirror'> {
  return mirror === undefined ? { batch } : { mirror }
}
