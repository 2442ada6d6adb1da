import { ExternalSort } from '../src/batch/external-sort.ts'
import { readAccessRequest, writeAccessRequest, type AccessRequest } from '../src/batch/access-request.ts'
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
  readonly ledger: Pick<Ledger, 'nextLooks' | 'reopen' | 'setNextLook' | 'setState' | 'summary'>
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
  /** What this process has looked at: its command begins with a look. */
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
      for (const one of servers) this.#tell(keyOf(entry.id, one), undefined)
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
    this.#seen.add(key)
    // Nobody else looks meanwhile.
    await ledger.setNextLook(entry.id, server, at + Math.min(everyMs, AGAIN_MS))
    const looking = this.#look(entry, opened, server)
      .catch((error: unknown) => this.#failed(entry, server, error))
      .finally(() => this.#running.delete(key))
    this.#running.set(key, looking)
    return BUSY_MS
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
    const { ledger, log, notices, tokens, now, everyMs } = this.#deps
    log.warn({ batch: id, server, problem: messageOf(error) }, 'looking for access failed')
    const at = now().getTime() + Math.min(everyMs, AGAIN_MS)
    const isToken = error instanceof DataferryError && error.code === 'TOKEN_REJECTED'
    if (!isToken || !tokens.hold(server, error)) {
      const key = keyOf(id, server)
      const since = this.#failing.get(key) ?? now()
      this.#failing.set(key, since)
      const what = `Looking for access to files of ${server}`
      notices.set(`looks ${key}`, { what, reason: messageOf(error), since, nextLook: new Date(at) })
    }
    // Where Redis is away, the look is due when it is back.
    await ledger.setNextLook(id, server, at).catch(() => undefined)
  }

  async #look(entry: LedgerEntry, opened: OpenBatch, server: string): Promise<void> {
    const { ledger, notices, now, everyMs, access } = this.#deps
    const { id } = entry
    await using waiting = new ExternalSort(waitingSchema)
    const { all, since } = await gather(new Outcomes(opened.sink.records, id, entry.planned), server, waiting)
    // Redis was set back, and counts as waiting what has ended since: the report puts that right.
    if (all === 0 && entry.state === 'waiting') await ledger.setState(id, 'open')
    const api = access(server)
    const rejections = since === undefined ? [] : await api.rejections(sinceMinute(since), this.#closing.signal)
    let next = now().getTime() + everyMs
    const left = { access: 0, embargo: 0 }
    for await (const { key: dataset, values } of waiting.groups()) {
      const opens = await this.#mayContinue(values, rejectionsOf(dataset, rejections), api, opened)
      const lines = [...opens].map(({ n }) => n)
      await ledger.reopen(id, lines)
      for (const line of values) {
        if (opens.has(line)) continue
        left[line.for]++
        next = Math.min(next, Date.parse(line.until))
      }
    }
    await ledger.setNextLook(id, server, next)
    const key = keyOf(id, server)
    this.#failing.delete(key)
    notices.set(`looks ${key}`, undefined)
    this.#tell(key, { left, since, next })
  }

  /** Which of the files of a dataset may continue; decisions about requests are on record before. */
  async #mayContinue(
    lines: readonly Waiting[],
    rejections: readonly Rejection[],
    api: FileAccess,
    opened: OpenBatch,
  ): Promise<ReadonlySet<Waiting>> {
    const at = this.#deps.now().getTime()
    const due = lines.filter(({ until }) => Date.parse(until) <= at)
    const asked = lines.filter((line) => line.for === 'access' && Date.parse(line.until) > at)
    const { granted, unknown } = await this.#permitted(asked, api, this.#closing.signal)
    const open = asked.filter((line) => !granted.has(line))
    const rejected = areRejected(open, rejections) ? open : []
    for (const line of granted) await decide(line, 'granted', opened)
    for (const line of rejected) await decide(line, 'rejected', opened)
    const probed = [...unknown].filter((line) => this.#isProbeDue(line))
    return new Set([...due, ...granted, ...rejected, ...probed])
  }

  /** Those that this user may download by now, and those that the server says nothing about. */
  async #permitted(
    lines: readonly Waiting[],
    api: FileAccess,
    signal: AbortSignal,
  ): Promise<Record<'granted' | 'unknown', ReadonlySet<Waiting>>> {
    const ids = lines.flatMap(({ file }) => (typeof file === 'number' ? [file] : []))
    const { yes, no } = ids.length === 0 ? { yes: NO_FILES, no: NO_FILES } : await api.permitted(ids, signal)
    const isIn = (files: ReadonlySet<number>, { file }: Waiting): boolean => typeof file === 'number' && files.has(file)
    return {
      granted: new Set(lines.filter((line) => isIn(yes, line))),
      unknown: new Set(lines.filter((line) => !isIn(yes, line) && !isIn(no, line))),
    }
  }

  #isProbeDue({ finishedAt }: Waiting): boolean {
    const { now, everyMs } = this.#deps
    return now().getTime() - Date.parse(finishedAt) >= LOOKS_A_PROBE * everyMs
  }

  #tell(
    key: string,
    waits: { readonly left: Record<Waiting['for'], number>; since: string | undefined; next: number } | undefined,
  ): void {
    const { access = 0, embargo = 0 } = waits?.left ?? {}
    const { notices } = this.#deps
    const nextLook = new Date(waits?.next ?? 0)
    const since = new Date(waits?.since ?? nextLook)
    const reason = 'it was requested, and is not granted yet.'
    const what = `Access to ${access} ${access === 1 ? 'file' : 'files'}`
    notices.set(`access ${key}`, access === 0 ? undefined : { what, reason, since, nextLook })
    const files = embargo === 1 ? '1 file waits' : `${embargo} files wait`
    notices.set(
      `embargo ${key}`,
      embargo === 0 ? undefined : `${files} for the end of an embargo: waiting.csv has the days.`,
    )
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

function rejectionsOf(dataset: string, all: readonly Rejection[]): readonly Rejection[] {
  return dataset === '' ? [] : all.filter((one) => one.dataset === dataset)
}

/**
 * Whether all open requests of a dataset were rejected. The server names the dataset and not the file, so only that is
 * certain: at least as many rejections as open requests, since the first of them.
 */
function areRejected(open: readonly Waiting[], rejections: readonly Rejection[]): boolean {
  if (open.length === 0) return false
  const first = open.reduce((known, { since }) => (since < known ? since : known), open[0]?.since ?? '')
  return rejections.filter(({ at }) => at >= sinceMinute(first)).length >= open.length
}

async function decide(
  { n, since }: Waiting,
  state: AccessRequest['state'],
  { sink: { records }, batch }: OpenBatch,
): Promise<void> {
  const { at } = (await readAccessRequest(records, batch.id, n)) ?? { at: since }
  await writeAccessRequest(records, batch.id, n, { state, at })
}
