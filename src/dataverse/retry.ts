import pRetry from 'p-retry'
import { pause } from '../async/pause.ts'
import { DataferryError } from '../errors.ts'

/** How often and how soon to retry. */
export interface RetryPolicy {
  /** Number of retries. */
  readonly retries: number
  /** First wait after a 429 that names none, doubled each time. Dataverse refills its buckets in whole minutes. */
  readonly throttleMs: number
  /** First wait after any other error that passes, doubled each time. */
  readonly retryMs: number
}

/** Repeats a call for as long as its caller wants to wait. */
export type Patiently = <T>(call: () => Promise<T>) => Promise<T>

export const ONCE: Patiently = (call) => call()

/** @see the protocol note §7: the limiter sends no Retry-After, so begin at a minute and grow. */
const DEFAULT: RetryPolicy = { retries: 3, throttleMs: 60_000, retryMs: 500 }
const LONGEST_WAIT_MS = 30_000
const LONGEST_THROTTLE_MS = 15 * 60_000

/** A policy in which what is not given is as by default. */
export function retryPolicy({
  retries = DEFAULT.retries,
  throttleMs = DEFAULT.throttleMs,
  retryMs = DEFAULT.retryMs,
}: { readonly [Name in keyof RetryPolicy]?: RetryPolicy[Name] | undefined }): RetryPolicy {
  return { retries, throttleMs, retryMs }
}

/**
 * Milliseconds to wait before attempt number `failures` + 1, or undefined when a retry cannot help or the retries are used up.
 * A wait the server asked for counts in full; our own waits grow and have jitter, so that clients do not synchronise.
 */
export function waitBeforeRetry(error: unknown, failures: number, policy: RetryPolicy): number | undefined {
  if (!(error instanceof DataferryError) || failures > policy.retries) return undefined
  const growth = 2 ** (failures - 1)
  switch (error.remedy) {
    case 'throttle':
      return error.retryAfterMs ?? Math.min(policy.throttleMs * growth, LONGEST_THROTTLE_MS)
    case 'retry':
    case 'restart':
      return error.retryAfterMs ?? Math.min(policy.retryMs * growth, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2)
    case 'park':
    case 'fail':
      return undefined
  }
}

/** Runs `attempt` until it succeeds or `waitBeforeRetry` gives up. Rejects with its last error. */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
): Promise<T> {
  return pRetry(attempt, {
    retries: policy.retries,
    minTimeout: 0,
    // p-retry has one growing wait for all errors; ours depends on the error, so it happens here.
    shouldRetry: async ({ error, attemptNumber }) => {
      const wait = waitBeforeRetry(error, attemptNumber, policy)
      if (wait === undefined) return false
      await pause(wait, signal)
      return true
    },
  })
}
