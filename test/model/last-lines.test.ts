import { expect, it } from 'vitest'
import { lastLines } from '../../src/model/last-lines.ts'

it('the end of a text is whole lines, or begins at a word', () => {
  expect(lastLines('first line\nsecond\n third\n', 14)).toBe('second\nthird')
  expect(lastLines('one two three four', 10)).toBe('… four')
  expect(lastLines('', 10)).toBe('')
})
