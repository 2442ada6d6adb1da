import { expect, it } from 'vitest'
import { within } from '../../src/async/within.ts'

it('waits for what is done in time, passes failures on, and not longer than it may', async () => {
  expect(await within(60_000, Promise.resolve('done'))).toBe('done')
  await expect(within(60_000, Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await within(1, new Promise(() => undefined))).toBeUndefined()
})
