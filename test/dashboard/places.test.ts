import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { recordText } from '../../src/batch/record.ts'
import { Places } from '../../src/dashboard/places.ts'
import { names, writeOrder } from '../../src/mirror/order.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'

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
  places.forget()
  expect(await places.mirrors([url])).toMatchObject([{ lastSuccess: '0046', lastRun: { run: '0046', complete: true } }])
})

it('a mirror is running while a process has it, and not after that was killed', async () => {
  const places = new Places(open, 0)
  const isRunning = async (): Promise<boolean | undefined> => {
    places.forget()
    return (await places.mirrors([url]))[0]?.running
  }
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
  const places = new Places(hanging, 0, 1)
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
