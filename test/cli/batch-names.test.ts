import { expect, it } from 'vitest'
import { idsMeant, shortId } from '../../src/cli/batch-names.ts'

const ALL = ['list-20261127-150742-1fd1d2', 'list-20261127-150743-abd1d2', 'other-20261127-150744-0c9a77']

it('a batch is named by the shortest end that no other one has, of four characters or more', () => {
  expect(ALL.map((id) => shortId(id, ALL))).toEqual(['fd1d2', 'bd1d2', '9a77'])
  expect(shortId('ab', ['ab', 'xab'])).toBe('ab')
  expect(shortId('b', ['b'])).toBe('b')
})

it('any unique end of an id names its batch, and the whole id always', () => {
  expect(idsMeant('77', ALL)).toEqual([ALL[2]])
  expect(idsMeant('d1d2', ALL)).toEqual([ALL[0], ALL[1]])
  expect(idsMeant('b', ['b', 'ab'])).toEqual(['b'])
  expect(idsMeant('nothing', ALL)).toEqual([])
  expect(idsMeant('', ALL)).toEqual([])
})
