import { createHash } from 'node:crypto'
import { writeAsked } from '../../../src/batch/asked.ts'
import { isDestination, markDestination } from '../../../src/batch/destination.ts'
import { EarlierBatches } from '../../../src/batch/earlier-batches.ts'
import { names, readBatch } from '../../../src/batch/folder.ts'
import { readHold, writeHold } from '../../../src/batch/hold.ts'
import { reconcile } from '../../../src/batch/reconcile.ts'
import { isUnreadable } from '../../../src/batch/record.ts'
import { readReport, writeReport } from '../../../src/batch/report.ts'
import { verifyDestination } from '../../../src/batch/verify-destination.ts'
import { MemoryLedger } from '../../../src/ledger/memory-ledger.ts'
import { entryFields, parseEntry, parseError, parseOwner } from '../../../src/ledger/redis/fields.ts'
import { parseServer } from '../../../src/ledger/server-state.ts'
import { planLeftOut } from '../../../src/plan/left-out.ts'
import { openPlan } from '../../../src/plan/open-plan.ts'
import { parseIdentity } from '../../../src/process/process-identity.ts'
import { memorySink, memoryStore, type MemoryStore } from '../../../src/sinks/memory/memory-sink.ts'
import { bytesOfPart, MAX_PARTS } from '../../../src/sinks/s3/part-layout.ts'
import { decodeRecord, encodeRecord } from '../../../src/sinks/s3/upload-record.ts'
import { all, batchOf, done, failed, itemAt, plannedBatch, recorded } from '../../../test/batch/fixtures.ts'
import { bytesOf, never } from '../../../test/contracts/sink-bytes.ts'
import type { Dice } from '../../dice.ts'
import { cost, withinCost } from '../cost.ts'
import { mutatedJson, mutatedText } from '../mutate.ts'
import { must } from '../promises.ts'
import type { FuzzTarget } from '../target.ts'

type Note = Parameters<FuzzTarget['once']>[1]

/** Records of a batch as disks, editors and other versions leave them; those of uploads, and those in Redis. */
export const target: FuzzTarget = {
  about:
    'Whatever stands in records, nothing crashes and every count adds up; what cannot be read ends with RECORD_UNREADABLE, and ' +
    'the rest goes on; time is in proportion to length.',
  async once(dice, note) {
    await dice.pick(KINDS)(dice, note)
  },
}

const BYTES = bytesOf(10)
const LINES = 40
const MANIFEST = Array.from({ length: LINES }, (_, n) => `${n + 1}\n`).join('')

/** A batch of which some lines have ended; line 0 is an archive that lacks a file. */
async function begun(): Promise<MemoryStore> {
  const store = memoryStore()
  const { records } = memorySink(store)
  await markDestination(records)
  const archive = itemAt('all.zip', { ref: { kind: 'zip', files: [1, 2], format: 'original' }, expect: {}, line: 1 })
  const items = [archive, ...Array.from({ length: LINES - 1 }, (_, n) => itemAt(`f${n + 1}`, { line: n + 2 }))]
  const sha256 = createHash('sha256').update(MANIFEST).digest('hex')
  const manifest = { name: 'm', format: 'list', sha256, entries: LINES }
  await plannedBatch(records, items, batchOf('b1', { manifest }))
  await records.write(names.manifest('b1'), MANIFEST)
  await writeAsked(records, 'b1', 0, { files: [{ id: 2, label: 'x', directory: '', tabular: false }], unknown: [] })
  const leftOut = [{ id: 2, path: 'x', reason: 'missing' }]
  await recorded(records, [done(0, 'all.zip', BYTES, { leftOut }), done(1, 'f1', BYTES), failed(2, 'SHORT_BODY', 'f2')])
  await recorded(records, [done(2, 'f2', BYTES), failed(4, 'SOURCE_DENIED', 'f4')], 'w2')
  await writeHold(records, 'b1', { state: 'paused', reason: 'by hand' })
  return store
}

/** How often each record is gone through by all that is done below. */
const READINGS = 8

async function batchRecords(dice: Dice, note: Note): Promise<void> {
  const store = await begun()
  const sink = memorySink(store)
  const { records } = sink
  for (let left = dice.between(1, 3); left > 0; left -= 1) {
    const name = dice.pick([...store.records.keys()].sort())
    if (dice.number() < 0.05) await records.remove(name)
    else await records.write(name, damaged(Buffer.from((await records.read(name)) ?? []), dice))
    note(Buffer.concat([...store.records].flatMap(([at, { bytes }]) => [Buffer.from(`\n== ${at}\n`), bytes])))
  }
  const whole = Buffer.concat([...store.records.values()].map(({ bytes }) => bytes))
  const started = cost()
  await checkBatch(sink)
  withinCost(started, READINGS * whole.length, READINGS * whole.toString('latin1').split('\n').length)
}

/** Does what commands do with a batch that is found at a destination. */
async function checkBatch(sink: ReturnType<typeof memorySink>): Promise<void> {
  const { records } = sink
  must(await isDestination(records), 'a destination that is none')
  if (await records.read(names.batch('b1'))) {
    must(
      (await all(verifyDestination(sink, { hash: () => Promise.resolve([]), signal: never }))).length > 0,
      'nothing to verify',
    )
  }
  await new EarlierBatches(records, 'another').find({ n: 0, ...itemAt('f1') })
  await readHold(records, 'b1')
  await readReport(records, 'b1')
  const batch = await orUnreadable(readBatch(records, 'b1'))
  const plan = batch && (await orUnreadable(openPlan(records, batch)))
  if (!batch || !plan) return
  const whole = (await orUnreadable(planLeftOut(records, 'b1', plan))) ?? plan
  const report = await writeReport(records, batch, whole)
  must(report.done + report.kept + report.failed + report.missing === whole.items, 'counts that do not add up')
  const counts = [report.missing, report.failed, report.done, report.bytes, report.leftOut]
  must(Math.min(...counts) >= 0, `a count below 0: ${counts.join(' ')}`)
  must((await readReport(records, 'b1')) !== undefined, 'a report that its own reader refuses')
  const ledger = new MemoryLedger()
  await reconcile(ledger, records, batch, whole)
  const { done: ended, kept, failed: refused } = await ledger.summary('b1')
  must(ended === report.done && kept === report.kept && refused === report.failed, 'another count in the ledger')
  must((await ledger.firstOpen('b1')) <= whole.items, 'an open line behind the plan')
}

/** Waits for what may end with the one code that damage has. */
async function orUnreadable<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (isUnreadable(error)) return undefined
    throw error
  })
}

const PUT = [
  '\0'.repeat(300),
  '\n\n',
  '{"v":2}',
  '{"n":0,',
  '-1',
  'null',
  JSON.stringify(done(7, 'f7', BYTES)),
  '\u00ff',
]

/** Changes bytes, as disks do, or what they say, as editors, other versions and other people do. */
function damaged(bytes: Buffer, dice: Dice): Buffer {
  const roll = dice.number()
  if (roll < 0.4) {
    const at = dice.between(0, bytes.length)
    const removed = bytes.subarray(at + dice.between(0, 200))
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(dice.pick(PUT), 'latin1'), removed])
  }
  if (roll < 0.6) return Buffer.from(mutatedText(bytes.toString(), dice))
  const lines = bytes.toString().split('\n')
  const whole = parsed(bytes.toString())
  if (whole !== undefined) return Buffer.from(JSON.stringify(changedNumbers(mutatedJson(whole, dice), dice)))
  const at = dice.between(0, lines.length - 1)
  const line = parsed(lines[at] ?? '')
  lines[at] = line === undefined ? '' : JSON.stringify(changedNumbers(mutatedJson(line, dice), dice))
  return Buffer.from(lines.join('\n'))
}

const NUMBERS = [0, -1, 1, 39, 40, 41, 1e9, 2 ** 53, 1e308, 0.5]

/** Some number within a value is another one: what readers compute with. */
function changedNumbers(value: unknown, dice: Dice): unknown {
  const one = (inner: unknown): unknown =>
    typeof inner === 'number' && dice.number() < 0.1 ? dice.pick(NUMBERS) : inner
  return JSON.parse(JSON.stringify(value, (_, inner: unknown) => one(inner))) as unknown
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Bytes of one part, at most. */
const LONGEST_PART = 5 * 2 ** 30

/** The record of an upload: a line of JSON, then bytes. */
async function uploadRecords(dice: Dice, note: Note): Promise<void> {
  const record = {
    v: 1 as const,
    owner: '0123456789ab-12-345-01234567',
    since: 1,
    released: dice.number() < 0.5,
    path: 'a.bin',
    size: 30_000_000,
    checksum: { algorithm: 'md5' as const, hex: 'a'.repeat(32) },
    unstated: false,
    upload: {
      uploadId: 'u',
      write: 'w',
      stated: true,
      layout: { partSize: 5 << 20, growing: dice.number() < 0.5 },
      parts: dice.between(0, 5),
      etags: 'e',
      at: 100,
      hash: { algorithm: 'md5' as const, state: 'AAAA' },
      tail: bytesOf(100),
    },
  }
  const bytes = encodeRecord(record)
  const cut = bytes.indexOf('\n')
  const changed = Buffer.concat([damaged(bytes.subarray(0, cut), dice), bytes.subarray(cut)])
  note(changed)
  const read = decodeRecord(changed)
  if (!read?.upload) return Promise.resolve()
  const { layout, parts, at } = read.upload
  must(parts <= MAX_PARTS && Number.isSafeInteger(at), `${parts} parts`)
  const next = bytesOfPart(layout, parts + 1)
  must(Number.isSafeInteger(next) && next <= LONGEST_PART, `a part of ${next} bytes`)
  const again = decodeRecord(encodeRecord(read))
  must(JSON.stringify(again) === JSON.stringify(read), 'another record when it is written and read again')
  return Promise.resolve()
}

/** What a process reads of what others keep in Redis: nothing but text. */
async function redisRecords(dice: Dice, note: Note): Promise<void> {
  const about = { id: 'b1', destination: '/data', servers: ['https://x'], createdAt: '2026-01-01', attached: true }
  const owner = { host: 'h', space: 's', pid: 12, startTime: '345', id: 'o', command: 'dataferry run m.csv' }
  const fields = entryFields(about)
  const hash: Record<string, string> = { state: 'open', tokenServers: '[]', owner: JSON.stringify(owner), planned: '3' }
  for (let at = 0; at < fields.length; at += 2) hash[fields[at] ?? ''] = fields[at + 1] ?? ''
  const name = dice.pick(Object.keys(hash))
  hash[name] = damaged(Buffer.from(hash[name] ?? ''), dice).toString()
  note(JSON.stringify(hash))
  const entry = parseEntry('b1', hash)
  must(!entry || Number.isSafeInteger(entry.planned), `${entry?.planned} planned`)
  parseOwner(damaged(Buffer.from(JSON.stringify(owner)), dice).toString())
  parseError(1, damaged(Buffer.from('{"code":"C","message":"m","path":"p"}'), dice).toString())
  parseIdentity(damaged(Buffer.from(JSON.stringify(owner)), dice).toString())
  const server = [
    'waitMs',
    '500',
    'throttles',
    '2',
    'since',
    '1795780000000',
    'by',
    'outage',
    'reason',
    'r',
    'concurrency',
    '4',
  ]
  const at = dice.between(0, server.length - 1)
  server[at] = damaged(Buffer.from(server[at] ?? ''), dice).toString()
  const { hold, concurrency } = parseServer('https://x', server)
  must(concurrency === undefined || concurrency > 0, `a limit of ${concurrency}`)
  must(!hold || !Number.isNaN(hold.since.getTime()), 'a hold since no time')
  return Promise.resolve()
}

const KINDS = [batchRecords, batchRecords, batchRecords, uploadRecords, redisRecords]
