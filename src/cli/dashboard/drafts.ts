import { isDeepStrictEqual } from 'node:util'
import { every, type Repeated } from '../../async/every.ts'
import { within } from '../../async/within.ts'
import { readDrafts, removeDraft } from '../../batch/drafts.ts'
import type { Logger } from '../../log.ts'
import { messageOf } from '../../errors.ts'
import type { BatchId } from '../../model/batch.ts'
import { livenessOf, ownProcess } from '../../process/process-identity.ts'
import type { Sink } from '../../sinks/sink.ts'

/** A page says about once a minute that it shows its plan: a browser lets one in the background do so no more often. */
const GRACE_MS = 3 * 60_000
const LOOK_MS = 30_000
/** A destination that does not answer must not keep the dashboard from ending. */
const LEAVE_MS = 5_000

interface Place {
  /** Commands that plan or start something there. */
  planning: number
  /** The removal that goes on, if any. */
  removing: Promise<void>
  /** Since when, by a clock that only grows, nobody was seen to look at a draft there. */
  readonly unseen: Map<BatchId, number>
}

/**
 * The plans that pages show. Each is a draft at its destination, which is removed with all that it left once nobody has looked at it for
 * a while; so are those of dashboards that have died. What was started is no draft any more, and nothing is removed at a destination
 * where something is being planned or started.
 */
export class Drafts {
  readonly #open: (url: string) => Promise<Sink>
  readonly #log: Logger
  readonly #graceMs: number
  /** Destinations that may have drafts to be removed. */
  readonly #places = new Map<string, Place>()
  #looking: Repeated | undefined

  constructor(open: (url: string) => Promise<Sink>, log: Logger, graceMs = GRACE_MS) {
    this.#open = open
    this.#log = log
    this.#graceMs = graceMs
  }

  /**
   * Begins to look now and then; `close` ends it.
   * @param urls destinations where dashboards that have died may have left drafts
   */
  start(urls: readonly string[], lookMs = LOOK_MS): void {
    for (const url of urls) this.#place(url)
    this.#looking = every(
      lookMs,
      () => this.#lookAtAll(this.#graceMs),
      () => undefined,
    )
  }

  /** Runs a command that plans or starts a batch at a destination. */
  async during<T extends { readonly batch: BatchId }>(url: string, work: () => Promise<T>): Promise<T> {
    const place = this.#place(url)
    place.planning++
    try {
      await place.removing
      const planned = await work()
      place.unseen.set(planned.batch, performance.now())
      return planned
    } finally {
      place.planning--
    }
  }

  /** A page shows this plan: it is kept for a while. @returns false: it is not known, or not any more */
  keep(id: BatchId): boolean {
    const unseen = this.#at(id)?.[1].unseen
    unseen?.set(id, performance.now())
    return unseen !== undefined
  }

  /** Nobody looks at this plan any more. Repeatable. */
  async drop(id: BatchId): Promise<void> {
    const at = this.#at(id)
    if (!at) return
    const [url, { unseen }] = at
    unseen.set(id, -Infinity)
    await this.#look(url, this.#graceMs)
  }

  /** Removes all that this dashboard shows; its commands have ended. */
  async close(): Promise<void> {
    await this.#looking?.stop()
    await within(LEAVE_MS, this.#lookAtAll(0))
  }

  #at(id: BatchId): [url: string, Place] | undefined {
    return [...this.#places].find(([, { unseen }]) => unseen.has(id))
  }

  #place(url: string): Place {
    const place = this.#places.get(url) ?? { planning: 0, removing: Promise.resolve(), unseen: new Map() }
    this.#places.set(url, place)
    return place
  }

  async #lookAtAll(graceMs: number): Promise<void> {
    await Promise.all([...this.#places.keys()].map((url) => this.#look(url, graceMs)))
  }

  /** Never rejects: the next look makes up for one that fails. */
  async #look(url: string, graceMs: number): Promise<void> {
    const place = this.#place(url)
    const look = async (): Promise<void> => {
      if (place.planning > 0) return
      const left = await this.#removeAt(url, place, graceMs)
      if (left === 0 && place.planning === 0) this.#places.delete(url)
    }
    place.removing = place.removing.then(look).catch((error: unknown) => {
      this.#log.debug(
        { destination: url, problem: messageOf(error) },
        'plans that nobody looks at could not be removed',
      )
    })
    await place.removing
  }

  /** @returns how many drafts are to be removed later */
  async #removeAt(url: string, { unseen }: Place, graceMs: number): Promise<number> {
    const sink = await this.#open(url)
    try {
      const now = performance.now()
      const drafts = await readDrafts(sink.records)
      for (const id of unseen.keys()) if (!drafts.has(id)) unseen.delete(id)
      for (const [id, { shownBy }] of drafts) {
        if (!shownBy) continue
        const isOurs = isDeepStrictEqual(shownBy, await ownProcess())
        if (!isOurs && (await livenessOf(shownBy)) !== 'dead') continue
        const since = unseen.get(id) ?? now
        unseen.set(id, since)
        // A command of a dashboard that has died may be about to start its draft: it hears of that in no time, and stops.
        if (now - since < (isOurs ? graceMs : this.#graceMs)) continue
        await removeDraft(sink.records, id)
        unseen.delete(id)
      }
      return unseen.size
    } finally {
      await sink.close()
    }
  }
}
