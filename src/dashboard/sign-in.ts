import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Context, Next } from 'hono'
import { getCookie, setCookie, deleteCookie } from 'hono/cookie'
import { LRUCache } from 'lru-cache'
import { refuse } from './refusal.ts'
import { ROLES, type Role } from './roles.ts'

/** Redeems the single-use links that `dataferry dashboard link` prints. @returns undefined: used, too old or never made */
export type RedeemLink = (token: string) => Promise<Role | undefined>

export interface SignInOptions {
  /** Tokens that an operator of the machine keeps in files, for shared use and for scripts. */
  readonly tokens: Readonly<Partial<Record<Role, string>>>
  readonly redeem: RedeemLink
  /** Cookies of one host are shared by all its ports. */
  readonly cookie: string
  /** Whether people reach it by HTTPS alone. */
  readonly secure: boolean
}

const SESSIONS = 1_000
const SESSION_MS = 12 * 60 * 60_000
/** No token of ours is longer. */
const LONGEST_TOKEN = 200

/** Who may do what: sessions in cookies, which live as long as this process, and tokens that come with each request. */
export class SignIn {
  readonly #options: SignInOptions
  /** By the hash of the cookie, so that nothing in memory signs anybody in. */
  readonly #sessions = new LRUCache<string, Role>({ max: SESSIONS, ttl: SESSION_MS })

  constructor(options: SignInOptions) {
    this.#options = options
  }

  /** @returns undefined: nobody is signed in */
  roleOf(context: Context): Role | undefined {
    const bearer = /^Bearer ([!-~]{1,200})$/i.exec(context.req.header('authorization') ?? '')?.[1]
    if (bearer !== undefined) return this.#roleOfToken(bearer)
    const cookie = getCookie(context, this.#options.cookie)
    return cookie === undefined ? undefined : this.#sessions.get(hashOf(cookie))
  }

  /** Takes a link's token or that of a file, and sets the cookie. */
  async begin(context: Context, token: string): Promise<Role | undefined> {
    if (token.length > LONGEST_TOKEN) return undefined
    const role = this.#roleOfToken(token) ?? (await this.#options.redeem(token))
    if (role === undefined) return undefined
    const session = randomBytes(32).toString('base64url')
    this.#sessions.set(hashOf(session), role)
    const { cookie, secure } = this.#options
    setCookie(context, cookie, session, {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: SESSION_MS / 1_000,
      secure,
    })
    return role
  }

  end(context: Context): void {
    const cookie = getCookie(context, this.#options.cookie)
    if (cookie !== undefined) this.#sessions.delete(hashOf(cookie))
    deleteCookie(context, this.#options.cookie, { path: '/' })
  }

  /** Lets only those in who are signed in, and only operators write. */
  async required(context: Context, next: Next): Promise<Response | undefined> {
    const role = this.roleOf(context)
    if (role === undefined) {
      const message = 'You are not signed in, or no longer.'
      return refuse(
        context,
        401,
        'SIGNED_OUT',
        message,
        'Run `dataferry dashboard link` and open the address it prints.',
      )
    }
    if (role === 'viewer' && context.req.method !== 'GET') {
      return refuse(context, 403, 'VIEWER_ONLY', 'You may look, but not change anything: that takes an operator.')
    }
    await next()
    return undefined
  }

  #roleOfToken(token: string): Role | undefined {
    // All are compared, so that the time tells nothing.
    return ROLES.filter((role) => isSame(this.#options.tokens[role], token)).at(-1)
  }
}

function isSame(known: string | undefined, given: string): boolean {
  return timingSafeEqual(digest(known ?? ''), digest(given)) && known !== undefined
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** What is kept of a secret. */
export function hashOf(secret: string): string {
  return digest(secret).toString('hex')
}
