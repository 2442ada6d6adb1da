import type { MiddlewareHandler } from 'hono'
import type { Reach } from './reach.ts'
import { refuse } from './refusal.ts'

/**
 * Refuses every request for another host: a page of somebody else whose name was made to lead here (DNS rebinding) has that name in
 * its requests, and could otherwise read all answers.
 */
export function allowedHostsOnly(reach: Reach): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host') ?? ''
    const url = `http://${host}`
    if (!/^[\w.:[\]-]{1,300}$/.test(host) || !URL.canParse(url) || !reach.knows(new URL(url).hostname)) {
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
