import { expect, it } from 'vitest'
import type { ServerHold } from '../../src/ledger/server-state.ts'
import type { BatchStatus, Status } from '../../src/status.ts'
import { Watchdog } from '../../workers/watchdog.ts'

const SERVER = 'https://demo.invalid'
const BATCH: BatchStatus = {
  ...{ id: 'b1', state: 'open', reason: undefined, destination: '/data', servers: [SERVER], createdAt: '' },
  ...{
    planned: 5,
    planComplete: true,
    plannedBytes: 50,
    done: 2,
    kept: 0,
    failed: 0,
    waiting: 0,
    bytes: 20,
    keptBytes: 0,
  },
  ...{ active: 1, open: 3, openBytes: 7, nextLook: undefined, attached: false, tokenServers: [], owner: undefined },
}
const IDLE: Status['servers'][number] = {
  ...{ looks: 0, concurrency: undefined, bandwidth: undefined, hold: undefined },
  server: SERVER,
  waiting: 1,
  active: 1,
  delayed: 0,
}
const HOLD = { batch: 'b1', n: 2, path: 'c.bin', bytes: 7 }

function status(batch: Partial<BatchStatus> = {}, bytes = 7, server: Partial<Status['servers'][number]> = {}): Status {
  const worker = {
    host: 'h',
    space: '',
    pid: 9,
    startTime: '',
    nextLook: undefined,
    id: 'w',
    tokens: [],
    scopes: ['public'],
    since: '',
    at: '',
    silentMs: 0,
    destinations: [],
  }
  return {
    batches: [{ ...BATCH, ...batch }],
    servers: [{ ...IDLE, ...server }],
    destinations: [],
    tokens: [],
    workers: bytes < 0 ? [] : [{ ...worker, holds: [{ ...HOLD, bytes }] }],
  }
}

function held(by: 'person' | 'throttle'): ServerHold {
  return { by, reason: 'by hand', since: new Date(0), nextLookMs: 1 }
}

function watched() {
  let ms = 0
  const watchdog = new Watchdog(() => ms)
  const after = (minutes: number, seen: Status, reasons: readonly string[] = []): string | undefined => {
    ms += minutes * 60_000
    return watchdog.look(seen, reasons)
  }
  return after
}

it('ten minutes without progress are said, with what is waited for, until something moves', () => {
  const after = watched()
  expect(after(0, status())).toBeUndefined()
  expect(after(9, status())).toBeUndefined()
  expect(after(1, status())).toBe(
    'Nothing has moved for 10 minutes, and no reason is known. Waiting for c.bin (7 bytes, process 9 on h); ' +
      `${SERVER} (1 jobs queued, 0 to be retried); 3 files of b1 that no worker has.`,
  )
  expect(after(5, status({}, 7, { waiting: 0 }))).toContain('for 10 minutes, and no reason is known. Waiting for c.bin')
  expect(after(5, status())).toContain('for 20 minutes')
  expect(after(1, status({}, 8))).toBeUndefined()
  expect(after(9, status({}, 8))).toBeUndefined()
  expect(after(1, status({ done: 3 }, 8))).toBeUndefined()
})

it.each([
  ['a reason that is known', status(), ['No space is left.']],
  ['a server that is paused', status({}, 7, { hold: held('person') }), []],
  ['a server that asked for a pause', status({}, 7, { hold: held('throttle') }), []],
  ['a batch that is paused', status({ state: 'paused' }), []],
])('%s is no silence', (_, seen, reasons) => {
  const after = watched()
  for (let n = 0; n < 5; n++) expect(after(30, seen, reasons)).toBeUndefined()
})

it.each([
  [status({ planComplete: false }, -1, { waiting: 0 }), 'the plan of b1'],
  [status({ open: 0 }, -1, { waiting: 0 }), 'the report of b1'],
])('what is missing is named', (seen, what) => {
  const after = watched()
  after(0, seen)
  expect(after(10, seen)).toContain(`Waiting for ${what}.`)
})
