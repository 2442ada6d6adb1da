import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { Links } from '../../src/dashboard/links.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { nodeProgram } from '../node-program.ts'
import { useRedis } from '../redis.ts'

const HEALTH = fileURLToPath(new URL('../../src/cli/health.ts', import.meta.url))

interface Answer {
  readonly code: number
  readonly said: string
}

/** Runs the check as the container engine does: a process of its own, with the worker's environment. */
function health(env: Readonly<Record<string, string>>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, nodeProgram(HEALTH), { env }, (_error, stdout) =>
      resolve({ code: child.exitCode ?? -1, said: stdout }),
    )
    child.once('error', reject)
  })
}

describe('the health check of a worker', () => {
  const redis = useRedis()
  const check = () => health({ REDIS_URL: redis.url, DATAFERRY_PREFIX: redis.prefix })
  const workers = () => new Workers(redis.client, redis.prefix)

  async function beat(at: Date, space?: string): Promise<void> {
    const self = await ownProcess()
    const told = {
      id: randomUUID(),
      tokens: [],
      scopes: ['public'],
      since: at.toISOString(),
      at: at.toISOString(),
      holds: [],
      destinations: [],
    }
    await workers().beat({ ...self, ...told, ...(space !== undefined && { space }) })
  }

  afterEach(async () => {
    for (const { id } of await workers().list()) await workers().remove(id)
  })

  it('is well when Redis answers and the worker beside it was heard lately', async () => {
    await beat(new Date())
    expect(await check()).toEqual({ code: 0, said: 'Redis answers and the worker is alive\n' })
  })

  it('is well when there is no worker, but a dashboard of this machine', async () => {
    const links = new Links(redis.client, redis.prefix)
    const place = { url: 'http://localhost:8686', host: hostname(), pid: process.pid }
    await links.announce(place)
    expect(await check()).toEqual({ code: 0, said: 'Redis answers and the dashboard is alive\n' })
    await links.withdraw(place)
    await links.announce({ ...place, host: `not ${place.host}` })
    expect((await check()).code).toBe(1)
  })

  it('is not well when only workers of other containers are heard', async () => {
    await beat(new Date(), 'another-boot-4026531836')
    const { code, said } = await check()
    expect(code).toBe(1)
    expect(said).toContain('no worker of this container')
  })

  it('is not well when the worker has been silent', async () => {
    await beat(new Date(Date.now() - 60_000))
    const { code, said } = await check()
    expect(code).toBe(1)
    expect(said).toContain('the worker has not reported for 6')
  })

  it('is not well without a Redis, and shows no password', async () => {
    const { code, said } = await health({ REDIS_URL: 'redis://user:secret@127.0.0.1:1' })
    expect(code).toBe(1)
    expect(said).toContain('cannot be used')
    expect(said).not.toContain('secret')
  })
})
