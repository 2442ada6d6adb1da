import { expect, it } from 'vitest'
import { holdText, noticeKey, noticeText } from '../../src/model/notice.ts'

const at = (time: string): Date => new Date(`2026-11-27T${time}`)
const NOW = at('12:00:00')
const WAIT = { what: '/data', reason: 'it is read-only.', since: at('11:59:50'), nextLook: at('12:00:05') }

it('a wait is told with reason, since when and the next look', () => {
  expect(holdText(WAIT, NOW)).toBe('on hold since 11:59:50, next look at 12:00:05: it is read-only.')
  expect(holdText({ ...WAIT, nextLook: at('11:59:59') }, NOW)).toContain(
    'on hold since 11:59:50, being looked at now: ',
  )
  expect(holdText({ ...WAIT, nextLook: undefined }, NOW)).toBe('paused since 11:59:50: it is read-only.')
  expect(noticeText(WAIT)).toMatch(/^\/data has been on hold since /)
  expect(noticeText('Redis is nearly full.')).toBe('Redis is nearly full.')
})

it('a time of another day is told with its day', () => {
  expect(holdText(WAIT, new Date('2026-11-29T03:00:00'))).toMatch(/^on hold since 2026-11-27 11:59, /)
})

it('a wait stays the same while its reason and its next look change', () => {
  expect(noticeKey({ ...WAIT, reason: 'it is gone.', nextLook: NOW })).toBe(noticeKey(WAIT))
  expect(noticeKey({ ...WAIT, since: NOW })).not.toBe(noticeKey(WAIT))
})
