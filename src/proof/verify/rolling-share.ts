import { ExternalSort } from '../../batch/external-sort.ts'
import { knownPathSchema, type KnownPath } from '../../batch/known-paths.ts'
import type { VerifyProgress } from '../../batch/verify-destination.ts'
import { joined } from '../../mirror/joined.ts'
import { lastReadAt, needsReading, NEVER } from './last-read.ts'
import { owedBytes, type Round } from './owed.ts'
import type { Result } from './result.ts'
import { keyed } from './results.ts'
import type { Amount, VerifyRun } from './summary.ts'

export interface RollingOptions {
  readonly round: Round
  readonly now: Date
  /** The newest result of every path, by path. */
  readonly results: AsyncIterable<Result>
  /** Told of every path with a result that nothing knows any more. */
  readonly onGone: (path: string) => Promise<void>
}

/** A count of files and bytes. */
class Sum implements Amount {
  files = 0
  bytes = 0
  /** Bytes, of each file at least one: those without any are to have their turn, too. */
  weight = 0

  add(size: number): void {
    this.files++
    this.bytes += size
    this.weight += Math.max(1, size)
  }
}

/**
 * What a rolling run looks at: everything that can be told without reading a file, what was found wrong and is open, and of the other
 * files those that were not read for the longest time, until it has read what it owes. In flat memory.
 */
export class RollingShare implements AsyncDisposable {
  readonly #options: RollingOptions
  /** By when they were last read, then by path. */
  readonly #sorted = new ExternalSort<KnownPath>(knownPathSchema)
  readonly #held = new Sum()
  readonly #neverRead = new Sum()
  /** Not read since the round began. */
  readonly #unread = new Sum()
  readonly #readSince = new Sum()
  readonly #chosen = new Sum()
  /** Of what was chosen: what was not read since the round began, or never. */
  readonly #chosenUnread = new Sum()
  readonly #chosenNever = new Sum()
  /** Found wrong earlier, and not looked at again by this run. */
  readonly #openLeft = new Sum()
  #owed = 0

  constructor(options: RollingOptions) {
    this.#options = options
  }

  /** Of the paths that are known, those that are to be looked at now. */
  async *choose(paths: AsyncIterable<KnownPath>, progress: VerifyProgress): AsyncGenerator<KnownPath> {
    const { round, now, results, onGone } = this.#options
    const atOnce = new Sum()
    for await (const { left, right } of joined(keyed(paths), keyed(results))) {
      if (!left) {
        if (right) await onGone(right.value.path)
        continue
      }
      const { value: known } = left
      if (needsReading(known)) await this.#sort(known, known.listed, right?.value)
      else {
        await this.#sorted.add(`${AT_ONCE}\n${known.path}`, known)
        if (known.listed !== undefined) atOnce.add(known.listed)
      }
    }
    const owing = { total: this.#held.weight, unread: this.#unread.weight, since: this.#readSince.weight }
    this.#owed = owedBytes(round, owing, now)
    for await (const { known, lastRead } of this.#due((size) => this.#openLeft.add(size))) {
      if (lastRead !== undefined) this.#count(known.listed ?? 0, lastRead)
    }
    progress.files = atOnce.files + this.#chosen.files
    progress.bytes = atOnce.bytes + this.#chosen.bytes
    for await (const { known } of this.#due()) yield known
  }

  /** What the run has owed and what is left, once everything that was chosen was looked at. */
  outcome(startedAt: Date): Pick<VerifyRun, 'held' | 'neverRead' | 'rolling'> {
    const { periodMs, since } = this.#options.round
    const left = minus(this.#unread, this.#chosenUnread)
    // With nothing left the next round begins with this run.
    const isOver = left.files === 0
    return {
      held: amount(this.#held),
      neverRead: minus(this.#neverRead, this.#chosenNever),
      rolling: {
        periodMs,
        since: (isOver ? startedAt : since).toISOString(),
        owed: this.#owed,
        left: isOver ? minus(this.#held, this.#chosen) : left,
        ...(this.#openLeft.files > 0 && { openLeft: this.#openLeft.files }),
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sorted[Symbol.asyncDispose]()
  }

  async #sort(known: KnownPath, size: number, result: Result | undefined): Promise<void> {
    const { since, lastEnd } = this.#options.round
    const lastRead = lastReadAt(known, result)
    this.#held.add(size)
    if (lastRead === NEVER) this.#neverRead.add(size)
    if (lastRead < since.toISOString()) this.#unread.add(size)
    const isOpen = result?.state === 'changed' || result?.state === 'missing'
    // What is open is read beside what is owed.
    if (!isOpen && lastRead > lastEnd.toISOString()) this.#readSince.add(size)
    await this.#sorted.add(`${isOpen ? OPEN : DUE}${lastRead}\n${known.path}`, known)
  }

  /**
   * What is to be looked at: of the files what is open, as long as that is not very much, then what is owed, one file at least.
   * @param onOpenLeft told the size of every open file that is too much
   */
  async *#due(
    onOpenLeft?: (size: number) => void,
  ): AsyncGenerator<{ readonly known: KnownPath; readonly lastRead: string | undefined }> {
    const [due, open] = [new Sum(), new Sum()]
    for await (const { key, values } of this.#sorted.groups()) {
      const lastRead = key.slice(1, key.indexOf('\n'))
      const [known] = values
      if (!known) continue
      const size = known.listed ?? 0
      if (key.startsWith(AT_ONCE)) yield { known, lastRead: undefined }
      else if (key.startsWith(OPEN)) {
        if (open.files > 0 && (open.files >= OPEN_FILES || open.bytes >= Math.max(OPEN_BYTES, this.#owed))) {
          onOpenLeft?.(size)
          continue
        }
        open.add(size)
        yield { known, lastRead }
      } else {
        if (due.files > 0 && due.weight >= this.#owed) return
        due.add(size)
        yield { known, lastRead }
      }
    }
  }

  #count(size: number, lastRead: string): void {
    this.#chosen.add(size)
    if (lastRead < this.#options.round.since.toISOString()) this.#chosenUnread.add(size)
    if (lastRead === NEVER) this.#chosenNever.add(size)
  }
}

/** How the keys begin by which paths are sorted: what needs no reading comes first, then what is open. */
const [AT_ONCE, OPEN, DUE] = ['0', '1', '2']

/** Of what is open a run reads so much; there is more only where a whole disk is going. */
const OPEN_FILES = 1_000
const OPEN_BYTES = 100 * 2 ** 30

function amount({ files, bytes }: Amount): Amount {
  return { files, bytes }
}

function minus(a: Amount, b: Amount): Amount {
  return { files: a.files - b.files, bytes: a.bytes - b.bytes }
}
