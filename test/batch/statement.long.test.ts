import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { nodeProgram } from '../node-program.ts'

const CHILD = fileURLToPath(new URL('statement.child.ts', import.meta.url))
const saidSchema = z.object({ maxRss: z.number(), page: z.number() })

/** In processes of its own, as the most that one ever took is asked. */
async function reported(files: number): Promise<z.infer<typeof saidSchema>> {
  const folder = await mkdtemp(join(tmpdir(), 'df-statement-'))
  const child = (task: string) =>
    promisify(execFile)(process.execPath, [...nodeProgram(CHILD), folder, task, String(files)])
  try {
    await child('stage')
    return saidSchema.parse(JSON.parse((await child('report')).stdout))
  } finally {
    await rm(folder, { recursive: true })
  }
}

it('a batch of five times as many files and datasets takes no more memory, and has a page of the same size', async () => {
  const some = await reported(60_000)
  const many = await reported(300_000)
  expect(many.maxRss).toBeLessThan(1.5 * some.maxRss)
  expect(many.page).toBeLessThan(1.01 * some.page)
  expect(many.page).toBeLessThan(200_000)
})
