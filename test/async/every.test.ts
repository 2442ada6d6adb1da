import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { every } from '../../src/async/every.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('runs as often as it is told, until it is stopped', async () => {
  const work = vi.fn()
  const repeated = every(100, work, unexpected)
  await vi.advanceTimersByTimeAsync(350)
  await repeated.stop()
  await vi.advanceTimersByTimeAsync(1000)
  expect(work).toHaveBeenCalledTimes(3)
})

it('never overlaps itself, however long a run takes, and goes on after it', async () => {
  const { work, finish, runs } = slowWork()
  const repeated = every(100, work, unexpected)
  await vi.advanceTimersByTimeAsync(15_000)
  expect(runs()).toBe(1)
  finish()
  await vi.advanceTimersByTimeAsync(100)
  expect(runs()).toBe(2)
  finish()
  await repeated.stop()
})

it('stopping waits for the run under way', async () => {
  const { work, finish } = slowWork()
  const repeated = every(100, work, unexpected)
  await vi.advanceTimersByTimeAsync(100)
  let stopped = false
  const stopping = repeated.stop().then(() => (stopped = true))
  await vi.advanceTimersByTimeAsync(1000)
  expect(stopped).toBe(false)
  finish()
  await stopping
})

it('a run that fails is told, and the next one comes all the same', async () => {
  const problem = new Error('away')
  const errors: unknown[] = []
  const work = vi.fn<() => Promise<void>>().mockRejectedValueOnce(problem).mockResolvedValue()
  const repeated = every(100, work, (error) => errors.push(error))
  await vi.advanceTimersByTimeAsync(200)
  await repeated.stop()
  expect(errors).toEqual([problem])
  expect(work).toHaveBeenCalledTimes(2)
})

function slowWork(): { work: () => Promise<void>; finish: () => void; runs: () => number } {
  let runs = 0
  let finish = (): void => undefined
  const work = (): Promise<void> => {
    runs += 1
    return new Promise((resolve) => (finish = resolve))
  }
  return { work, finish: () => finish(), runs: () => runs }
}

function unexpected(error: unknown): never {
  throw error
}
