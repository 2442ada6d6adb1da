import pMap from 'p-map'
import { within } from '../async/within.ts'
import { isDestination } from '../batch/destination.ts'
import { messageOf } from '../errors.ts'
import { listMirrors } from '../mirror/order.ts'
import { shownUrl } from '../model/shown-url.ts'
import { readVerifySummary } from '../proof/verify/summary.ts'
import type { Sink } from '../sinks/sink.ts'
import type { DestinationView, MirrorView, ProofView } from './api/schemas.ts'
import { MirrorHistory } from './mirror-history.ts'
import { provedView } from './proof-view.ts'

/** Opens a destination by its URL; the caller closes it. */
export type OpenSink = (url: string) => Promise<Sink>

/** Of what is looked at for everybody all the time. */
const FRESH_MS = 15_000
/** Of what somebody asks for. */
const ASKED_FRESH_MS = 2_000
/** A disk that hangs, or a store that is away, holds nothing up. */
const PATIENCE_MS = 5_000
const AT_ONCE = 4
const AT_ONCE_MS = 300
const SILENT = 'it does not answer.'
const LOST = 'dataferry has no records there: is its disk mounted?'

interface Look {
  readonly destination: DestinationView
  readonly mirrors: readonly MirrorView[]
  readonly proved: ProofView['verified']
}

interface Known {
  /** When `last` was seen, in ms that only grow. */
  at: number
  last: Look | undefined
  /** The look that goes on, or the last one. */
  next: Promise<Look>
}

/** What is at the destinations: free space, mirrors, and what was found when they were verified. Each is looked at now and then, and never twice at once. */
export class Places {
  readonly #open: OpenSink
  readonly #freshMs: number
  readonly #patienceMs: number
  readonly #history = new MirrorHistory()
  readonly #looks = new Map<string, Known>()
  /** Destinations that have not answered yet, however long they take: one that hangs gets no further question. */
  readonly #asked = new Set<string>()
  /** Where there must be records. */
  #used: ReadonlySet<string> = new Set()

  constructor(open: OpenSink, freshMs = FRESH_MS, patienceMs = PATIENCE_MS) {
    this.#open = open
    this.#freshMs = freshMs
    this.#patienceMs = patienceMs
  }

  /**
   * As far as they answer at once: what a slow one says is told by the next question.
   * @param used those that batches go to: one without any record is most likely a disk that is not mounted
   */
  async destinations(urls: Iterable<string>, used: ReadonlySet<string>): Promise<readonly DestinationView[]> {
    this.#used = used
    const all = [...new Set(urls)].sort()
    const looks = all.map(async (url) => {
      const look = await within(AT_ONCE_MS, this.#look(url, this.#freshMs))
      return look ?? this.#looks.get(url)?.last ?? lookWithout(url, null)
    })
    return (await Promise.all(looks)).map(({ destination }) => destination)
  }

  async mirrors(urls: Iterable<string>): Promise<readonly MirrorView[]> {
    return (await this.#all(urls)).flatMap(({ mirrors }) => mirrors)
  }

  async proofs(urls: Iterable<string>): Promise<readonly ProofView[]> {
    return (await this.#all(urls)).map(({ destination: { destination, problem }, proved }) => {
      return { destination, problem, verified: proved }
    })
  }

  /** Lets the next question look anew. */
  forget(): void {
    for (const known of this.#looks.values()) known.at = -Infinity
  }

  /** Of every destination that is known; others are forgotten. */
  async #all(urls: Iterable<string>): Promise<readonly Look[]> {
    const all = [...new Set(urls)].sort()
    for (const known of this.#looks.keys()) if (!all.includes(known)) this.#looks.delete(known)
    const maxAgeMs = Math.min(ASKED_FRESH_MS, this.#freshMs)
    return pMap(all, (url) => this.#look(url, maxAgeMs), { concurrency: AT_ONCE })
  }

  /** What was seen at most `maxAgeMs` ago; else it is looked at anew, and waited for. */
  async #look(url: string, maxAgeMs: number): Promise<Look> {
    const known = this.#looks.get(url)
    if (this.#asked.has(url)) return known?.next ?? lookWithout(url, SILENT)
    if (known?.last && performance.now() - known.at < maxAgeMs) return known.last
    this.#asked.add(url)
    const entry: Known = { at: -Infinity, last: known?.last, next: Promise.resolve(lookWithout(url, SILENT)) }
    // What comes late counts, too.
    const seen = this.#lookNow(url)
      .catch((error: unknown) => lookWithout(url, messageOf(error)))
      .then((look) => {
        entry.at = performance.now()
        entry.last = look
        this.#asked.delete(url)
        return look
      })
    entry.next = within(this.#patienceMs, seen).then((look) => look ?? lookWithout(url, SILENT))
    this.#looks.set(url, entry)
    return entry.next
  }

  async #lookNow(url: string): Promise<Look> {
    const sink = await this.#open(url)
    try {
      if (this.#used.has(url) && !(await isDestination(sink.records))) return lookWithout(url, LOST)
      const free = (await sink.free()) ?? null
      const names = await listMirrors(sink.records)
      const mirrors = await pMap(names, (name) => this.#history.view(sink, name), { concurrency: AT_ONCE })
      const proved = provedView(await readVerifySummary(sink.records), new Date())
      const wrong = proved ? proved.open.missing + proved.open.changed : 0
      return { destination: { destination: shownUrl(url), free, problem: null, wrong }, mirrors, proved }
    } finally {
      await sink.close()
    }
  }
}

function lookWithout(url: string, problem: string | null): Look {
  return { destination: { destination: shownUrl(url), free: null, problem, wrong: 0 }, mirrors: [], proved: null }
}
