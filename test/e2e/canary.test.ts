import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { filesBelow, redisValues } from './everything-kept.ts'
import { useDataverse, useHome } from './use-home.ts'

/** A token that is easy to find wherever it must not be. */
const CANARY = 'c0ffee00-dead-4bee-8bad-canary000001'

/** Keys and values that were seen there. */
let inRedis = 0
const home = useHome()
const dataverse = useDataverse({
  world: {
    datasets: [
      {
        pid: 'doi:10.5072/FK2/SECRET',
        files: [
          { id: 1, label: 'restricted.bin', content: { size: 30_000_000, seed: 1 }, restricted: true },
          { id: 2, label: 'elsewhere.bin', content: { size: 5_000, seed: 2 }, store: 's3-redirect' },
          { id: 3, label: 'never.bin', content: { size: 10, seed: 3 }, restricted: true },
          ...Array.from({ length: 20 }, (_, i) => ({
            id: 10 + i,
            label: `${i}.bin`,
            content: { size: 99, seed: i },
          })),
        ],
      },
    ],
  },
  tokens: { [CANARY]: { user: '@jane', grants: [1] } },
  bytesPerSecond: 10_000_000,
  faults: [{ file: 10, steps: [{ kind: 'status', status: 500 }] }],
})

test('the token is in requests to its own origin, and nowhere else', async () => {
  const args = ['run', 'doi:10.5072/FK2/SECRET', '--server', dataverse.url, '--to', home.data, '--log-level', 'debug']
  const { child, ended } = home.start(args, { DATAVERSE_API_TOKEN: CANARY })
  const seen: string[] = []
  const look = setInterval(() => {
    void everythingVisible().then((texts) => seen.push(...texts))
  }, 300)
  const { code, stdout, stderr } = await ended
  clearInterval(look)
  expect(child.spawnargs.join(' ')).not.toContain(CANARY)
  // File 3 was not granted.
  expect(code).toBe(1)
  expect(stdout).toContain('SOURCE_DENIED')
  seen.push(stdout, stderr, ...(await filesBelow(home.folder)))
  expect(seen.length).toBeGreaterThan(30)
  expect(inRedis).toBeGreaterThan(0)
  expect(seen.filter((text) => text.includes(CANARY))).toEqual([])
  const requests = await dataverse.requests()
  expect(requests.some(({ origin, hasToken }) => origin === 'dataverse' && hasToken)).toBe(true)
  expect(requests.filter(({ origin, hasToken }) => origin === 'storage' && hasToken)).toEqual([])
  expect(requests.filter(({ url }) => url.includes(CANARY))).toEqual([])
  expect((await dataverse.totals()).leaks).toBe(0)
})

/** Every value in Redis, and the command line of every process. */
async function everythingVisible(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args'])
  // Redis may have just started, or be about to end.
  const values = await redisValues(home).catch(() => [])
  inRedis += values.length
  return [stdout, ...values]
}
