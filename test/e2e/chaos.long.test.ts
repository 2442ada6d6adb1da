import { expect, test } from 'vitest'
import { runChaos } from '../../scripts/chaos/run.ts'

/** A short run of `npm run chaos`; see docs/chaos.md. */
test('whatever is killed, frozen or asked to end, every file arrives once and all books agree', async () => {
  const said: string[] = []
  const figures = await runChaos({
    seed: 11,
    kills: 15,
    files: 200,
    minutes: 12,
    say: (text) => said.push(text),
  })
  expect(figures.problems, said.join('\n')).toEqual([])
  expect(figures).toMatchObject({ planned: 200, failed: 0, leftovers: [] })
  expect(figures.done + figures.kept).toBe(200)
  expect(figures.strikes.kills).toBeGreaterThanOrEqual(15)
})
