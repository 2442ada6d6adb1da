import { expect, it } from 'vitest'
import { runCases } from '../../scripts/fuzz/run-cases.ts'
import { TARGETS } from '../../scripts/fuzz/target.ts'
import { rounds } from '../rounds.ts'

it.each(Object.entries(TARGETS))('%s keeps its promises whatever it is given', async (_, load) => {
  const target = await load()
  expect(target.about).toMatch(/\.$/)
  const { numRuns: count } = rounds(100)
  const { tried, broken } = await runCases(target, { seed: 1, from: 0, count, seconds: 600 })
  expect(broken && { ...broken, material: Buffer.from(broken.material).toString().slice(0, 2000) }).toBeUndefined()
  expect(tried).toBe(count)
})

it('a broken promise is told with the number of its case, which can be tried again alone', async () => {
  const odd = {
    about: 'Even numbers only.',
    once: (dice: { between: (from: number, to: number) => number }, note: (material: string) => void) => {
      const number = dice.between(0, 20)
      note(String(number))
      return number === 7 ? Promise.reject(new Error('it is seven')) : Promise.resolve()
    },
  }
  const first = await runCases(odd, { seed: 3, from: 0, count: 10_000, seconds: 60 })
  expect(first.broken).toMatchObject({ why: expect.stringContaining('it is seven') as string, material: '7' })
  const number = first.broken?.number ?? 0
  expect((await runCases(odd, { seed: 3, from: number, count: 1, seconds: 60 })).broken).toMatchObject({ number })
})
