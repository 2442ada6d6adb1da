import { expect, it } from 'vitest'
import { batchOfKey, itemKey } from '../../src/model/item-key.ts'

it.each(['a', 'a-b', 'list-20261123-150742-1f0c9a', '7-7'])('the key of an item tells its batch: %s', (batch) => {
  expect(batchOfKey(itemKey(batch, 0))).toBe(batch)
  expect(batchOfKey(itemKey(batch, 12_345_678))).toBe(batch)
})

it.each(['', 'a', '-1', 'get-0f3a', 'a-'])('what is no key of an item is of no batch: %j', (key) => {
  expect(batchOfKey(key)).toBeUndefined()
})
