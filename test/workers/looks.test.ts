import { beforeEach, expect, it } from 'vitest'
import { readAccessRequest, writeAccessRequest } from '../../src/batch/access-request.ts'
import { DataferryError } from '../../src/errors.ts'
import { createLogger } from '../../src/log.ts'
import type { Notice } from '../../src/model/notice.ts'
import { waitingFor, type WaitsFor } from '../../src/model/receipt.ts'
import { Looks } from '../../workers/looks.ts'
import { SERVER } from '../batch/fixtures.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { itemFor, scriptedSource } from '../transfer/scripted-source.ts'
import { deskFor, ONE_TOKEN, ScriptedAccess, type Desk } from './fixtures.ts'

const HOUR_MS = 3_600_000
const SINCE = '2026-11-27T10:00:00.000Z'
const FAR = '2027-02-25T10:00:00.000Z'

let access: ScriptedAccess
let now: number
let told: Map<string, Notice | undefined>
beforeEach(() => {
  access = new ScriptedAccess()
  now = Date.parse('2026-11-27T12:00:00Z')
  told = new Map()
})

interface Waited {
  readonly dataset?: string
  readonly for?: WaitsFor
  readonly until?: string
}

/** A batch of which all files wait; file `n` has the id 100 + n. */
async function waitingDesk(files: readonly Waited[]): Promise<Desk> {
  const items = files.map(({ dataset = 'doi:x' }, n) => ({
    ...itemFor(bytesOf(1), { n, path: `f${n}`, ref: { kind: 'file', file: 100 + n, format: 'original' } as const }),
    origin: { dataset },
  }))
  const desk = await deskFor(items, scriptedSource(bytesOf(1)))
  const opened = await desk.batches.open('b1')
  for (const [n, item] of items.entries()) {
    const { for: what = 'access', until = FAR } = files[n] ?? {}
    await opened?.outcomes.record(waitingFor(what, item, { message: 'It waits.', since: SINCE, until }))
    await desk.ledger.settle('b1', n, { state: 'waiting', bytes: 0 })
    if (what === 'access') await writeAccessRequest(desk.sink.records, 'b1', n, { state: 'asked', at: SINCE })
  }
  await desk.ledger.setState('b1', 'waiting')
  return desk
}

function looksAt({ ledger }: Desk): Looks {
  const notices = { set: (cause: string, notice: Notice | undefined): void => void told.set(cause, notice) }
  const log = createLogger('silent')
  return new Looks({
    ledger,
    notices,
    tokens: ONE_TOKEN,
    everyMs: HOUR_MS,
    log,
    access: () => access,
    now: () => new Date(now),
  })
}

/** Looks, and waits for the end of it. @returns the time to the next look, in ms; undefined: nothing waits */
async function look(desk: Desk, looks: Looks): Promise<number | undefined> {
  const [entry, opened] = [await desk.ledger.get('b1'), await desk.batches.open('b1')]
  if (!entry || !opened) throw new Error('No batch.')
  const ms = await looks.due(entry, opened, SERVER)
  await looks.settled()
  return ms
}

async function openLines({ ledger }: Desk, count: number): Promise<number[]> {
  const settled = await ledger.settledIn('b1', 0, count)
  return settled.flatMap((isSettled, n) => (isSettled ? [] : [n]))
}

it('what was granted opens again, with one question for all, and the next look is an hour away', async () => {
  const desk = await waitingDesk([{}, { dataset: 'doi:y' }, {}])
  access.granted.add(102)
  const looks = looksAt(desk)
  await look(desk, looks)
  expect(access.asked).toEqual(['permitted 100 102', 'permitted 101'])
  expect(await openLines(desk, 3)).toEqual([2])
  // Only a real request tells whether that is so.
  expect(await readAccessRequest(desk.sink.records, 'b1', 2)).toMatchObject({ state: 'asked', at: SINCE })
  expect(await look(desk, looks)).toBe(HOUR_MS)
  now += HOUR_MS
  await look(desk, looks)
  expect(access.asked).toHaveLength(4)
})

it('an embargo opens on its day, without a question to the server', async () => {
  const desk = await waitingDesk([
    { for: 'embargo', until: '2026-11-27T12:00:00.000Z' },
    { for: 'embargo', until: '2026-11-27T12:30:00.000Z' },
  ])
  const looks = looksAt(desk)
  await look(desk, looks)
  expect(await openLines(desk, 2)).toEqual([0])
  expect(access.asked).toEqual([])
  expect(await look(desk, looks)).toBe(HOUR_MS / 2)
})

it('requests of a dataset are rejected when there are as many rejections as open requests, and not before', async () => {
  const desk = await waitingDesk([{}, {}, { dataset: 'doi:y' }])
  const at = new Date(now - HOUR_MS)
  access.rejected = [
    { dataset: 'doi:x', at },
    { dataset: 'doi:z', at },
    // Of a request that was made long before.
    { dataset: 'doi:y', at: new Date('2026-01-01') },
  ]
  const looks = looksAt(desk)
  await look(desk, looks)
  expect(await openLines(desk, 3)).toEqual([])
  expect([...told.values()].filter(Boolean)).toMatchObject([
    { reason: expect.stringContaining('tells of 1 rejection') as string },
  ])
  access.rejected.push({ dataset: 'doi:x', at })
  now += HOUR_MS
  await look(desk, looks)
  expect(await openLines(desk, 3)).toEqual([0, 1])
  expect(await readAccessRequest(desk.sink.records, 'b1', 0)).toMatchObject({ state: 'rejected' })
})

it('a request that nobody answered opens when its time is over', async () => {
  const desk = await waitingDesk([{ until: '2026-11-27T12:00:00.000Z' }])
  await look(desk, looksAt(desk))
  expect(await openLines(desk, 1)).toEqual([0])
  expect(access.asked).toEqual([])
})

it('a question that fails is said and asked again in minutes, and keeps nothing else from continuing', async () => {
  const desk = await waitingDesk([
    {},
    { until: '2026-11-27T12:00:00.000Z' },
    { for: 'embargo', until: '2026-11-27T12:00:00.000Z' },
  ])
  access.fails.permitted = new DataferryError('SOURCE_UNREACHABLE', 'Gone.')
  const looks = looksAt(desk)
  await look(desk, looks)
  expect(await openLines(desk, 3)).toEqual([1, 2])
  const since = new Date(now)
  expect([...told.values()].filter(Boolean)).toMatchObject([
    { reason: 'Gone.', since, nextLook: new Date(now + 300_000) },
    { what: 'Access to 1 file' },
  ])
  access.fails = {}
  access.granted.add(100)
  expect(await look(desk, looks)).toBe(300_000)
  now += 300_000
  await look(desk, looks)
  expect(await openLines(desk, 1)).toEqual([0])
  expect([...told.values()].filter(Boolean)).toEqual([])
})

it('what has failed since a look began stays so', async () => {
  const desk = await waitingDesk([{}])
  access.granted.add(100)
  const looks = looksAt(desk)
  await desk.ledger.reopen('b1', [0], 'waiting')
  await desk.ledger.settle('b1', 0, { state: 'failed', bytes: 0 })
  await desk.ledger.settle('b1', 1, { state: 'waiting', bytes: 0 })
  await look(desk, looks)
  expect(await openLines(desk, 1)).toEqual([])
  expect(await desk.ledger.summary('b1')).toMatchObject({ failed: 1 })
})

it('a batch that somebody paused while it was looked at stays paused, and nothing more is told of it', async () => {
  const desk = await waitingDesk([{}])
  const opened = await desk.batches.open('b1')
  await opened?.outcomes.record({ state: 'failed', n: 0, path: 'f0', code: 'X', message: 'x', finishedAt: FAR })
  const [entry, looks] = [await desk.ledger.get('b1'), looksAt(desk)]
  if (!entry || !opened) throw new Error('No batch.')
  await desk.ledger.setState('b1', 'paused', 'by hand')
  await looks.due(entry, opened, SERVER)
  await looks.settled()
  expect(await desk.ledger.get('b1')).toMatchObject({ state: 'paused', reason: 'by hand' })
  looks.leave('b1', SERVER)
  expect([...told.values()].filter(Boolean)).toEqual([])
})

it('a Redis that lost when to look is looked with at once, and one that counts what has ended is put right', async () => {
  const desk = await waitingDesk([{}])
  const looks = looksAt(desk)
  await look(desk, looks)
  await desk.ledger.setNextLook('b1', SERVER, 0)
  await look(desk, looks)
  expect(access.asked).toHaveLength(2)
  const opened = await desk.batches.open('b1')
  const item = itemFor(bytesOf(1), { path: 'f0' })
  await opened?.outcomes.record({ state: 'failed', n: 0, path: item.path, code: 'X', message: 'x', finishedAt: FAR })
  await desk.ledger.setNextLook('b1', SERVER, 0)
  await look(desk, looks)
  expect(await desk.ledger.get('b1')).toMatchObject({ state: 'open' })
})

it('what is waited for is told, with its next look, until nothing waits any more', async () => {
  const desk = await waitingDesk([{}, {}])
  const looks = looksAt(desk)
  await look(desk, looks)
  expect([...told.values()].filter(Boolean)).toMatchObject([
    { what: 'Access to 2 files', since: new Date(SINCE), nextLook: new Date(now + HOUR_MS) },
  ])
  await desk.ledger.reopen('b1', [0, 1], 'waiting')
  expect(await look(desk, looks)).toBeUndefined()
  expect([...told.values()].filter(Boolean)).toEqual([])
})
