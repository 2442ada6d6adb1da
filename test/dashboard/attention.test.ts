import { expect, it } from 'vitest'
import { attentionOf } from '../../src/dashboard/attention.ts'
import { batchView } from '../../src/dashboard/views.ts'
import type { WorkerRecord } from '../../src/ledger/workers.ts'
import { tokensOf, type BatchStatus } from '../../src/status.ts'

const NOTHING = { batches: [], servers: [], destinations: [], tokens: [], workers: [] }
const SERVER = 'https://dv.example.edu'
const SINCE = '2026-03-01T10:00:00.000Z'

function worker(host: string, told: Pick<WorkerRecord, 'refused' | 'expiring'>): WorkerRecord {
  const process = { host, space: 's', pid: 1, startTime: '1' }
  const idle = { tokens: [], scopes: ['public'], since: SINCE, at: SINCE, holds: [], destinations: [] }
  return { ...process, ...idle, id: host, ...told }
}

const BATCH: BatchStatus = {
  id: 'b1',
  state: 'paused',
  reason: 'TOKEN_REJECTED: https://dv.example.edu does not accept the token',
  destination: 'file:///data',
  servers: [SERVER],
  createdAt: SINCE,
  attached: false,
  tokenServers: [],
  owner: undefined,
  active: 0,
  open: 1,
  openBytes: 0,
  nextLook: undefined,
  planned: 2,
  planComplete: true,
  plannedBytes: 2,
  done: 0,
  kept: 0,
  failed: 1,
  waiting: 0,
  bytes: 0,
  keptBytes: 0,
}

const refused = (since: string) => [{ server: SERVER, reason: 'it does not accept it. Put a new one into /t.', since }]
const expiring = [{ server: SERVER, expires: '2026-03-07T00:00:00.000Z', place: '/t' }]

it('a token that a server refuses needs a person, once for all workers that have it, and what to do is said', () => {
  const later = '2026-03-01T11:00:00.000Z'
  const tokens = tokensOf([
    worker('b', { refused: refused(later), expiring }),
    worker('a', { refused: refused(SINCE) }),
    worker('a', { refused: refused(later) }),
  ])
  expect(attentionOf({ ...NOTHING, tokens }, [], [], 0)).toEqual([
    {
      urgency: 'person',
      kind: 'token',
      subject: SERVER,
      text: 'The workers on a, b wait for a token: it does not accept it. Put a new one into /t.',
      advice: 'They go on by themselves.',
      since: SINCE,
      nextLook: null,
    },
  ])
})

it('so does one that expires soon, after all that waits for a person already', () => {
  const tokens = tokensOf([worker('a', { expiring }), worker('b', { expiring })])
  const destinations = [{ destination: '/data', free: null, problem: null, wrong: 1 }]
  const told = attentionOf({ ...NOTHING, tokens }, [], destinations, 0)
  expect(told.map(({ urgency, kind }) => [urgency, kind])).toEqual([
    ['person', 'destination'],
    ['person', 'token'],
  ])
  expect(told[1]).toMatchObject({
    text: `The API token for ${SERVER} expires on 2026-03-07. Put a new one into /t before that.`,
    advice: 'It is the one of the workers on a, b.',
  })
})

it('a batch that no living worker takes needs a person, and which worker it needs is said', () => {
  const batch: BatchStatus = { ...BATCH, state: 'open', reason: undefined, failed: 0 }
  const view = { id: 'w', host: 'a', pid: 1, since: SINCE, silentSeconds: 0, alive: 'alive' as const }
  const views = [{ ...view, scopes: ['public'], holds: [], destinations: [] }]
  const told = (more: Partial<WorkerRecord>) => {
    const record = { ...worker('w', {}), serves: [{ scope: 'public', servers: [SERVER] }], ...more, silentMs: 0 }
    return attentionOf({ ...NOTHING, batches: [batch], workers: [record] }, views, [], 0)
  }
  expect(told({})).toEqual([])
  expect(told({ only: ['file:///data'] })).toEqual([])
  for (const more of [{ only: ['file:///other'] }, { serves: [] }])
    expect(told(more)).toMatchObject([
      {
        urgency: 'person',
        kind: 'batch',
        subject: 'b1',
        text: `Waits for a worker that fetches from ${SERVER} to /data.`,
        advice: `None that is running does. To start one: dataferry work --server ${SERVER}`,
      },
    ])
})

it('what to do about a batch that was paused fits the reason', () => {
  const [paused, failures] = attentionOf({ ...NOTHING, batches: [BATCH] }, [], [], 0)
  expect(paused).toMatchObject({ urgency: 'person', subject: 'b1' })
  expect(paused?.advice).toMatch(/^Set a valid DATAVERSE_API_TOKEN.* Start the workers again with it, then continue/)
  expect(failures?.advice).toBe('Its page groups them by reason, each with what to do.')
  const byHand = attentionOf({ ...NOTHING, batches: [{ ...BATCH, reason: 'by hand' }] }, [], [], 0)
  expect(byHand[0]?.advice).toBe('Continue it when the reason is gone.')
})

it('a batch that workers leave alone is told with the command that it waits for, and no other is', () => {
  const view = (batch: Partial<BatchStatus>): unknown => {
    const { state, command } = batchView({ ...BATCH, ...batch }, { speed: undefined, filesPerSecond: undefined })
    return { state, command }
  }
  const command = 'dataferry resume /data'
  expect(view({ state: 'open', attached: true })).toEqual({ state: 'parked', command })
  expect(view({ attached: true })).toEqual({ state: 'paused', command })
  expect(view({ state: 'open' })).toEqual({ state: 'open', command: null })
  expect(view({ state: 'finished', attached: true })).toEqual({ state: 'finished', command: null })
})
