import type { ExpiringToken } from '../src/ledger/workers.ts'
import { expiryText } from '../src/status.ts'
import type { Notices } from './notices.ts'
import type { TokenKeeper } from './token-holds.ts'

export interface TokenExpiriesDeps {
  readonly tokens: Pick<TokenKeeper, 'placeOf' | 'renew'>
  /** When the token for a server expires; undefined: the server does not say. Never rejects. */
  readonly tokenExpiry: (server: string) => Promise<Date | undefined>
  readonly notices: Pick<Notices, 'set'>
}

/** A server is asked again about the same token after this. */
const ASK_MS = 12 * 3_600_000
/** So long before a token expires people are told. */
const WARNED_MS = 7 * 86_400_000

/** Tokens of this process that expire soon. */
export class TokenExpiries {
  readonly #deps: TokenExpiriesDeps
  readonly #asked = new Map<string, { readonly revision: number; readonly at: number }>()
  readonly #soon = new Map<string, ExpiringToken>()

  constructor(deps: TokenExpiriesDeps) {
    this.#deps = deps
  }

  /** Asks the servers where that is due, which it is at once where another token has come. */
  async look(servers: readonly string[]): Promise<void> {
    for (const server of servers) await this.#look(server)
  }

  /** For other processes to see. */
  list(): ExpiringToken[] {
    return [...this.#soon.values()]
  }

  async #look(server: string): Promise<void> {
    const { tokens, tokenExpiry, notices } = this.#deps
    const revision = tokens.renew(server)
    const asked = this.#asked.get(server)
    const now = performance.now()
    if (asked?.revision === revision && now - asked.at < ASK_MS) return
    this.#asked.set(server, { revision, at: now })
    const expires = await tokenExpiry(server)
    const place = tokens.placeOf(server)
    if (expires === undefined || expires.getTime() - Date.now() >= WARNED_MS) {
      this.#soon.delete(server)
      notices.set(`expiry ${server}`, undefined)
      return
    }
    const soon = { server, expires: expires.toISOString(), ...(place !== undefined && { place }) }
    this.#soon.set(server, soon)
    notices.set(`expiry ${server}`, expiryText(soon))
  }
}
