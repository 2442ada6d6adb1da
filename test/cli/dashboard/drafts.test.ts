import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readDrafts } from '../../../src/batch/drafts.ts'
import { Drafts } from '../../../src/cli/dashboard/drafts.ts'
import type { BatchId } from '../../../src/model/batch.ts'
import { beginBatch, findBegun, type BatchRequest } from '../../../src/plan/begin-batch.ts'
import { describeProcess, ownProcess, type ProcessIdentity } from '../../../src/process/process-identity.ts'
import { diskSink } from '../../../src/sinks/disk/disk-sink.ts'
import type { Sink } from '../../../src/sinks/sink.ts'
import { SERVER } from '../../batch/fixtures.ts'

const HOUR_MS = 3_600_000
let folder: string
let sink: Sink
let drafts: Drafts
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-drafts-'))
  sink = diskSink(folder)
  drafts = newDrafts(HOUR_MS)
})
afterEach(async () => {
  await drafts.close()
  await sink.close()
  await rm(folder, { recursive: true })
})

const newDrafts = (graceMs: number): Drafts =>
  new Drafts((url) => Promise.resolve(diskSink(new URL(url).pathname)), pino({ enabled: false }), graceMs)

function request(text: string, shownBy?: ProcessIdentity): BatchRequest {
  const sha256 = createHash('sha256').update(text).digest('hex')
  const manifest = { name: '-', format: 'list', sha256, entries: 1 }
  return { servers: [SERVER], format: 'original', existing: 'error', manifest, ...(shownBy && { shownBy }) }
}

async function planned(text: string, shownBy?: ProcessIdentity): Promise<{ readonly batch: BatchId }> {
  const manifest = (): AsyncIterable<Uint8Array> => [Buffer.from(text)].values() as never
  const { batch } = await beginBatch(sink, { ...request(text, shownBy), draft: true }, manifest, false)
  return { batch: batch.id }
}

const held = async (): Promise<string[]> =>
  (await readdir(join(folder, '.dataferry'))).filter((name) => name.includes('-')).sort()

it('a plan that is left is removed at once with all that it left, and one that was started is not', async () => {
  const here = await ownProcess()
  const left = await drafts.during(sink.url, () => planned('1', here))
  const started = await drafts.during(sink.url, () => planned('2', here))
  await drafts.during(sink.url, async () => {
    expect(await findBegun(sink, request('2', here))).toBeDefined()
    return started
  })
  expect(drafts.keep(left.batch)).toBe(true)
  await drafts.drop(left.batch)
  await drafts.drop(started.batch)
  expect(await held()).toEqual([started.batch])
  expect((await readDrafts(sink.records)).size).toBe(0)
  expect(drafts.keep(left.batch)).toBe(false)
})

it('nothing is removed where something is being planned or started', async () => {
  const here = await ownProcess()
  const { batch } = await drafts.during(sink.url, () => planned('1', here))
  await drafts.during(sink.url, async () => {
    await drafts.drop(batch)
    expect(await held()).toEqual([batch])
    return { batch }
  })
  await drafts.drop(batch)
  expect(await held()).toEqual([])
})

it('what dashboards that have died left goes, and nothing else', async () => {
  const gone = { ...(await ownProcess()), startTime: '1' }
  const other = await describeProcess(process.ppid)
  const [ofDead, ofOther, ofCommand] = [await planned('1', gone), await planned('2', other), await planned('3')]
  const after = newDrafts(0)
  after.start([sink.url], 5)
  await expect.poll(held).toEqual([ofOther.batch, ofCommand.batch].sort())
  await after.close()
  expect(await held()).not.toContain(ofDead.batch)
})

it('a dashboard that ends removes what it shows, and only that', async () => {
  const [mine, ofCommand] = [
    await drafts.during(sink.url, async () => planned('1', await ownProcess())),
    await planned('2'),
  ]
  await drafts.close()
  expect(await held()).toEqual([ofCommand.batch])
  expect(drafts.keep(mine.batch)).toBe(false)
})
