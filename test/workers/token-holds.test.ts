import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import { noticeText } from '../../src/model/notice.ts'
import { TokenHolds } from '../../workers/token-holds.ts'

const SERVER = 'https://demo.invalid'
const REFUSED = new DataferryError('TOKEN_REJECTED', 'Bad API key')

let told: (string | undefined)[]
const notices = {
  set: (_: string, notice: Parameters<typeof noticeText>[0] | undefined): void =>
    void told.push(notice && noticeText(notice)),
}
beforeEach(() => {
  told = []
  vi.useFakeTimers({ toFake: ['performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('a refused token holds its server until another one is in its file and accepted, and says where it belongs', async () => {
  const keeper = { revision: 0, accepted: false, asked: 0 }
  const holds = new TokenHolds(
    {
      placeOf: () => '/home/jane/token',
      renew: () => keeper.revision,
      isAccepted: () => {
        keeper.asked++
        return Promise.resolve(keeper.accepted)
      },
    },
    notices,
  )
  expect(await holds.isOpen(SERVER)).toBe(true)
  expect(holds.hold(SERVER, REFUSED)).toBe(true)
  expect(told[0]).toContain('/home/jane/token')
  expect(await holds.isOpen(SERVER)).toBe(false)
  expect(await holds.isOpen('https://other.invalid')).toBe(true)
  vi.advanceTimersByTime(5_000)
  expect(await holds.isOpen(SERVER)).toBe(false)
  vi.advanceTimersByTime(5_000)
  expect(await holds.isOpen(SERVER)).toBe(false)
  // The server is asked once about a token that may have come just now, and then about another one only.
  expect(keeper.asked).toBe(1)
  keeper.revision = 1
  vi.advanceTimersByTime(5_000)
  expect(await holds.isOpen(SERVER)).toBe(false)
  expect(keeper.asked).toBe(2)
  keeper.accepted = true
  keeper.revision = 2
  expect(holds.overdue(60_000)).toBeUndefined()
  vi.advanceTimersByTime(5_000)
  expect(await holds.isOpen(SERVER)).toBe(true)
  expect(told.at(-1)).toBeUndefined()
})

it('the same token is tried again now and then: a server may have refused it for a while only', async () => {
  let accepted = false
  const holds = new TokenHolds(
    { placeOf: () => 'token', renew: () => 0, isAccepted: () => Promise.resolve(accepted) },
    notices,
  )
  holds.hold(SERVER, REFUSED)
  vi.advanceTimersByTime(300_000)
  expect(await holds.isOpen(SERVER)).toBe(false)
  expect(holds.overdue(60_000)).toBe(REFUSED)
  accepted = true
  vi.advanceTimersByTime(300_000)
  expect(await holds.isOpen(SERVER)).toBe(true)
})

it('a token that came from no file cannot be replaced while the process runs', async () => {
  const holds = new TokenHolds(
    { placeOf: () => undefined, renew: () => 0, isAccepted: () => Promise.resolve(false) },
    notices,
  )
  expect(holds.hold(SERVER, REFUSED)).toBe(false)
  expect(await holds.isOpen(SERVER)).toBe(true)
  expect(told).toEqual([])
})
