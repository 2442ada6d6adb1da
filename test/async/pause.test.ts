import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { LONGEST_TIMER_MS, pause } from '../../src/async/pause.ts'

it('a wait that is longer than any timer of Node.js is no shorter than others, and can be called off', async () => {
  const stop = new AbortController()
  let over = false
  const waiting = pause(2 * LONGEST_TIMER_MS, stop.signal).then(() => (over = true))
  // Node.js would take such a timer for one of 1 ms.
  await sleep(50)
  expect(over).toBe(false)
  stop.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

it('a wait ends when it is over', async () => {
  const begun = performance.now()
  await pause(20)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(19)
})
