import { describe, expect, it } from 'vitest'
import { originalName } from '../../src/plan/file-item.ts'

describe('the name of an original', () => {
  it.each([
    ['text/csv', 'table.csv'],
    ['application/x-unknown', 'table.tab'],
    ['constructor', 'table.tab'],
    ['__proto__', 'table.tab'],
    ['toString', 'table.tab'],
  ])('of the type %s is %s', (contentType, name) => {
    const original = { contentType }
    expect(originalName({ id: 1, label: 'table.tab', directory: '', tabular: true, original })).toBe(name)
  })
})
