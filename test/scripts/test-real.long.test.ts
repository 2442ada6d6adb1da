import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { startDataverse } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/test-real.ts', import.meta.url))

async function testReal(env: Readonly<Record<string, string>>): Promise<{ code: unknown; text: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT], { env: { PATH: process.env['PATH'], ...env } })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const [code] = (await once(child, 'close')) as [unknown]
  return { code, text }
}

it('the suite for a real installation says what it needs, and does nothing without', async () => {
  expect(await testReal({})).toMatchObject({ code: 0, text: expect.stringContaining('DATAVERSE_TEST_URL') as string })
})

const MINUTE = 60_000

it(
  'the suite for a real installation keeps its promises on the stand-in, and leaves nothing behind',
  async () => {
    const tokens = { admin: { user: '@admin', superuser: true, curates: 'all' } } as const
    const standIn = await startDataverse({ world: new World(), tokens })
    try {
      const { code, text } = await testReal({ DATAVERSE_TEST_URL: standIn.url, DATAVERSE_TEST_TOKEN: 'admin' })
      expect(text).not.toMatch(/FAIL|not made here/)
      expect(text).toContain('30 of 30 promises kept')
      expect(code).toBe(0)
      expect([standIn.world.datasets.size, [...standIn.world.collections.keys()]]).toEqual([0, ['root']])
    } finally {
      await standIn.close()
    }
  },
  40 * MINUTE,
)
