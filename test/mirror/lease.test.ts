import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { beforeEach, describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import { takeLease, type Lease } from '../../src/mirror/lease.ts'
import { describeProcess, ownProcess, type ProcessIdentity } from '../../src/process/process-identity.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'

const NAME = 'mirrors/m/lease.json'
const BEAT_MS = 20

let records: Records
let waitedFor: ProcessIdentity[]
beforeEach(() => {
  records = memorySink().records
  waitedFor = []
})

function take(whileWaiting?: () => Promise<void>, through = records): Promise<Lease> {
  return takeLease(through, NAME, {
    signal: new AbortController().signal,
    refusal: ({ host }) => new DataferryError('MIRROR_BUSY', `${host} has it`),
    onWait: (owner) => {
      waitedFor.push(owner)
      void whileWaiting?.()
    },
    times: { beatMs: BEAT_MS, silentMs: 10 * BEAT_MS },
  })
}

async function leave(owner: ProcessIdentity, beat = 0): Promise<void> {
  await records.write(NAME, JSON.stringify({ v: 1, id: 'another', owner, beat }))
}

async function elsewhere(): Promise<ProcessIdentity> {
  return { ...(await ownProcess()), host: 'elsewhere' }
}

describe('the lease of a mirror', () => {
  it('is with one process at a time, and nothing of it stays', async () => {
    const lease = await take()
    await expect(take()).rejects.toMatchObject({ code: 'MIRROR_BUSY' })
    await lease[Symbol.asyncDispose]()
    await (await take())[Symbol.asyncDispose]()
    expect(await records.list('mirrors')).toEqual([])
    expect(waitedFor).toEqual([])
  })

  it('of a process that has ended, or that cannot be read, is taken at once', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'])
    const owner = await describeProcess(child.pid ?? 0)
    await leave(owner)
    await expect(take()).rejects.toMatchObject({ code: 'MIRROR_BUSY' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await take())[Symbol.asyncDispose]()
    await records.write(NAME, '{"v":1')
    await (await take())[Symbol.asyncDispose]()
    expect(waitedFor).toEqual([])
  })

  it('of a process that has ended is taken by one of two that find it at the same time', async () => {
    await records.write(NAME, '{"v":1')
    let first: Promise<Lease> | undefined
    const slow = new Proxy(records, {
      get: (target, name: keyof Records) => {
        if (name !== 'read') return target[name].bind(target)
        return async (record: string) => {
          const found = await target.read(record)
          // What was read is acted upon only once another process has taken the lease.
          await (first ??= take())
          return found
        }
      },
    })
    await expect(take(undefined, slow)).rejects.toMatchObject({ code: 'MIRROR_BUSY' })
    const lease = await first
    expect(lease?.lost.aborted).toBe(false)
    expect(await records.list('mirrors')).toEqual([NAME])
    await lease?.[Symbol.asyncDispose]()
  })

  it('of a process on another machine is taken when it shows no life for a while', async () => {
    await leave(await elsewhere())
    await (await take())[Symbol.asyncDispose]()
    expect(waitedFor).toEqual([expect.objectContaining({ host: 'elsewhere' })])
  })

  it('of a process on another machine that lives is not taken', async () => {
    const owner = await elsewhere()
    await leave(owner)
    await expect(take(() => leave(owner, 1))).rejects.toThrow('elsewhere has it')
  })

  it('is lost to a process that took it while this one was silent, and stays with that', async () => {
    const lease = await take()
    await leave(await elsewhere())
    await expect.poll(() => lease.lost.aborted).toBe(true)
    await lease[Symbol.asyncDispose]()
    expect(await records.list('mirrors')).toEqual([NAME])
  })
})
