import { randomBytes } from 'node:crypto'
import { link, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DataferryError, systemCode } from '../../errors.ts'
import { livenessOf, ownProcess, parseIdentity } from '../../process/process-identity.ts'

const POLL_MS = 50
/** A holder that cannot be seen from here counts as dead after this long: the lock is never held for more than a minute. */
const UNSEEN_MS = 90_000

/**
 * Takes a lock that ends with its process, on any local file system, without a native module.
 *
 * The lock is a series of files `lock.<n>`; the highest one is in force. It is free when it is empty or its process is
 * dead; then the process that creates `lock.<n + 1>` has it. The highest file is never removed, so a number is never used
 * twice, except by a slow process that then sees a higher one and steps back.
 * @returns a function that releases it. Rejects with `REDIS_UNAVAILABLE` after `patienceMs`.
 */
export async function takeLock(folder: string, patienceMs: number): Promise<() => Promise<void>> {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    const n = await highest(folder)
    if (n === 0 || (await isFree(join(folder, `lock.${n}`)))) {
      const mine = join(folder, `lock.${n + 1}`)
      if ((await create(folder, mine)) && (await isInForce(folder, n + 1, mine))) {
        await removeBelow(folder, n + 1)
        return () => truncate(mine)
      }
      continue
    }
    await sleep(POLL_MS)
  }
  throw new DataferryError(
    'REDIS_UNAVAILABLE',
    `Another process has been starting Redis in ${folder} for too long; end it, or give a Redis with --redis.`,
  )
}

async function numbers(folder: string): Promise<number[]> {
  const names = await readdir(folder)
  return names.flatMap((name) => /^lock\.(\d+)$/.exec(name)?.slice(1).map(Number) ?? [])
}

async function highest(folder: string): Promise<number> {
  return Math.max(0, ...(await numbers(folder)))
}

async function isFree(path: string): Promise<boolean> {
  try {
    const holder = parseIdentity(await readFile(path, 'utf8'))
    if (!holder) return true
    const life = await livenessOf(holder)
    return life === 'dead' || (life === 'unknown' && Math.abs(Date.now() - (await stat(path)).mtimeMs) > UNSEEN_MS)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Creates the file with its content in one step. @returns false: another process did. */
async function create(folder: string, path: string): Promise<boolean> {
  const draft = join(folder, `draft.${randomBytes(6).toString('hex')}`)
  await writeFile(draft, JSON.stringify(await ownProcess()), { mode: 0o600 })
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

async function isInForce(folder: string, n: number, path: string): Promise<boolean> {
  if ((await highest(folder)) === n) return true
  await rm(path, { force: true })
  return false
}

async function removeBelow(folder: string, n: number): Promise<void> {
  const old = (await numbers(folder)).filter((number) => number < n)
  await Promise.all(old.map((number) => rm(join(folder, `lock.${number}`), { force: true })))
}
