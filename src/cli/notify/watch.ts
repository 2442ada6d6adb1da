import { createHash } from 'node:crypto'
import { untilAborted } from '../../async/until-aborted.ts'
import { readBatch } from '../../batch/folder.ts'
import type { Report } from '../../batch/report-schema.ts'
import { readReport } from '../../batch/report.ts'
import { messageOf } from '../../errors.ts'
import { pausedWith, type LedgerEntry } from '../../ledger/ledger.ts'
import type { MirrorRun, MirrorRuns } from '../../ledger/mirror-runs.ts'
import type { Notifications } from '../../ledger/notifications.ts'
import type { Workers } from '../../ledger/workers.ts'
import type { NotifyEvent } from '../../notify/event.ts'
import { MIRROR_FORMAT } from '../../plan/mirror-entries.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'
import type { Runtime } from '../runtime.ts'
import { tokensOf, type TokenStatus } from '../../status.ts'
import { placeHolds, type PlaceHold } from './place-holds.ts'
import { formatDuration, plural } from '../../model/format.ts'

export interface WatchDeps {
  readonly context: Pick<Context, 'config' | 'log'>
  readonly ledger: Pick<Runtime['ledger'], 'list'>
  readonly mirrors: Pick<MirrorRuns, 'list'>
  readonly workers: Pick<Workers, 'list'>
  readonly notifications: Pick<Notifications, 'isKnown' | 'since'>
  readonly publish: (event: NotifyEvent) => Promise<void>
  readonly staleAfterMs: number
  readonly clock: () => Date
}

/** A destination that does not answer holds nothing up. */
const PATIENCE_MS = 10_000
const HICCUP_MS = 60_000
/** Between two looks at a report that could not be read. */
const AGAIN_MS = 60_000

/** Looks at batches and mirrors, and publishes what people want to be told of. */
export class Watch {
  readonly #deps: WatchDeps
  /** Ids that need no further look, as long as there is something of that id. */
  #seen: ReadonlySet<string> = new Set()
  /** The same of the look under way. */
  #seeing = new Set<string>()
  /** Destinations and batches that could not be read, and when they are looked at again, in ms since 1970. */
  readonly #later = new Map<string, number>()

  constructor(deps: WatchDeps) {
    this.#deps = deps
  }

  async look(): Promise<void> {
    const { ledger, mirrors, workers, notifications, clock } = this.#deps
    const since = await notifications.since(clock())
    this.#seeing = new Set()
    for (const entry of await ledger.list()) await this.#batch(entry, since)
    for (const run of await mirrors.list()) await this.#mirror(run, since)
    const heard = await workers.list()
    for (const hold of placeHolds(heard)) await this.#hold(hold)
    for (const token of tokensOf(heard)) await this.#expiry(token)
    this.#seen = this.#seeing
    for (const [place, at] of this.#later) if (at <= clock().getTime()) this.#later.delete(place)
  }

  async #batch(entry: LedgerEntry, since: Date): Promise<void> {
    const { id, state, reason = '' } = entry
    if (state === 'finished') await this.#once(`batch:${id}:ended`, () => this.#ended(entry, since))
    const error = state === 'paused' ? pausedWith(entry) : undefined
    if (error) {
      const facts = { batch: id, destination: shownUrl(entry.destination), code: error.code }
      const text = `Batch ${id} waits for you: ${error.message}`
      const key = `batch:${id}:waits:${createHash('sha256').update(reason).digest('hex').slice(0, 16)}`
      await this.#once(key, () => Promise.resolve({ kind: 'batch-waits', text, facts }))
    }
  }

  async #ended({ id, destination }: LedgerEntry, since: Date): Promise<News | undefined> {
    const report = await this.#report(destination, id)
    // It is not to be seen from here: another machine may tell.
    if (!report) return undefined
    if (report === 'of a mirror' || Date.parse(report.finishedAt) < since.getTime()) return OLD
    const { complete, planned, done, kept, failed } = report
    const facts = { batch: id, destination: shownUrl(destination), complete, planned, done, kept, failed }
    if (complete) {
      const all = planned === 1 ? 'its file is' : `all ${plural(planned, 'file')} are`
      return { kind: 'batch-finished', text: `Batch ${id} has ended: ${all} there.`, facts }
    }
    const lacking = planned - done - kept
    const text = `Batch ${id} has ended: ${lacking} of ${plural(planned, 'file')} ${lacking === 1 ? 'is' : 'are'} not there.`
    return { kind: 'batch-failed', text, facts }
  }

  async #mirror(run: MirrorRun, since: Date): Promise<void> {
    const { staleAfterMs, clock } = this.#deps
    const { mirror, destination, successAt, knownSince } = run
    const about = { mirror, destination: shownUrl(destination) }
    // Since the last look several may have ended.
    const news = [...run.recent, run].filter((one) => one.changed > 0 && Date.parse(one.endedAt) >= since.getTime())
    for (const { run: name, complete, changed, fetched } of news) {
      const text = `Mirror ${mirror}: ${plural(changed, 'dataset')} changed, ${plural(fetched, 'file')} fetched.`
      const facts = { ...about, run: name, complete, changed, fetched }
      await this.#once(`mirror:${mirror}:${destination}:${name}`, () =>
        Promise.resolve({ kind: 'mirror-changed', text, facts }),
      )
    }
    const last = successAt ?? knownSince
    const staleMs = clock().getTime() - Date.parse(last)
    if (staleMs <= staleAfterMs) return
    const text = `Mirror ${mirror} is stale: it has had no complete run for ${formatDuration(staleMs)}.`
    await this.#once(`mirror:${mirror}:${destination}:stale:${last}`, () =>
      Promise.resolve({
        kind: 'mirror-stale',
        text,
        facts: { ...about, run: run.run, lastSuccess: successAt ?? 'none' },
      }),
    )
  }

  /** What workers cannot use until somebody does something. A short while may be a hiccup. */
  async #hold({ subject, text, since, facts }: PlaceHold): Promise<void> {
    if (this.#deps.clock().getTime() - Date.parse(since) < HICCUP_MS) return
    await this.#once(`hold:${subject}:${since}`, () => Promise.resolve({ kind: 'batch-waits', text, facts }))
  }

  /** A token that expires soon: once it has, work waits. */
  async #expiry({ server, hosts, reason: text, expires }: TokenStatus): Promise<void> {
    const at = expires?.toISOString()
    if (at === undefined) return
    const facts = { server, host: hosts.join(', '), expires: at }
    await this.#once(`token:${server}:${at}`, () => Promise.resolve({ kind: 'batch-waits', text, facts }))
  }

  /** Publishes news once; `OLD` is never looked at again, undefined at the next look. */
  async #once(id: string, news: () => Promise<News | undefined>): Promise<void> {
    const { notifications, publish, clock } = this.#deps
    if (this.#seeing.has(id)) return
    const found = this.#seen.has(id) || (await notifications.isKnown(id)) ? OLD : await news()
    if (!found) return
    if (found !== OLD) await publish({ ...found, id, at: clock().toISOString() })
    this.#seeing.add(id)
  }

  /** Of a batch that a mirror made for itself, its run is told instead. */
  async #report(destination: string, id: string): Promise<Report | 'of a mirror' | undefined> {
    if (this.#later.has(destination) || this.#later.has(id)) return undefined
    // One that hangs gets no further question.
    this.#later.set(destination, Infinity)
    return untilAborted(this.#read(destination, id), AbortSignal.timeout(PATIENCE_MS)).catch(() => undefined)
  }

  /** Never rejects: what cannot be read is left alone for a while. */
  async #read(destination: string, id: string): Promise<Report | 'of a mirror' | undefined> {
    const { config, log } = this.#deps.context
    let unreadable: string | undefined = destination
    try {
      const sink = await openDestination(config, destination)
      unreadable = id
      try {
        const batch = await readBatch(sink.records, id)
        const report = batch?.manifest.format === MIRROR_FORMAT ? 'of a mirror' : await readReport(sink.records, id)
        if (report) unreadable = undefined
        return report
      } finally {
        await sink.close()
      }
    } catch (error) {
      log.debug({ batch: id, problem: messageOf(error) }, 'its report cannot be read from here')
      return undefined
    } finally {
      this.#later.delete(destination)
      if (unreadable !== undefined) this.#later.set(unreadable, this.#deps.clock().getTime() + AGAIN_MS)
    }
  }
}

type News = Pick<NotifyEvent, 'kind' | 'text' | 'facts'>
/** Nothing to tell. */
const OLD: News = { kind: 'test', text: '', facts: {} }
