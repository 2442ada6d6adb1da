import { setTimeout as sleep } from 'node:timers/promises'

/** Node.js takes a longer timer for one of 1 ms. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Waits, however long; rejects with the signal's reason when called off. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const until = performance.now() + ms
  for (let left = ms; left > 0; left = until - performance.now()) {
    try {
      await sleep(Math.min(left, LONGEST_TIMER_MS), undefined, signal && { signal })
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  }
}
