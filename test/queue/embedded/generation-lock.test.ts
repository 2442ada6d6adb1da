import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { takeLock } from '../../../src/queue/embedded/generation-lock.ts'
import { ownProcess } from '../../../src/process/process-identity.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-lock-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

it('of many only one holds it at a time, and each gets it', async () => {
  let holders = 0
  let most = 0
  const turn = async (): Promise<void> => {
    const release = await takeLock(folder, 20_000)
    most = Math.max(most, (holders += 1))
    await readdir(folder)
    holders -= 1
    await release()
  }
  await Promise.all(Array.from({ length: 12 }, turn))
  expect(most).toBe(1)
  expect(await readdir(folder)).toHaveLength(1)
})

it('the lock of a dead process is free at once', async () => {
  await writeFile(join(folder, 'lock.7'), JSON.stringify({ ...(await ownProcess()), startTime: '1' }))
  const release = await takeLock(folder, 1000)
  expect(await readdir(folder)).toEqual(['lock.8'])
  await release()
})

it('the lock of a living process, or of one that cannot be seen, is waited for', async () => {
  await takeLock(folder, 1000)
  await expect(takeLock(folder, 120)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  const foreign = join(folder, 'lock.9')
  await writeFile(foreign, JSON.stringify({ ...(await ownProcess()), space: 'elsewhere' }))
  await expect(takeLock(folder, 120)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  const before = new Date(Date.now() - 200_000)
  await utimes(foreign, before, before)
  await (
    await takeLock(folder, 1000)
  )()
})
