import { beforeEach, describe, expect, it } from 'vitest'
import { readAccessRequest, writeAccessRequest } from '../../src/batch/access-request.ts'
import { writeBatch } from '../../src/batch/folder.ts'
import { DataferryError } from '../../src/errors.ts'
import type { BatchAccess } from '../../src/model/batch.ts'
import type { Item } from '../../src/model/item.ts'
import type { OpenSource } from '../../src/model/source.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { itemFor, scriptedSource } from '../transfer/scripted-source.ts'
import { deskFor, ScriptedAccess, type Desk } from './fixtures.ts'

const BYTES = bytesOf(100)
const DAY_MS = 86_400_000
const ACCESS: BatchAccess = { request: true, timeoutMs: 90 * DAY_MS, waitFor: ['embargo'], waitAtMostMs: 30 * DAY_MS }

const denied: OpenSource = () => Promise.reject(new DataferryError('SOURCE_DENIED', 'No access.', { status: 403 }))

let access: ScriptedAccess
let now: Date
beforeEach(() => {
  access = new ScriptedAccess()
  now = new Date('2026-11-27T10:00:00Z')
})

/** A batch of one file that the server does not let this user download. */
function desk(more: Partial<Item>, batch: Partial<BatchAccess> | 'nothing' = {}): Promise<Desk> {
  const item = { ...itemFor(BYTES), ...more }
  const said = batch === 'nothing' ? {} : { access: { ...ACCESS, ...batch } }
  const options = { access, now: () => now, batch: said }
  return deskFor([item], { open: denied }, options)
}

describe('a restricted file', () => {
  it('is requested once, and waits', async () => {
    const one = await desk({ withheld: 'restricted' })
    expect(await one.work({ n: 0 })).toEqual({ kind: 'over' })
    expect(access.asked).toEqual(['requested?', 'request 1'])
    expect(await one.outcomes()).toMatchObject([
      { state: 'waiting', for: 'access', file: 1, since: now.toISOString(), until: '2027-02-25T10:00:00.000Z' },
    ])
    expect(await one.ledger.summary('b1')).toMatchObject({ waiting: 1, failed: 0 })
    // It is tried again, and is still refused.
    await one.ledger.reopen('b1', [0], 'waiting')
    access.about = { withheld: 'restricted' }
    await one.work({ n: 0 })
    expect(access.asked).toEqual(['requested?', 'request 1', 'facts'])
    expect((await one.outcomes()).map(({ state }) => state)).toEqual(['waiting', 'waiting'])
  })

  it('is not requested where nobody said so', async () => {
    for (const batch of ['nothing', { request: false }] as const) {
      const one = await desk({ withheld: 'restricted' }, batch)
      await one.work({ n: 0 })
      expect(await one.outcomes()).toMatchObject([{ state: 'failed', code: 'SOURCE_DENIED' }])
    }
    expect(access.asked).toEqual([])
  })

  it('whose open request the server knows already, waits for that one', async () => {
    access.answer = { kind: 'exists' }
    const one = await desk({ withheld: 'restricted' })
    await one.work({ n: 0 })
    expect(await one.outcomes()).toMatchObject([{ state: 'waiting', for: 'access' }])
  })

  it('that may not be requested fails with what the server says, and may be requested another time', async () => {
    access.answer = { kind: 'refused', why: 'Requests for access are not accepted on the Dataset.' }
    const one = await desk({ withheld: 'restricted' })
    await one.work({ n: 0 })
    const [outcome] = await one.outcomes()
    expect(outcome).toMatchObject({ state: 'failed', code: 'SOURCE_DENIED' })
    expect(outcome).toHaveProperty('message', expect.stringContaining('not accepted'))
    expect(await readAccessRequest(one.sink.records, 'b1', 0)).toBeUndefined()
  })

  it.each([true, false])(
    'whose request was cut off is asked about first: made already: %s; it is made once in all',
    async (arrived) => {
      const one = await desk({ withheld: 'restricted' })
      access.fails.request = new DataferryError('SOURCE_UNREACHABLE', 'Gone.')
      expect(await one.work({ n: 0 })).toMatchObject({ kind: 'retry' })
      access.fails = {}
      access.everRequested = arrived
      access.about = { withheld: 'restricted' }
      await one.work({ n: 0 })
      const again = arrived ? [] : ['request 1']
      expect(access.asked).toEqual(['requested?', 'request 1', 'facts', 'requested?', ...again])
      expect(await one.outcomes()).toMatchObject([{ state: 'waiting', since: now.toISOString() }])
    },
  )

  it('nobody answered for in time fails with a code of its own', async () => {
    const one = await desk({ withheld: 'restricted' })
    await one.work({ n: 0 })
    await one.ledger.reopen('b1', [0], 'waiting')
    access.about = { withheld: 'restricted' }
    now = new Date('2027-02-25T10:00:01Z')
    await one.work({ n: 0 })
    expect((await one.outcomes()).at(-1)).toMatchObject({ state: 'failed', code: 'ACCESS_UNANSWERED' })
  })

  it('that was requested at another time is requested all the same: also where the request was cut off', async () => {
    access.everRequested = true
    const one = await desk({ withheld: 'restricted' })
    access.fails.request = new DataferryError('SOURCE_UNREACHABLE', 'Gone.')
    expect(await one.work({ n: 0 })).toMatchObject({ kind: 'retry' })
    access.fails = {}
    access.about = { withheld: 'restricted' }
    await one.work({ n: 0 })
    expect(access.asked.filter((asked) => asked === 'request 1')).toHaveLength(2)
    expect(await one.outcomes()).toMatchObject([{ state: 'waiting' }])
  })

  it('whose request a server answered with a pause has not been requested', async () => {
    const one = await desk({ withheld: 'restricted' })
    access.fails.request = new DataferryError('SOURCE_THROTTLED', 'Later.', { status: 429 })
    await one.work({ n: 0 })
    expect(await readAccessRequest(one.sink.records, 'b1', 0)).toBeUndefined()
    access.fails = {}
    access.everRequested = true
    await one.work({ n: 0 })
    expect(await one.outcomes()).toMatchObject([{ state: 'waiting' }])
  })

  it('is judged by what the batch says now, whenever this process opened it', async () => {
    const one = await desk({ withheld: 'restricted' }, 'nothing')
    await one.work({ n: 0 })
    await writeBatch(one.sink.records, { ...one.batch, access: ACCESS })
    await one.ledger.reopen('b1', [0], 'failed')
    await one.work({ n: 0 })
    expect((await one.outcomes()).map(({ state }) => state)).toEqual(['failed', 'waiting'])
  })

  it('that is withheld in the middle of its download fails alone, and is not requested', async () => {
    access.about = { withheld: 'restricted' }
    const refused = new DataferryError('SOURCE_DENIED', 'No access.', { status: 403 })
    const source = scriptedSource(BYTES, [{ cutAfter: 40 }, { refuse: refused }])
    const batch = { access: ACCESS }
    const one = await deskFor([itemFor(BYTES, { size: 2 << 20 })], source, { access, batch })
    await one.work({ n: 0 })
    expect(await one.outcomes()).toMatchObject([{ state: 'failed', code: 'SOURCE_DENIED' }])
    expect(access.asked).toEqual(['facts'])
  })

  it('that seems to have been rejected fails as such, and waits again where somebody tries it again', async () => {
    access.about = { withheld: 'restricted' }
    const one = await desk({ withheld: 'restricted' })
    await writeAccessRequest(one.sink.records, 'b1', 0, { state: 'rejected', at: now.toISOString() })
    await one.work({ n: 0 })
    await one.ledger.reopen('b1', [0], 'failed')
    await one.work({ n: 0 })
    expect(await one.outcomes()).toMatchObject([{ state: 'failed', code: 'ACCESS_REJECTED' }, { state: 'waiting' }])
    expect(access.asked).toEqual(['facts', 'facts'])
  })

  it('that was open to everybody when it was planned is requested, too', async () => {
    access.about = { withheld: 'restricted' }
    const one = await desk({})
    await one.work({ n: 0 })
    expect(access.asked).toEqual(['facts', 'requested?', 'request 1'])
  })
})

describe('an embargoed file', () => {
  const embargoed = { withheld: 'embargoed', withheldDay: '2026-12-01' } as const

  it('waits for noon of its day, and nothing is asked for it', async () => {
    const one = await desk(embargoed)
    await one.work({ n: 0 })
    expect(access.asked).toEqual([])
    expect(await one.outcomes()).toMatchObject([
      { state: 'waiting', for: 'embargo', until: '2026-12-01T12:00:00.000Z' },
    ])
  })

  it.each([
    ['the batch may not wait', 'nothing'],
    ['only access is waited for', { waitFor: [] }],
    ['it lasts for too long', { waitAtMostMs: DAY_MS }],
  ] satisfies [string, Partial<BatchAccess> | 'nothing'][])('fails with its day where %s', async (_, batch) => {
    const one = await desk(embargoed, batch)
    await one.work({ n: 0 })
    const [outcome] = await one.outcomes()
    expect(outcome).toMatchObject({ state: 'failed', code: 'SOURCE_EMBARGOED' })
    expect(outcome).toHaveProperty('message', expect.stringContaining('2026-12-01'))
  })

  it('is asked about again once its day has come: it may be embargoed for longer, or restricted', async () => {
    now = new Date('2026-12-01T12:00:00Z')
    access.about = { withheld: 'embargoed', withheldDay: '2026-12-05' }
    const one = await desk(embargoed)
    await one.work({ n: 0 })
    expect(await one.outcomes()).toMatchObject([{ state: 'waiting', until: '2026-12-05T12:00:00.000Z' }])
    await one.ledger.reopen('b1', [0], 'waiting')
    access.about = { withheld: 'restricted' }
    await one.work({ n: 0 })
    expect((await one.outcomes()).at(-1)).toMatchObject({ state: 'waiting', for: 'access' })
    expect(access.asked).toEqual(['facts', 'facts', 'requested?', 'request 1'])
  })
})

it('a file whose retention period is over fails with its last day', async () => {
  const one = await desk({ withheld: 'retention-expired', withheldDay: '2026-11-01' })
  await one.work({ n: 0 })
  const [outcome] = await one.outcomes()
  expect(outcome).toMatchObject({ state: 'failed', code: 'SOURCE_RETENTION_OVER' })
  expect(outcome).toHaveProperty('message', expect.stringContaining('2026-11-01'))
})

it('a file that the server says nothing more about fails as it was refused', async () => {
  access.fails.facts = new DataferryError('SOURCE_NOT_FOUND', 'Not there.', { status: 404 })
  const one = await desk({})
  await one.work({ n: 0 })
  expect(await one.outcomes()).toMatchObject([{ state: 'failed', code: 'SOURCE_DENIED', message: 'No access.' }])
})
