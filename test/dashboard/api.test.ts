import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readHold } from '../../src/batch/hold.ts'
import * as schema from '../../src/dashboard/api/schemas.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { Workers } from '../../src/ledger/workers.ts'
import type { Schedule } from '../../src/schedule/definition.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import { z } from 'zod'
import { ownProcess } from '../../src/process/process-identity.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { batchOf, itemAt, plannedBatch, SERVER } from '../batch/fixtures.ts'
import { useRedis } from '../redis.ts'
import { openTestDashboard, type OpenedDashboard } from './open-dashboard.ts'

const redis = useRedis()
const ITEMS = 250
let board: OpenedDashboard
let headers: { readonly cookie: string }
let ledger: RedisLedger
let data: string

beforeAll(async () => {
  board = await openTestDashboard(redis)
  headers = await board.signIn()
  ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
  data = join(board.folder, 'data')
  const destination = pathToFileURL(data).href
  const sink = diskSink(data)
  const items = Array.from({ length: ITEMS }, (_, n) => itemAt(`${n % 2 === 0 ? 'Even' : 'odd'}/${n}.csv`))
  const { batch, plan } = await plannedBatch(sink.records, items, batchOf('b1', { destination }))
  await sink.close()
  await ledger.open({ ...batch, createdAt: batch.createdAt })
  await ledger.setPlanned('b1', plan.items, plan.totals.size, true)
  await ledger.settleAll(
    'b1',
    Array.from({ length: 100 }, (_, n) => ({ n, state: 'done' as const, bytes: 10 })),
  )
  for (const [n, code] of [
    [100, 'SOURCE_DENIED'],
    [101, 'SOURCE_DENIED'],
    [102, 'CHECKSUM_MISMATCH'],
  ] as const) {
    await ledger.settle('b1', n, {
      state: 'failed',
      bytes: 0,
      error: { code, message: `why ${n}`, path: `Even/${n}.csv` },
    })
  }
  const at = new Date().toISOString()
  const holds = [{ batch: 'b1', n: 103, path: 'odd/103.csv', bytes: 4, size: 10 }]
  await new Workers(redis.client, redis.prefix).beat({
    ...(await ownProcess()),
    id: 'w1',
    tokens: [],
    scopes: ['public'],
    since: at,
    at,
    holds,
    destinations: [],
  })
})
afterAll(() => board[Symbol.asyncDispose]())

const contentSchema = z.record(z.string(), z.strictObject({ schema: z.looseObject({}) }))
const parameterSchema = z.strictObject({
  name: z.string(),
  in: z.enum(['path', 'query']),
  required: z.boolean(),
  schema: z.looseObject({ type: z.string() }),
})
const responseSchema = z.strictObject({ description: z.string(), content: contentSchema })
const operationSchema = z.strictObject({
  summary: z.string().min(1),
  security: z.array(z.never()).optional(),
  parameters: z.array(parameterSchema).optional(),
  requestBody: z.strictObject({ required: z.literal(true), content: contentSchema }).optional(),
  responses: z.strictObject({ 200: responseSchema, default: responseSchema }),
})
/** What we write of the OpenAPI Specification, and nothing else. @see https://spec.openapis.org/oas/v3.1.0#schema */
const documentSchema = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({ title: z.string(), version: z.string() }),
  components: z.strictObject({ securitySchemes: z.record(z.string(), z.looseObject({ type: z.literal('http') })) }),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  paths: z.record(z.string().startsWith('/api/'), z.partialRecord(z.enum(['get', 'post', 'delete']), operationSchema)),
})

async function get<T>(path: string, answer: { parse(value: unknown): T }): Promise<T> {
  const { status, json, text } = await board.ask(path, { headers })
  if (status !== 200) throw new Error(`${status} ${text}`)
  return answer.parse(json())
}

async function items(
  query: Readonly<Record<string, string>>,
): Promise<{ readonly found: schema.ItemView[]; readonly next: number | null | undefined }> {
  const { text } = await board.ask(`/api/batches/b1/items?${new URLSearchParams(query).toString()}`, { headers })
  const lines = text
    .trim()
    .split('\n')
    .map((line) => schema.itemLineSchema.parse(JSON.parse(line)))
  const found = lines.flatMap((line) => ('item' in line ? [line.item] : []))
  return { found, next: lines.flatMap((line) => ('next' in line ? [line.next] : []))[0] }
}

describe('what is told', () => {
  it('the overview has what goes on, and what is wrong before it', async () => {
    await new Servers(redis.client, redis.prefix).set(SERVER, { paused: 'by hand' })
    await expect
      .poll(() => get('/api/overview', schema.overviewSchema))
      .toMatchObject({
        attention: [
          { urgency: 'person', kind: 'server', subject: SERVER },
          { urgency: 'failures', kind: 'batch', subject: 'b1' },
        ],
        batches: [
          {
            id: 'b1',
            state: 'open',
            planned: ITEMS,
            done: 100,
            failed: 3,
            open: ITEMS - 103,
            active: 1,
            bytes: 1_004,
            fraction: 1_004 / (ITEMS * 10),
          },
        ],
        unfinished: 1,
        servers: [{ server: SERVER, hold: { by: 'person' } }],
        destinations: [{ destination: data, problem: null }],
        workers: { alive: 1, items: 1, wanted: 0 },
      })
    await new Servers(redis.client, redis.prefix).set(SERVER, { paused: null })
  })

  it('a batch tells its failures by code, each with what to do, and what is on record', async () => {
    // They are counted in the background.
    await expect.poll(() => get('/api/batches/b1', schema.batchDetailSchema)).toMatchObject({ failuresCounted: 3 })
    const detail = await get('/api/batches/b1', schema.batchDetailSchema)
    expect(detail).toMatchObject({
      batch: { id: 'b1' },
      live: [{ n: 103, path: 'odd/103.csv', bytes: 4 }],
      failures: [
        { code: 'SOURCE_DENIED', count: 2, retries: false, examples: [{ n: 100, message: 'why 100' }, { n: 101 }] },
        { code: 'CHECKSUM_MISMATCH', count: 1, retries: true },
      ],
      failuresCounted: 3,
      record: { manifest: 'list.csv', entries: 1, report: null, totals: { size: ITEMS * 10 } },
      recordProblem: null,
    })
    expect(detail.failures[0]?.advice).toMatch(/Request access/)
  })

  it('a batch whose destination is away is told all the same, with why, and makes what waits for it not ready', async () => {
    await expect.poll(() => board.ask('/readyz')).toMatchObject({ status: 200, text: 'ready\n' })
    await ledger.open({
      id: 'b2',
      destination: pathToFileURL(join(board.folder, 'gone')).href,
      servers: [SERVER],
      createdAt: new Date().toISOString(),
    })
    await expect
      .poll(() => get('/api/batches/b2', schema.batchDetailSchema).catch(() => undefined))
      .toMatchObject({ record: null, recordProblem: expect.stringMatching(/disk/) as string })
    await expect.poll(() => board.ask('/readyz')).toMatchObject({ status: 503, text: 'not ready: destination\n' })
    expect(await board.ask('/healthz')).toMatchObject({ status: 200, text: 'alive\n' })
    await ledger.forget('b2')
  })

  it('a batch that is not there is no page of the server', async () => {
    for (const path of [
      '/api/batches/none',
      '/api/batches/none/items',
      '/api/batches/none/failures.csv',
      '/api/events?batch=none',
    ]) {
      expect((await board.ask(path, { headers })).status).toBe(404)
    }
  })

  it('the failures are a manifest before the batch has ended', async () => {
    const { text, headers: sent } = await board.ask('/api/batches/b1/failures.csv', { headers })
    expect(sent['content-disposition']).toBe('attachment; filename="b1-failures.csv"')
    expect(text.trim().split('\r\n')).toHaveLength(4)
    expect(text).toContain('SOURCE_DENIED,why 100')
  })

  it('files are found by a part of their path in any case, a page at a time, each with its state', async () => {
    const first = await items({ q: 'eVEn/' })
    expect(first.found).toHaveLength(100)
    expect(first.found[0]).toMatchObject({ n: 0, path: 'Even/0.csv', state: 'there' })
    const second = await items({ q: 'eVEn/', from: String(first.next) })
    expect(second).toMatchObject({ next: null })
    expect([...first.found, ...second.found].map(({ n }) => n)).toEqual(Array.from({ length: 125 }, (_, i) => i * 2))
    expect((await items({ q: '/103' })).found).toMatchObject([{ n: 103, state: 'active' }])
    expect((await items({ state: 'failed' })).found).toMatchObject([
      { n: 100, code: 'SOURCE_DENIED', message: 'why 100' },
      { n: 101 },
      { n: 102 },
    ])
    expect((await items({ q: '"n":0', state: 'any' })).found).toEqual([])
    expect((await items({ q: '/249', state: 'open' })).found).toMatchObject([{ n: 249 }])
  })

  it('a search that nobody waits for makes way for the next one', async () => {
    const { hostname, port } = new URL(board.url)
    const left = await Promise.all(
      Array.from({ length: 6 }, () => {
        return new Promise<void>((resolve, reject) => {
          const asked = request({ hostname, port, path: '/api/batches/b1/items', headers, agent: false }, (answer) => {
            answer.destroy()
            resolve()
          })
          asked.on('error', reject).end()
        })
      }),
    )
    expect(left).toHaveLength(6)
    expect((await items({ q: 'odd/1.csv' })).found).toHaveLength(1)
  })

  it('schedules are told with what happens next and what happened, and a paused one has no next', async () => {
    const folder = new ScheduleFolder(join(board.folder, '.local/state/dataferry'))
    const added = '2026-11-01T00:00:00.000Z'
    const nightly: Schedule = {
      v: 1,
      name: 'nightly',
      cron: '0 3 * * *',
      tz: 'Europe/Berlin',
      between: '02:00-06:00',
      jitterMs: 0,
      command: ['mirror', 'run', 'climate', '--to', '/srv/my data'],
      cwd: '/srv',
      createdAt: added,
      since: added,
    }
    await folder.write(nightly)
    const by = await ownProcess()
    await folder.record('nightly', { v: 1, event: 'started', at: added, run: 'r1', due: added, by })
    await folder.record('nightly', { v: 1, event: 'ended', at: added, run: 'r1', code: 3, said: 'The server is away.' })
    await folder.record('nightly', {
      v: 1,
      event: 'skipped',
      at: added,
      due: added,
      reason: 'the run before it still goes',
    })
    const told = z.object({ schedules: z.array(schema.scheduleSchema) })
    const { schedules } = await get('/api/schedules', told)
    expect(schedules).toMatchObject([
      {
        name: 'nightly',
        command: "dataferry mirror run climate --to '/srv/my data'",
        between: '02:00-06:00',
        paused: false,
        runs: [{ code: 3, running: false, said: 'The server is away.' }],
        lastSkipped: { reason: 'the run before it still goes' },
      },
    ])
    expect(schedules[0]?.next).toHaveLength(3)
    await folder.write({ ...nightly, pausedAt: added })
    expect((await get('/api/schedules', told)).schedules).toMatchObject([{ paused: true, next: [] }])
    await folder.remove('nightly')
  })

  it('the description of the API is an OpenAPI document in which nothing is left open', async () => {
    const { paths } = await get('/api/openapi.json', documentSchema)
    for (const [path, operations] of Object.entries(paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      for (const [method, { parameters = [], requestBody }] of Object.entries(operations)) {
        const named = parameters.filter((one) => one.in === 'path').map(({ name }) => name)
        expect({ path, named }).toEqual({ path, named: inPath })
        expect({ path, method, hasBody: requestBody !== undefined }).toEqual({
          path,
          method,
          hasBody: method !== 'get',
        })
      }
    }
    expect(JSON.stringify(paths)).not.toContain('$ref')
  })

  it('the description is true of what is answered', async () => {
    const { paths } = await get('/api/openapi.json', documentSchema)
    const told = Object.entries(paths).flatMap(([path, { get: read }]) => {
      const answer = read?.responses['200'].content['application/json']
      return answer ? [{ path: path.replace('{id}', 'b1'), answer }] : []
    })
    expect(told.map(({ path }) => path)).toEqual(expect.arrayContaining(['/api/session', '/api/batches/b1']))
    for (const { path, answer } of told) await get(path, z.fromJSONSchema(answer.schema))
    const refused = await board.ask('/api/batches/none', { headers })
    const refusal = paths['/api/batches/{id}']?.['get']?.responses.default.content['application/json']
    z.fromJSONSchema(refusal?.schema ?? false).parse(refused.json())
  })
})

describe('what is done', () => {
  const act = (word: string, body: unknown = {}) => board.write(`/api/batches/b1/${word}`, body, headers)

  it('a pause is heard by workers, outlives Redis, and ends', async () => {
    expect((await act('pause')).status).toBe(200)
    expect((await ledger.get('b1'))?.state).toBe('paused')
    const sink = diskSink(data)
    expect(await readHold(sink.records, 'b1')).toMatchObject({ state: 'paused' })
    expect((await act('continue')).json()).toMatchObject({ text: expect.stringContaining('goes on') as string })
    expect((await ledger.get('b1'))?.state).toBe('open')
    expect(await readHold(sink.records, 'b1')).toBeUndefined()
    await act('cancel')
    expect((await ledger.get('b1'))?.state).toBe('cancelled')
    await act('continue')
    await sink.close()
  })

  it('a field that is missing or wrong is named in a sentence', async () => {
    const destination = { destination: data }
    const said = async (body: unknown): Promise<unknown> => (await board.write('/api/plans', body, headers)).json()
    expect(await said(destination)).toMatchObject({ error: { message: 'The body lacks the field manifest.' } })
    expect(await said({ ...destination, manifest: 7 })).toMatchObject({
      error: { message: 'The body, field manifest: expected string, received number.' },
    })
  })

  it('limits are set for all workers, and taken back', async () => {
    const servers = new Servers(redis.client, redis.prefix)
    await board.write('/api/servers/limit', { server: `${SERVER}/`, concurrency: 7, bandwidth: 1_000 }, headers)
    expect(await servers.get(SERVER)).toMatchObject({ concurrency: 7, bandwidth: 1_000 })
    await board.write('/api/servers/limit', { server: SERVER, bandwidth: null }, headers)
    expect(await servers.get(SERVER)).toMatchObject({ concurrency: 7, bandwidth: undefined })
    for (const bad of [{ concurrency: 0 }, { concurrency: 65 }, { bandwidth: -1 }]) {
      expect((await board.write('/api/servers/limit', { server: SERVER, ...bad }, headers)).status).toBe(400)
    }
  })

  it('new batches and mirrors go only where the operator allowed', async () => {
    const { status, json } = await board.write(
      '/api/plans',
      { manifest: 'doi:10.5072/FK2/A', destination: '/etc', format: 'original' },
      headers,
    )
    expect([status, json()]).toMatchObject([400, { error: { message: expect.stringMatching(/--to/) as string } }])
    for (const name of ['m', '--log-file=/x', '-v', '../m', '']) {
      const { status, text } = await board.write('/api/mirrors/run', { name, destination: '/etc' }, headers)
      expect({ name, status, isName: text.includes('--to') }).toEqual({ name, status: 400, isName: name === 'm' })
    }
    expect((await board.write('/api/schedules/--log-file=x/run', {}, headers)).status).toBe(400)
    expect((await board.write('/api/schedules/none/run', {}, headers)).status).toBe(404)
    const server = 'http://169.254.169.254/'
    expect((await board.write('/api/servers/limit', { server, paused: true }, headers)).status).toBe(404)
    const long = await board.write('/api/plans', { manifest: '1\n'.repeat(60_000), destination: data }, headers)
    expect([long.status, long.text]).toMatchObject([400, expect.stringContaining('dataferry enqueue') as string])
  })

  it('a change is seen by everybody who watches', async () => {
    const { hostname, port } = new URL(board.url)
    let seen = ''
    const stream = request({ hostname, port, path: '/api/events?batch=b1', headers, agent: false }, (answer) => {
      answer
        .setEncoding('utf8')
        .on('data', (text: string) => (seen += text))
        .on('error', () => undefined)
    })
    stream.on('error', () => undefined).end()
    await expect.poll(() => seen).toContain('"state":"open"')
    await act('pause')
    await expect.poll(() => seen).toContain('"state":"paused"')
    stream.destroy()
    await act('continue')
  })
})

it('where a schedule fetches to is shown with its free space, though no batch of it is known', async () => {
  const state = join(board.folder, 'state')
  const now = new Date().toISOString()
  const times = { cron: '@daily', tz: 'UTC', jitterMs: 0, createdAt: now, since: now }
  const command = ['mirror', 'run', 'm', '--to', './scheduled']
  await new ScheduleFolder(state).write({ v: 1, name: 'nightly', ...times, command, cwd: board.folder })
  await using other = await openTestDashboard(redis, ['--state-dir', state])
  const { text } = await other.ask('/api/overview', { headers: await other.signIn() })
  const { destinations } = schema.overviewSchema.parse(JSON.parse(text))
  const shown = destinations.find(({ destination }) => destination === join(board.folder, 'scheduled'))
  expect(shown?.free).toBeGreaterThan(0)
})

it('a refusal has the command that is the way out of it', async () => {
  await ledger.open({ ...batchOf('ended', { destination: pathToFileURL(data).href }) })
  await ledger.setState('ended', 'finished')
  const { status, text } = await board.write('/api/batches/ended/pause', {}, headers)
  expect(status).toBe(400)
  expect(schema.refusalSchema.parse(JSON.parse(text)).error.advice).toMatch(/^To retry .*: dataferry retry ended/)
})

it('the pages and the API are described for people', async () => {
  const page = await readFile(new URL('../../docs/dashboard.md', import.meta.url), 'utf8')
  for (const word of ['/healthz', '/readyz', '/metrics', '/api/openapi.json', '--viewer-token-file', '--origin'])
    expect(page).toContain(word)
})
