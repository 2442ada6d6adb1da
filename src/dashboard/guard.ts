import { networkInterfaces, hostname } from 'node:os'
import type { MiddlewareHandler } from 'hono'
import { refuse } from './refusal.ts'

/** Where a dashboard may be reached, which is all that a request may name as its host. */
export interface Reach {
  /** Names and addresses, IPv6 in brackets; any port, as a tunnel has another one. */
  readonly names: ReadonlySet<string>
  /** `https://data.example.edu`: addresses under which a proxy in front of it is known. */
  readonly origins: ReadonlySet<string>
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
/** Interfaces that only this machine reaches. */
const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '::1'])
const ANY_INTERFACE = new Set(['0.0.0.0', '::'])

export function isLoopback(host: string): boolean {
  return LOOPBACK_HOSTS.has(host)
}

/**
 * @param host the interface that is listened on
 * @param origins addresses under which people reach it besides
 */
export function reachOf(host: string, origins: readonly string[]): Reach {
  const own = isLoopback(host) ? [] : ANY_INTERFACE.has(host) ? everyName() : [inUrl(host)]
  const hosts = origins.map((origin) => new URL(origin).hostname)
  return { names: new Set([...LOOPBACK, ...own, ...hosts]), origins: new Set(origins) }
}

function everyName(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map(({ address }) => inUrl(address)),
  )
  return [hostname().toLowerCase(), ...addresses]
}

/** How this machine reaches what listens on an interface, as it stands in a URL. */
export function reachedAt(host: string): string {
  if (isLoopback(host)) return 'localhost'
  return ANY_INTERFACE.has(host) ? '127.0.0.1' : inUrl(host)
}

/** An address as it stands in a URL. */
function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host.toLowerCase()
}

/**
 * Refuses every request for another host: a page of somebody else whose name was made to lead here (DNS rebinding) has that name in
 * its requests, and could otherwise read all answers.
 */
export function allowedHostsOnly({ names }: Reach): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host') ?? ''
    const url = `http://${host}`
    if (!/^[\w.:[\]-]{1,300}$/.test(host) || !URL.canParse(url) || !names.has(new URL(url).hostname)) {
      return refuse(context, 421, 'HOST_UNKNOWN', 'This dashboard is not known under that name: see --origin.')
    }
    return next()
  }
}

const READS = new Set(['GET', 'HEAD'])

/**
 * Refuses what a page of another origin makes a browser send: reads that it says are such, and every write that does not come from a
 * page of ours, or from a program that has a token and is no browser. Writes are JSON, which no form can send.
 */
export function sameOriginOnly({ origins }: Reach): MiddlewareHandler {
  return async (context, next) => {
    const { req } = context
    const site = req.header('sec-fetch-site') ?? 'none'
    const isRead = READS.has(req.method)
    // A link may lead here from anywhere; no cookie comes with it.
    const isFollowed = isRead && req.header('sec-fetch-mode') === 'navigate'
    if (site !== 'same-origin' && site !== 'none' && !isFollowed) return foreign(context)
    if (isRead) return next()
    const origin = req.header('origin')
    const isOurs = origin === `http://${req.header('host') ?? ''}` || (origin !== undefined && origins.has(origin))
    const isProgram = origin === undefined && req.header('authorization') !== undefined
    if (!isOurs && !isProgram) return foreign(context)
    if (!/^application\/json(?:\s*;|$)/i.test(req.header('content-type') ?? '')) {
      return refuse(context, 415, 'JSON_ONLY', 'Send JSON, with Content-Type: application/json.')
    }
    return next()
  }
}

function foreign(context: Parameters<MiddlewareHandler>[0]): Response {
  return refuse(context, 403, 'ORIGIN_FOREIGN', 'This request comes from a page of another origin.')
}

/** Nothing but files of ours runs, styles or is shown in a page, and no other page may frame or read one. */
const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
} as const

export const safeHeaders: MiddlewareHandler = async (context, next) => {
  await next()
  for (const [name, value] of Object.entries(HEADERS)) {
    if (!context.res.headers.has(name)) context.res.headers.set(name, value)
  }
}
