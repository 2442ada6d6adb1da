import { expect, test } from 'vitest'
import { runChaos } from '../../scripts/chaos/run.ts'

/** As chaos.long.test.ts, with as many strikes as `npm run chaos` has by default. */
test('200 kills, and whatever else strikes, lose, double and change nothing', async () => {
  const said: string[] = []
  const figures = await runChaos({ seed: 1, kills: 200, files: 2_000, minutes: 60, say: (text) => said.push(text) })
  expect(figures.problems, said.join('\n')).toEqual([])
  expect(figures).toMatchObject({ planned: 2_000, failed: 0, leftovers: [] })
  expect(figures.strikes.kills).toBeGreaterThanOrEqual(200)
})
