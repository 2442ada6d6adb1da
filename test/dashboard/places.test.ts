import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { recordText } from '../../src/batch/record.ts'
import { attentionOf } from '../../src/dashboard/attention.ts'
import { Places } from '../../src/dashboard/places.ts'
import { names, writeOrder } from '../../src/mirror/order.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { ResultsKeeper } from '../../src/proof/verify/keep-results.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { itemAt, plannedBatch } from '../batch/fixtures.ts'
import { checksumOf } from '../contracts/hash.ts'

let folder: string
let url: string
let sink: Sink
const open = (): Promise<Sink> => Promise.resolve(diskSink(folder))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-places-'))
  url = pathToFileURL(folder).href
  sink = diskSink(folder)
  const scope = { kind: 'collections' as const, collections: ['climate'], linked: false }
  const createdAt = '2026-01-01T00:00:00.000Z'
  await writeOrder(sink.records, {
    v: 1,
    name: 'm',
    createdAt,
    server: 'https://dv.example.edu',
    scope,
    versions: 'latest',
    layout: 'tree',
    metadata: 'none',
  })
})
afterAll(async () => {
  await sink.close()
  await rm(folder, { recursive: true })
})

async function writeRun(run: string, complete: boolean): Promise<void> {
  const files = { fetched: 1, kept: 0, linked: 0, moved: 0, superseded: 0, failed: 0, missing: 0 }
  const time = `2026-01-01T00:00:00.000Z`
  const report = {
    v: 1,
    mirror: 'm',
    run,
    startedAt: time,
    finishedAt: run,
    complete,
    sweep: 'quick',
    states: {},
    datasets: {},
    files,
    bytesFetched: 0,
    requests: {},
    problems: [],
  }
  await sink.records.write(names.run('m', run, 'run.json'), recordText(report))
}

it('the last success of a mirror is known, however many runs have failed since', async () => {
  await writeRun('0000', true)
  for (let n = 1; n <= 45; n++) await writeRun(String(n).padStart(4, '0'), false)
  const places = new Places(open, 0)
  expect(await places.mirrors([url])).toMatchObject([
    { lastSuccess: '0000', lastRun: { run: '0045', complete: false } },
  ])
  await writeRun('0046', true)
  expect(await places.mirrors([url])).toMatchObject([{ lastSuccess: '0046', lastRun: { run: '0046', complete: true } }])
})

it('after a quiet while, the first question is answered with what is there now', async () => {
  const places = new Places(open, 60_000)
  await places.mirrors([url])
  await writeRun('0047', true)
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 3_000)
  try {
    expect(await places.mirrors([url])).toMatchObject([{ lastRun: { run: '0047' } }])
  } finally {
    vi.restoreAllMocks()
  }
})

it('a mirror is running while a process has it, and not after that was killed', async () => {
  const places = new Places(open, 0)
  const isRunning = async (): Promise<boolean | undefined> => (await places.mirrors([url]))[0]?.running
  const lease = async (owner: object, beat: number): Promise<void> => {
    await sink.records.write(names.lease('m'), recordText({ v: 1, id: 'l', owner, beat }))
  }
  expect(await isRunning()).toBe(false)
  const me = await ownProcess()
  await lease(me, 1)
  expect(await isRunning()).toBe(true)
  await lease({ ...me, startTime: '1' }, 1)
  expect(await isRunning()).toBe(false)
  const elsewhere = { ...me, host: 'elsewhere', space: 'another' }
  await lease(elsewhere, 1)
  expect(await isRunning()).toBe(true)
  await lease(elsewhere, 2)
  expect(await isRunning()).toBe(true)
  expect(await isRunning()).toBe(false)
})

it('a destination that hangs is asked once, until it answers, and is told as silent meanwhile', async () => {
  let asked = 0
  let answer: (sink: Sink) => void = () => undefined
  const hanging = (): Promise<Sink> => {
    asked++
    return new Promise((resolve) => (answer = resolve))
  }
  const places = new Places(hanging, 60_000, 1)
  for (let i = 0; i < 5; i++) expect(await places.mirrors([url])).toEqual([])
  expect(asked).toBe(1)
  expect(await places.destinations([url], new Set())).toMatchObject([{ problem: 'it does not answer.' }])
  answer(diskSink(folder))
  await expect.poll(async () => (await places.destinations([url], new Set()))[0]?.problem).toBeNull()
})

it('a place that a batch goes to and that has no record is a disk that is not mounted; a new one is none', async () => {
  const empty = join(folder, 'empty')
  const gone = pathToFileURL(empty).href
  const places = new Places(() => Promise.resolve(diskSink(empty)), 0)
  expect(await places.destinations([gone], new Set())).toMatchObject([{ problem: null }])
  places.forget()
  expect(await places.destinations([gone], new Set([gone]))).toMatchObject([
    { free: null, problem: 'dataferry has no records there: is its disk mounted?' },
  ])
})

it('what was verified is told from the summary of each destination, and what is wrong needs a person', async () => {
  const place = join(folder, 'proved')
  const { records } = diskSink(place)
  const { batch } = await plannedBatch(records, [itemAt('a.csv'), itemAt('b.csv')])
  const places = new Places(() => Promise.resolve(diskSink(place)), 0)
  const here = pathToFileURL(place).href
  const told = async (): Promise<unknown> => {
    places.forget()
    return (await places.proofs([here]))[0]
  }
  expect(await told()).toEqual({ destination: place, problem: null, verified: null })
  const keeper = await ResultsKeeper.open(records, { now: () => new Date(), by: '1.2.3' })
  const bytes = { size: 3, checksum: checksumOf(Buffer.from('abc')) }
  await keeper.add({ state: 'ok', path: 'a.csv', ...bytes })
  await keeper.add({ state: 'missing', path: 'b.csv', batch: batch.id, n: 1, expected: bytes })
  const at = new Date().toISOString()
  const [amount, none] = [
    { files: 1, bytes: 3 },
    { files: 0, bytes: 0 },
  ]
  const run = { startedAt: at, endedAt: at, by: '1.2.3', read: amount, held: amount, neverRead: none, found: {} }
  await keeper.end({ mode: 'full', ...run })
  expect(await told()).toMatchObject({
    verified: {
      last: { mode: 'full', endedAt: at, neverRead: none },
      lastFull: at,
      oldest: { path: 'a.csv' },
      readLately: amount,
      open: { missing: 1, changed: 0, extra: 0, unfetched: 0 },
      openOf: [{ batch: batch.id, mirror: null, missing: 1, changed: 0, unfetched: 0 }],
      findings: [{ path: 'b.csv', state: 'missing', batch: batch.id }],
    },
  })
  const rolling = { periodMs: 30 * 86_400_000, since: '2026-01-01T00:00:00.000Z', owed: 1, left: amount }
  await (
    await ResultsKeeper.open(records, { now: () => new Date(), by: '1.2.3' })
  ).end({ mode: 'rolling', ...run, rolling })
  expect(await told()).toMatchObject({
    verified: { last: { mode: 'rolling', round: { ends: '2026-01-31T00:00:00.000Z', left: amount } }, lastFull: at },
  })
  const [seen] = await places.destinations([here], new Set([here]))
  if (!seen) throw new Error('nothing was seen')
  const status = { batches: [], servers: [], destinations: [], tokens: [], workers: [] }
  expect(attentionOf(status, [], [seen], Date.now())).toMatchObject([
    {
      urgency: 'person',
      kind: 'destination',
      subject: place,
      text: expect.stringMatching(/^1 file is missing/) as string,
    },
  ])
})
