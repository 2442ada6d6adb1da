import fc from 'fast-check'
import { expect, it } from 'vitest'
import { joined } from '../../src/mirror/joined.ts'

const some = fc.uniqueArray(fc.integer({ min: 1, max: 30 })).map((ids) => ids.sort((a, b) => a - b))

it('two streams are joined by id: each id once, in order, with what either has of it', async () => {
  await fc.assert(
    fc.asyncProperty(some, some, async (left, right) => {
      const found = []
      for await (const { id, left: one, right: other } of joined(streamOf(left), streamOf(right))) {
        found.push([id, one?.id, other?.id])
      }
      const ids = [...new Set([...left, ...right])].sort((a, b) => a - b)
      const has = (list: readonly number[], id: number): number | undefined => (list.includes(id) ? id : undefined)
      expect(found).toEqual(ids.map((id) => [id, has(left, id), has(right, id)]))
    }),
  )
})

it('a reader who has had enough ends both streams', async () => {
  const ended: string[] = []
  const ones = streamOf([1, 2, 3], () => ended.push('left'))
  const others = streamOf([2, 3], () => ended.push('right'))
  for await (const { id } of joined(ones, others)) if (id === 2) break
  expect(ended.sort()).toEqual(['left', 'right'])
})

async function* streamOf(ids: readonly number[], onEnd?: () => void): AsyncGenerator<{ readonly id: number }> {
  try {
    for (const id of ids) yield await Promise.resolve({ id })
  } finally {
    onEnd?.()
  }
}
