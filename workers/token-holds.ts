import type { DataferryError } from '../src/errors.ts'
import type { RefusedToken } from '../src/ledger/workers.ts'
import type { Notices } from './notices.ts'

/** The token that this process has for a server. */
export interface TokenKeeper {
  /** Where another token can be put while this process runs: a file; undefined: nowhere. */
  placeOf(server: string): string | undefined
  /** Reads that place again. @returns how often it has held another token so far */
  renew(server: string): number
  /** Whether the server accepts the present token; false where it cannot be asked. */
  isAccepted(server: string): Promise<boolean>
}

interface Hold {
  /** By the clock that nobody can set, as are `begun` and `askAt`. */
  lookAt: number
  /** When the server is asked about an unchanged token again: first at once, as another one may have come just now. */
  askAt: number
  revision: number
  readonly begun: number
  readonly since: Date
  readonly place: string
  readonly error: DataferryError
}

/** Between two looks into the file, and between two questions about a token that is still the same. */
const LOOK_MS = 5_000
const ASK_MS = 5 * 60_000

/**
 * Servers that do not accept this process's token any more. Nothing is asked of them in its name until they accept it again or
 * another one is found where it came from.
 */
export class TokenHolds {
  readonly #holds = new Map<string, Hold>()
  readonly #keeper: TokenKeeper
  readonly #notices: Pick<Notices, 'set'>

  constructor(keeper: TokenKeeper, notices: Pick<Notices, 'set'>) {
    this.#keeper = keeper
    this.#notices = notices
  }

  /** @returns false: no other token can come, so that this needs a person who starts another process */
  hold(server: string, error: DataferryError): boolean {
    if (this.#holds.has(server)) return true
    const place = this.#keeper.placeOf(server)
    if (place === undefined) return false
    const begun = performance.now()
    const revision = this.#keeper.renew(server)
    const hold = { lookAt: begun + LOOK_MS, askAt: begun, revision, begun, since: new Date(), place, error }
    this.#holds.set(server, hold)
    this.#tell(server, hold)
    return true
  }

  /** Whether a server may be asked in the name of the token. Looks for another one when that is due. */
  async isOpen(server: string): Promise<boolean> {
    const hold = this.#holds.get(server)
    if (!hold) return true
    const now = performance.now()
    if (now < hold.lookAt) return false
    hold.lookAt = now + LOOK_MS
    const revision = this.#keeper.renew(server)
    if (revision === hold.revision && now < hold.askAt) return false
    hold.revision = revision
    hold.askAt = now + ASK_MS
    if (!(await this.#keeper.isAccepted(server))) {
      this.#tell(server, hold)
      return false
    }
    this.#holds.delete(server)
    this.#notices.set(`token ${server}`, undefined)
    return true
  }

  /** What is on hold now, for other processes to see. */
  list(): RefusedToken[] {
    return [...this.#holds].map(([server, hold]) => ({
      server,
      reason: reasonOf(hold),
      since: hold.since.toISOString(),
    }))
  }

  /** The error to end with when a token has been refused for longer than this. */
  overdue(afterMs: number): DataferryError | undefined {
    const now = performance.now()
    return [...this.#holds.values()].find(({ begun }) => now - begun > afterMs)?.error
  }

  #tell(server: string, hold: Hold): void {
    const nextLook = new Date(Date.now() + hold.lookAt - performance.now())
    this.#notices.set(`token ${server}`, { what: server, reason: reasonOf(hold), since: hold.since, nextLook })
  }
}

function reasonOf({ place }: Hold): string {
  return `it does not accept the API token any more. Put a new one into ${place}.`
}
