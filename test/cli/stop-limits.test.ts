import { expect, it } from 'vitest'
import { StopLimits } from '../../src/cli/stop-limits.ts'

it('a command stops when its time is over, by a clock that can be set, and not once it has ended', async () => {
  const waits: { readonly ms: number; readonly pass: () => void }[] = []
  const wait = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((pass, reject) => {
      waits.push({ ms, pass })
      signal.addEventListener('abort', () => reject(new Error('called off')), { once: true })
    })
  const limits = new StopLimits({ maxDurationMs: 8 * 3_600_000, wait })
  expect(limits.signal.aborted).toBe(false)
  expect(waits.map(({ ms }) => ms)).toEqual([28_800_000])
  waits[0]?.pass()
  await new Promise<void>((resolve) => limits.signal.addEventListener('abort', () => resolve(), { once: true }))
  expect(limits.signal.reason).toMatchObject({ code: 'LIMIT_REACHED', message: '--max-duration: 8 h have passed' })

  const ended = new StopLimits({ maxDurationMs: 1000, wait })
  ended.end()
  waits[1]?.pass()
  await Promise.resolve()
  expect(ended.signal.aborted).toBe(false)
})

it('a command stops once it has received so many bytes, whoever counts them', () => {
  const told: number[] = []
  const limits = new StopLimits({ maxTransfer: 1000, onReceived: (bytes) => told.push(bytes) })
  limits.received(600)
  limits.transferred(300)
  limits.received(600)
  expect(limits.signal.aborted).toBe(false)
  limits.received(100)
  expect(limits.signal.reason).toMatchObject({
    code: 'LIMIT_REACHED',
    message: '--max-transfer: 1.0 KiB were received',
  })
  expect(told).toEqual([600, 600, 100])
})
