import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Notice } from '../../src/model/notice.ts'
import { TokenExpiries } from '../../workers/token-expiries.ts'

const SERVER = 'https://demo.invalid'
const DAY_MS = 24 * 3_600_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'Date'] }))
afterEach(() => void vi.useRealTimers())

it('a token that expires within a week is told until another one is in its file, and the server is asked twice a day', async () => {
  const token = { revision: 0, expires: new Date(Date.now() + 5 * DAY_MS), asked: 0 }
  const told: (Notice | undefined)[] = []
  const expiries = new TokenExpiries({
    tokens: { placeOf: () => '/home/jane/token', renew: () => token.revision },
    tokenExpiry: () => {
      token.asked++
      return Promise.resolve(token.expires)
    },
    notices: { set: (_, notice) => void told.push(notice) },
  })
  const look = async (afterMs = 0): Promise<void> => {
    vi.advanceTimersByTime(afterMs)
    await expiries.look([SERVER])
  }
  await look()
  const place = '/home/jane/token'
  expect(expiries.list()).toEqual([{ server: SERVER, expires: token.expires.toISOString(), place }])
  expect(told.at(-1)).toContain(`expires on ${token.expires.toISOString().slice(0, 10)}. Put a new one into ${place}`)
  await look(30_000)
  expect(token.asked).toBe(1)
  await look(DAY_MS / 2)
  expect(token.asked).toBe(2)
  token.revision = 1
  token.expires = new Date(Date.now() + 300 * DAY_MS)
  await look()
  expect([token.asked, expiries.list(), told.at(-1)]).toEqual([3, [], undefined])
})
