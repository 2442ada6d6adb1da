import { expect, it } from 'vitest'
import { followBatch } from '../../src/cli/follow-batch.ts'
import { Output } from '../../src/cli/terminal/output.ts'
import type { Changes } from '../../src/ledger/change.ts'
import type { BatchState } from '../../src/ledger/ledger.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import type { Notice } from '../../src/model/notice.ts'
import { Recorder } from './recorder.ts'

const changes: Changes = { onChange: () => () => undefined, close: () => Promise.resolve() }
const SINCE = new Date('2026-11-27T03:00:00Z')

/** What `--json` tells of a batch at the first look. */
async function told(
  notices: readonly Notice[] = [],
  state: BatchState = 'open',
  before: (ledger: MemoryLedger) => Promise<void> = () => Promise.resolve(),
): Promise<unknown> {
  const ledger = new MemoryLedger()
  await ledger.open({ id: 'b1', destination: 'file:///d', servers: [], createdAt: SINCE.toISOString() })
  await ledger.setPlanned('b1', 2, 300, true)
  await before(ledger)
  await ledger.setState('b1', state)
  const stdout = new Recorder()
  const out = new Output({ stdout, stderr: new Recorder(), json: true, quiet: false, color: false, redraws: false })
  const held = [
    { batch: 'b1', n: 0, path: 'moves', bytes: 70, size: 100 },
    { batch: 'b1', n: 1, path: 'waits for a stream', bytes: 5, size: 200, waits: true as const },
  ]
  const stop = new AbortController()
  const { signal } = stop
  const reason = new Error('Seen.')
  // Nobody waits for a second look.
  const view = {
    held: () => held,
    notices: () => {
      if (state === 'open') stop.abort(reason)
      return notices
    },
    stays: () => Promise.resolve(false),
  }
  const following = followBatch({ out, logsToTerminal: false }, { ledger, changes }, 'b1', view, signal, () =>
    Promise.resolve(),
  )
  await (state === 'open' ? expect(following).rejects.toBe(reason) : following)
  return JSON.parse(stdout.lines.at(-1) ?? '') as unknown
}

it('a file that waits for a stream is not shown as under way, and what came of it counts', async () => {
  expect(await told()).toMatchObject({ bytes: 75, active: [{ path: 'moves', bytes: 70, size: 100 }] })
})

it('of a batch that has ended nothing is under way, whatever was told of it a moment ago', async () => {
  expect(await told([], 'finished')).toMatchObject({ bytes: 0, active: [] })
})

it('no byte counts twice: neither of an item that has ended since its worker told of it, nor of a part that is gone on with', async () => {
  const ended = async (ledger: MemoryLedger): Promise<void> => {
    await ledger.settle('b1', 0, { state: 'done', bytes: 100 })
    await ledger.keepPart('b1', 1, 3)
  }
  expect(await told([], 'open', ended)).toMatchObject({ bytes: 105, active: [] })
})

it('a command that is stopped ends with the figures of that moment', async () => {
  const ledger = new MemoryLedger()
  await ledger.open({ id: 'b1', destination: 'file:///d', servers: [], createdAt: SINCE.toISOString() })
  await ledger.setPlanned('b1', 2, 300, true)
  const stdout = new Recorder()
  const out = new Output({ stdout, stderr: new Recorder(), json: true, quiet: false, color: false, redraws: false })
  const stop = new AbortController()
  let settling: Promise<unknown> | undefined
  const notices = (): readonly Notice[] => {
    settling ??= ledger.settle('b1', 0, { state: 'done', bytes: 100 }).then(() => stop.abort(new Error('Enough.')))
    return []
  }
  const view = { held: () => [], notices, stays: () => Promise.resolve(false) }
  const context = { out, logsToTerminal: false }
  const restore = (): Promise<void> => Promise.resolve()
  const following = followBatch(context, { ledger, changes }, 'b1', view, stop.signal, restore)
  await expect(following).rejects.toThrow('Enough.')
  expect(JSON.parse(stdout.lines.at(-1) ?? '')).toMatchObject({ done: 1, bytes: 100 })
})

it('a batch of which everything left waits ends where its command does not stay', async () => {
  expect(await told([], 'waiting')).toMatchObject({ bytes: 0, active: [] })
})

it('a question whether to stay ends when the batch opens again, and with the command', async () => {
  const ledger = new MemoryLedger()
  await ledger.open({ id: 'b1', destination: 'file:///d', servers: [], createdAt: SINCE.toISOString() })
  await ledger.setPlanned('b1', 1, 1, true)
  await ledger.settle('b1', 0, { state: 'waiting', bytes: 0 })
  await ledger.setState('b1', 'waiting')
  const out = new Output({
    ...{ stdout: new Recorder(), stderr: new Recorder(), json: true, quiet: false, color: false, redraws: false },
  })
  let asked = 0
  // Nobody answers.
  const stays = (signal: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      asked++
      signal.addEventListener('abort', () => resolve(false))
    })
  const view = { held: () => [], notices: () => [], stays }
  const runtime = { ledger, changes: ledger }
  const restore = (): Promise<void> => Promise.resolve()
  const stop = new AbortController()
  const following = followBatch({ out, logsToTerminal: false }, runtime, 'b1', view, stop.signal, restore)
  await expect.poll(() => asked).toBe(1)
  await ledger.setState('b1', 'open')
  await ledger.settle('b1', 1, { state: 'failed', bytes: 0 })
  await ledger.setState('b1', 'waiting')
  await expect.poll(() => asked).toBe(2)
  stop.abort(new Error('Stopped.'))
  await expect(following).rejects.toThrow('Stopped.')
})

it('what is waited for is told with reason, since when and the next look', async () => {
  const nextLook = new Date(SINCE.getTime() + 5_000)
  const wait = { what: 'https://demo.invalid', reason: 'It is away.', since: SINCE, nextLook }
  expect(await told([wait, 'Redis is nearly full.'])).toMatchObject({
    notices: [expect.stringMatching(/^https:\/\/demo.invalid has been on hold since /), 'Redis is nearly full.'],
    waits: [{ what: wait.what, reason: wait.reason, since: SINCE.toISOString(), nextLook: nextLook.toISOString() }],
  })
})
