import type { Context, User, Visit } from './context.ts'
import { failure, Refusal } from './reply.ts'

/**
 * Takes one token of the bucket of this user and command class; all guests share one bucket (RateLimitUtil.java:28-70).
 * Buckets fill in whole minutes. Refuses with a 429 that names no time to wait; superusers are exempt. 6.2+.
 */
export function limit(visit: Visit, command: string, context: Context): void {
  const limiter = context.settings.limiter
  if (!limiter || !context.features.totalCount || visit.user?.superuser) return
  const hourly = visit.user ? limiter.userPerHour : limiter.guestPerHour
  if (!take(keyOf(visit.user, command), hourly, context))
    throw new Refusal({
      ...failure(429, `${command} failed: Rate limited due to too many requests.`),
      // JAX-RS of that age knows no name for 429.
      statusText: 'CUSTOM',
    })
}

function keyOf(user: User | undefined, command: string): string {
  return `${user?.name ?? ':guest'} ${command}`
}

function take(key: string, hourly: number, context: Context): boolean {
  const minute = Math.floor(context.clock() / 60_000)
  const bucket = context.memory.buckets.get(key) ?? { tokens: hourly, minute }
  context.memory.buckets.set(key, bucket)
  bucket.tokens = Math.min(hourly, bucket.tokens + ((minute - bucket.minute) * hourly) / 60)
  bucket.minute = minute
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}
