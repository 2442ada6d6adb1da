import { expect, test } from 'vitest'
import { records } from './cli.ts'
import { useDataverse, useHome } from './use-home.ts'

const MIB = 1 << 20
const FILES = 200

const home = useHome()
const files = Array.from({ length: FILES }, (_, i) => ({
  id: i + 1,
  label: `${i}.bin`,
  content: { size: 2 * MIB + (i % 50) * 16_384, seed: 1 },
}))
const dataverse = useDataverse({
  world: { datasets: [{ pid: 'doi:10.5072/FK2/CLOSE', files }] },
  requestsPerConnection: 1,
})

/**
 * undici 7.26.0 to 7.30.2 end the process when such an answer ends while its reader is behind: see decision 8.
 * The limit makes the reader slower than the server, so that bytes wait in the client and the connection is paused.
 */
test('hundreds of answers that close their connection, each faster than it is read, all arrive', async () => {
  const args = ['run', 'doi:10.5072/FK2/CLOSE', '--server', dataverse.url, '--to', home.data]
  const { code, stdout, stderr } = await home.run([...args, '--limit-rate', '12MiB', '--json'])
  expect(stderr).not.toContain('AssertionError')
  const [summary] = records(stdout).filter(({ event }) => event === 'summary')
  expect(summary).toMatchObject({ done: FILES, failed: 0, complete: true, verified: { checksum: FILES } })
  expect(code).toBe(0)
  // One connection each: nothing was fetched twice, either.
  expect((await dataverse.requests()).filter(({ file }) => file !== undefined)).toHaveLength(FILES)
})
