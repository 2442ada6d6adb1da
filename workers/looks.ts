import { ExternalSort } from '../src/batch/external-sort.ts'
import { readAccessRequest, writeAccessRequest } from '../src/batch/access-request.ts'
import { Outcomes } from '../src/batch/outcomes.ts'
import { DataferryError, messageOf } from '../src/errors.ts'
import type { Ledger, LedgerEntry } from '../src/ledger/ledger.ts'
import type { Logger } from '../src/log.ts'
import type { BatchId } from '../src/model/batch.ts'
import type { FileAccess, Rejection } from '../src/model/file-access.ts'
import { waitingSchema, type Waiting } from '../src/model/receipt.ts'
import type { OpenBatch } from './batches.ts'
import type { Notices } from './notices.ts'
import type { TokenHolds } from './token-holds.ts'
import type { AccessDeps } from './when-denied.ts'

export interface LooksDeps extends AccessDeps {
  readonly ledger: Pick<Ledger, 'moveState' | 'nextLooks' | 'reopen' | 'setNextLook' | 'summary'>
  readonly notices: Pick<Notices, 'set'>
  readonly tokens: Pick<TokenHolds, 'isOpen' | 'hold'>
  /** Time between two looks at a server. */
  readonly everyMs: number
  readonly log: Logger
}

/** While a look is under way. */
const BUSY_MS = 1_000
/** After a look that failed. */
const AGAIN_MS = 5 * 60_000
/** Times in notifications are in whole minutes. */
const MINUTE_MS = 60_000
/** A server that does not tell who may download a file is asked for the file itself, so many looks apart. */
const LOOKS_A_PROBE = 24

/**
 * Looks, now and then, whether what waits at a server may continue, and opens it again: embargoes that have ended, access that was
 * granted, requests that were rejected or that nobody answered. What is open again is asked for as any other file: only the
 * server's answer to that decides. Repeatable; one look at a time for each batch and server.
 */
export class Looks {
  readonly #deps: LooksDeps
  readonly #running = new Map<string, Promise<void>>()
  /** What this process has looked at of its own batch: its command begins with a look. */
  readonly #seen = new Set<string>()
  /** Since when looks have failed. */
  readonly #failing = new Map<string, Date>()
  readonly #closing = new AbortController()

  constructor(deps: LooksDeps) {
    this.#deps = deps
  }

  /**
   * Begins a look at a server when one is due; the owner of a batch looks at all of its servers.
   * @returns time until the next one, in ms; undefined: nothing of the batch waits
   */
  async due(entry: LedgerEntry, opened: OpenBatch, server: string): Promise<number | undefined> {
    const servers = entry.attached ? entry.servers : [server]
    if ((await this.#deps.ledger.summary(entry.id)).waiting === 0) {
      for (const one of servers) this.leave(entry.id, one)
      return undefined
    }
    const looks = await this.#deps.ledger.nextLooks(entry.id)
    const times: number[] = []
    for (const one of servers) times.push(await this.#begin(entry, opened, one, looks.get(one) ?? 0))
    return Math.min(...times)
  }

  /** Whether a look at any server of a batch is under way here: what it finds is not known yet. */
  isLooking(batch: BatchId): boolean {
    return [...this.#running.keys()].some((key) => key.startsWith(keyOf(batch, '')))
  }

  async #begin(entry: LedgerEntry, opened: OpenBatch, server: string, next: number): Promise<number> {
    const { ledger, tokens, now, everyMs } = this.#deps
    const key = keyOf(entry.id, server)
    if (this.#running.has(key)) return BUSY_MS
    const at = now().getTime()
    // One that is further away was set before a clock was set back.
    const isLater = next > at && next <= at + everyMs
    if (isLater && (!entry.attached || this.#seen.has(key))) return next - at
    if (!(await tokens.isOpen(server))) return BUSY_MS
    if (entry.attached) this.#seen.add(key)
    // Nobody else looks meanwhile.
    await ledger.setNextLook(entry.id, server, at + Math.min(everyMs, AGAIN_MS))
    const looking = this.#look(entry, opened, server)
      .catch((error: unknown) => this.#failed(entry, server, error))
      .finally(() => this.#running.delete(key))
    this.#running.set(key, looking)
    return BUSY_MS
  }

  /** What is told of a batch is taken back: it is on hold, has ended, or is looked after elsewhere. */
  leave(batch: BatchId, server: string): void {
    this.#tell(keyOf(batch, server), undefined)
    this.#tellFailure(batch, server, undefined, 0)
  }

  /** Resolves when the looks under way have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  /** Ends the looks under way. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.settled()
  }

  async #failed({ id }: LedgerEntry, server: string, error: unknown): Promise<void> {
    if (this.#closing.signal.aborted) return
    const { ledger, now, everyMs } = this.#deps
    const at = now().getTime() + Math.min(everyMs, AGAIN_MS)
    this.#tellFailure(id, server, error, at)
    // Where Redis is away, the look is due when it is back.
    await ledger.setNextLook(id, server, at).catch(() => undefined)
  }

  /** @param error undefined: the look went well */
  #tellFailure(batch: BatchId, server: string, error: unknown, nextAt: number): void {
    const { log, notices, tokens, now } = this.#deps
    const key = keyOf(batch, server)
    if (error === undefined) {
      this.#failing.delete(key)
      notices.set(`looks ${key}`, undefined)
      return
    }
    log.warn({ batch, server, problem: messageOf(error) }, 'looking for access failed')
    if (error instanceof DataferryError && error.code === 'TOKEN_REJECTED' && tokens.hold(server, error)) return
    const since = this.#failing.get(key) ?? now()
    this.#failing.set(key, since)
    const what = `Looking for access to files of ${server}`
    notices.set(`looks ${key}`, { what, reason: messageOf(error), since, nextLook: new Date(nextAt) })
  }

  async #look(entry: LedgerEntry, opened: OpenBatch, server: string): Promise<void> {
    const { ledger, now, everyMs } = this.#deps
    const { id } = entry
    await using waiting = new ExternalSort(waitingSchema)
    const { all, since } = await gather(new Outcomes(opened.sink.records, id, entry.planned), server, waiting)
    // Redis was set back, and counts as waiting what has ended since: the report puts that right.
    if (all === 0) await ledger.moveState(id, ['waiting'], 'open')
    const asking = new Asking(this.#deps.access(server), this.#closing.signal)
    const rejections = since === undefined ? [] : await asking.rejections(sinceMinute(since))
    let next = now().getTime() + everyMs
    const left: Left = { access: 0, embargo: 0, rejections: 0 }
    for await (const { key: dataset, values } of waiting.groups()) {
      const of = rejectionsOf(dataset, values, rejections)
      const opens = await this.#mayContinue(values, of, asking, opened)
      const lines = [...opens].map(({ n }) => n)
      await ledger.reopen(id, lines, 'waiting')
      for (const line of values) {
        if (opens.has(line)) continue
        left[line.for]++
        next = Math.min(next, Date.parse(line.until))
      }
      if (values.some((line) => line.for === 'access' && !opens.has(line))) left.rejections += of.length
    }
    if (asking.failed !== undefined) next = Math.min(next, now().getTime() + AGAIN_MS)
    await ledger.setNextLook(id, server, next)
    this.#tellFailure(id, server, asking.failed, next)
    this.#tell(keyOf(id, server), { left, since, next })
  }

  /** Which of the files of a dataset may continue. A look decides nothing: a real request tells, for each of them. */
  async #mayContinue(
    lines: readonly Waiting[],
    rejections: readonly Rejection[],
    asking: Asking,
    opened: OpenBatch,
  ): Promise<ReadonlySet<Waiting>> {
    const at = this.#deps.now().getTime()
    const due = lines.filter(({ until }) => Date.parse(until) <= at)
    const asked = lines.filter((line) => line.for === 'access' && Date.parse(line.until) > at)
    const { granted, unknown } = await asking.permitted(asked)
    const open = asked.filter((line) => !granted.has(line))
    const rejected = areRejected(open, rejections) ? open : []
    for (const line of rejected) await recordRejection(line, opened)
    const probed = [...unknown].filter((line) => this.#isProbeDue(line))
    return new Set([...due, ...granted, ...rejected, ...probed])
  }

  #isProbeDue({ finishedAt }: Waiting): boolean {
    const { now, everyMs } = this.#deps
    return now().getTime() - Date.parse(finishedAt) >= LOOKS_A_PROBE * everyMs
  }

  /** @param waits undefined: nothing waits any more, or it is not looked at from here */
  #tell(
    key: string,
    waits: { readonly left: Left; readonly since: string | undefined; readonly next: number } | undefined,
  ): void {
    const { access = 0, embargo = 0, rejections = 0 } = waits?.left ?? {}
    const { notices } = this.#deps
    const nextLook = new Date(waits?.next ?? 0)
    const since = new Date(waits?.since ?? nextLook)
    const some = rejections === 1 ? '1 rejection' : `${rejections} rejections`
    const told = rejections === 0 ? '' : ` The server tells of ${some} in their datasets, and not for which files.`
    const reason = `it was requested, and is not granted yet.${told}`
    const what = `Access to ${access} ${access === 1 ? 'file' : 'files'}`
    notices.set(`access ${key}`, access === 0 ? undefined : { what, reason, since, nextLook })
    const files = embargo === 1 ? '1 file waits' : `${embargo} files wait`
    notices.set(
      `embargo ${key}`,
      embargo === 0 ? undefined : `${files} for the end of an embargo: waiting.csv has the days.`,
    )
  }
}

/** What waits still, and the rejections that concern some of it. */
type Left = Record<Waiting['for'] | 'rejections', number>

/** The questions of one look. One that fails answers nothing, and keeps the others from nothing. */
class Asking {
  readonly #api: FileAccess
  readonly #signal: AbortSignal
  /** The first error. */
  failed: unknown

  constructor(api: FileAccess, signal: AbortSignal) {
    this.#api = api
    this.#signal = signal
  }

  rejections(since: Date): Promise<readonly Rejection[]> {
    return this.#try(() => this.#api.rejections(since, this.#signal), [])
  }

  /** Those that this user may download by now, and those that the server says nothing about. */
  async permitted(lines: readonly Waiting[]): Promise<Record<'granted' | 'unknown', ReadonlySet<Waiting>>> {
    const ids = lines.flatMap(({ file }) => (typeof file === 'number' ? [file] : []))
    const none = { yes: NO_FILES, no: NO_FILES }
    const { yes, no } = ids.length === 0 ? none : await this.#try(() => this.#api.permitted(ids, this.#signal), none)
    const isIn = (files: ReadonlySet<number>, { file }: Waiting): boolean => typeof file === 'number' && files.has(file)
    return {
      granted: new Set(lines.filter((line) => isIn(yes, line))),
      unknown: new Set(lines.filter((line) => !isIn(yes, line) && !isIn(no, line))),
    }
  }

  async #try<T>(question: () => Promise<T>, instead: T): Promise<T> {
    try {
      return await question()
    } catch (error) {
      this.#signal.throwIfAborted()
      this.failed ??= error
      return instead
    }
  }
}

function keyOf(batch: BatchId, server: string): string {
  return `${batch} ${server}`
}

const NO_FILES: ReadonlySet<number> = new Set()

function sinceMinute(time: string): Date {
  return new Date(Date.parse(time) - MINUTE_MS)
}

/** Sorts what waits at a server by dataset. @returns how many items wait in all, and since when the first of these waits for access */
async function gather(
  outcomes: Outcomes,
  server: string,
  into: ExternalSort<Waiting>,
): Promise<{ readonly all: number; readonly since: string | undefined }> {
  let all = 0
  let since: string | undefined
  for await (const line of outcomes.waiting()) {
    all++
    if (line.server !== server) continue
    await into.add(line.dataset ?? '', line)
    if (line.for === 'access' && (since === undefined || line.since < since)) since = line.since
  }
  return { all, since }
}

/** Those that may be about requests of a dataset, as they came after the first of these was made. */
function rejectionsOf(dataset: string, lines: readonly Waiting[], all: readonly Rejection[]): readonly Rejection[] {
  const since = lines.flatMap((line) => (line.for === 'access' ? [Date.parse(line.since)] : []))
  if (dataset === '' || since.length === 0) return []
  const first = since.reduce((known, at) => Math.min(known, at)) - MINUTE_MS
  return all.filter((one) => one.dataset === dataset && one.at.getTime() >= first)
}

/**
 * Whether all open requests of a dataset seem to have been rejected. The server names the dataset and not the file, so there
 * must be at least as many rejections as open requests.
 */
function areRejected(open: readonly Waiting[], rejections: readonly Rejection[]): boolean {
  return open.length > 0 && rejections.length >= open.length
}

async function recordRejection({ n, since }: Waiting, { sink: { records }, batch }: OpenBatch): Promise<void> {
  const request = (await readAccessRequest(records, batch.id, n)) ?? { at: since }
  await writeAccessRequest(records, batch.id, n, { ...request, state: 'rejected' })
}
