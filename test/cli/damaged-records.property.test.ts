import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { useRedis } from '../redis.ts'
import { rounds } from '../rounds.ts'
import { runInProcess, type Ended } from './in-process.ts'

const DATASETS = ['doi:10.5072/FK2/ONE', 'doi:10.5072/FK2/TWO']
const MANIFEST = `kind,id\ndataset,${DATASETS[0]}\ndataset,${DATASETS[1]}\ndataset-zip,${DATASETS[0]}\n`
const FILES = 12

const redis = useRedis()
let dataverse: StandIn
let cwd: string
let state: Readonly<Record<'finished' | 'unfinished' | 'half planned', string>>
let prefixes = 0

/** What is at the destination when all is there: the text of each file, by path. */
const truth = new Map<string, string>()

function world(): World {
  const made = new World()
  for (const [at, doi] of DATASETS.entries()) {
    const ids = Array.from({ length: FILES / 2 }, (_, n) => 100 * (at + 1) + n)
    made.dataset(doi, { files: ids.map((id) => ({ id, label: `f${id}.txt`, content: `content of ${id}` })) })
    for (const id of ids) truth.set(`doi-10.5072-FK2-${at === 0 ? 'ONE' : 'TWO'}/f${id}.txt`, `content of ${id}`)
  }
  return made
}

function cli(prefix: string, ...args: readonly string[]): Promise<Ended> {
  const env = {
    REDIS_URL: redis.url,
    DATAFERRY_PREFIX: prefix,
    DATAVERSE_SERVER: dataverse.url,
    DATAFERRY_RETRIES: '2',
  }
  return runInProcess(args, { cwd, env })
}

function newPrefix(): string {
  return `${redis.prefix.slice(0, -1)}-${prefixes++}}`
}

const run = (prefix: string, to: string, ...more: readonly string[]) =>
  cli(prefix, 'run', join(cwd, 'list.csv'), '--to', join(cwd, to), '-e', 'overwrite-different', '--json', ...more)

beforeAll(async () => {
  dataverse = await startDataverse({ world: world() })
  cwd = mkdtempSync(join(tmpdir(), 'df-damage-'))
  writeFileSync(join(cwd, 'list.csv'), MANIFEST)
  const ended = await run(newPrefix(), 'finished')
  expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /)
  state = { finished: 'finished', unfinished: undo('unfinished', Infinity), 'half planned': undo('half', FILES / 2) }
})
afterAll(async () => {
  await dataverse.close()
  rmSync(cwd, { recursive: true })
})

/** The finished batch as it was when half of its first lines had ended, and so many were planned. */
function undo(name: string, planned: number): string {
  cpSync(join(cwd, 'finished'), join(cwd, name), { recursive: true })
  const folder = batchFolder(name)
  rmSync(join(folder, 'report.json'))
  const receipts = recordsIn(folder).filter((record) => record.startsWith('receipts/'))
  for (const record of receipts) {
    const lines = readFileSync(join(folder, record), 'utf8').split('\n')
    const kept = lines.filter((line) => line !== '' && (JSON.parse(line) as { n: number }).n < Math.min(6, planned / 2))
    writeFileSync(join(folder, record), kept.map((line) => `\n${line}\n`).join(''))
  }
  if (planned === Infinity) return name
  const lines = readFileSync(join(folder, 'items.ndjson'), 'utf8').split('\n').slice(0, planned)
  const text = lines.map((line) => `${line}\n`).join('')
  writeFileSync(join(folder, 'items.ndjson'), text)
  const plan = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as object
  const cut = { ...plan, entries: 1, items: planned, bytes: Buffer.byteLength(text), complete: false }
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(cut))
  return name
}

function batchFolder(destination: string): string {
  const records = join(cwd, destination, '.dataferry')
  const batch = readdirSync(records).find((name) => name.startsWith('list-'))
  if (batch === undefined) throw new Error(`no batch at ${destination}`)
  return join(records, batch)
}

function recordsIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => statSync(join(folder, name)).isFile() && !/\.(csv|txt)$/.test(name)).sort()
}

type Damage = (bytes: Buffer, at: number, length: number) => Buffer | undefined
const insert =
  (text: string): Damage =>
  (bytes, at) => {
    const line = bytes.indexOf('\n', at) + 1
    return Buffer.concat([bytes.subarray(0, line), Buffer.from(`${text}\n`), bytes.subarray(line)])
  }
const receipt = (n: number, path: string): string =>
  JSON.stringify({
    state: 'done',
    n,
    path,
    size: 3,
    verified: 'size',
    resumedFrom: 0,
    finishedAt: '2026-01-01T00:00:00Z',
  })

const DAMAGES: Readonly<Record<string, Damage>> = {
  gone: () => undefined,
  empty: () => Buffer.alloc(0),
  cut: (bytes, at) => bytes.subarray(0, at),
  'a page of zeros': (bytes, at, length) => Buffer.from(bytes).fill(0, at, Math.min(bytes.length, at + length)),
  noise: (bytes, at, length) => Buffer.from(bytes).fill(0xfe, at, Math.min(bytes.length, at + length)),
  'a lost line': (bytes, at) => {
    const [from, to] = [bytes.lastIndexOf('\n', at) + 1, bytes.indexOf('\n', at) + 1]
    return Buffer.concat([bytes.subarray(0, from), to > 0 ? bytes.subarray(to) : Buffer.alloc(0)])
  },
  'a line twice': (bytes, at) => {
    const [from, to] = [bytes.lastIndexOf('\n', at) + 1, bytes.indexOf('\n', at) + 1]
    return Buffer.concat([
      bytes.subarray(0, Math.max(from, to)),
      bytes.subarray(from, Math.max(from, to)),
      bytes.subarray(Math.max(from, to)),
    ])
  },
  'a receipt of another plan': insert(receipt(3, 'somewhere/else.txt')),
  'a receipt of no line': insert(receipt(1_000_000_000_000, 'far/away.txt')),
  'a line that no reader takes': insert(
    '{"n":3,"server":"http://x","ref":{"kind":"file","file":-5,"format":"original"},"path":"p","expect":{}}',
  ),
  'another version': (bytes) => Buffer.from(bytes.toString('utf8').replace(/"v": ?1/, '"v": 2')),
  'brackets without end': () => Buffer.from('['.repeat(200_000)),
}

/** What a command must never do, whatever it finds. */
function expectSane(what: string, { code, stdout, stderr }: Ended): void {
  expect(`${what}: ${stderr}`).not.toMatch(/bug in dataferry|unexpected|\n {4}at /i)
  expect(`${what}: ${stderr}${code}`).toMatch(/[013]$/)
  for (const line of stdout.split('\n').filter((text) => text.startsWith('{'))) {
    expect(line).not.toMatch(/:-\d/)
    const record = JSON.parse(line) as Record<string, unknown>
    if (record['event'] !== 'summary') continue
    const [planned = 0, ...ended] = ['planned', 'done', 'kept', 'failed', 'missing'].map((key) => Number(record[key]))
    expect(ended.reduce((sum, count) => sum + count, 0)).toBe(planned)
    expect(Object.keys(record['failures'] as object)).toEqual(record['failed'] === 0 ? [] : ['RECORD_UNREADABLE'])
  }
}

function expectAllThere(destination: string): void {
  for (const [path, text] of truth) expect(readFileSync(join(cwd, destination, path), 'utf8')).toBe(text)
}

const cases = fc.record({
  record: fc.nat(1_000),
  damage: fc.constantFrom(...Object.keys(DAMAGES)),
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  length: fc.integer({ min: 1, max: 600 }),
})

describe.each(['finished', 'unfinished', 'half planned'] as const)('a record of a %s batch that is damaged', (kind) => {
  it('never makes a command crash, hang, count wrong or say done when something is missing', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ record, damage, at, length }) => {
        const destination = `round-${prefixes}`
        cpSync(join(cwd, state[kind]), join(cwd, destination), { recursive: true })
        const folder = batchFolder(destination)
        const names = recordsIn(folder)
        const name = names[record % names.length] ?? 'plan.json'
        const bytes = readFileSync(join(folder, name))
        const damaged = DAMAGES[damage]?.(bytes, Math.floor(at * bytes.length), length)
        if (damaged) writeFileSync(join(folder, name), damaged)
        else rmSync(join(folder, name))
        const what = `${damage} in ${name} of ${destination}`

        const prefix = newPrefix()
        const verified = await cli(prefix, 'verify', join(cwd, destination), '--json')
        expectSane(`verify, ${what}`, verified)
        for (const args of [
          ['resume', join(cwd, destination), '-e', 'overwrite-different', '--json'],
          ['status', '--json'],
        ]) {
          expectSane(`${args[0] ?? ''}, ${what}`, await cli(prefix, ...args))
        }
        const again = await run(prefix, destination)
        expectSane(`run, ${what}`, again)
        if (again.code === 0) expectAllThere(destination)
        const anew = await run(prefix, destination, '--new')
        expect(`${what}: ${anew.code} ${anew.stderr}`).toMatch(/: 0 /)
        expectAllThere(destination)
        rmSync(join(cwd, destination), { recursive: true })
      }),
      rounds(2),
    )
  })
})
