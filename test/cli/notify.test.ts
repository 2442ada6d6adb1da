import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Watch } from '../../src/cli/notify/watch.ts'
import { load } from '../../src/config/config.ts'
import type { LedgerEntry } from '../../src/ledger/ledger.ts'
import { MirrorRuns } from '../../src/ledger/mirror-runs.ts'
import type { HeardWorker } from '../../src/ledger/workers.ts'
import { Notifications } from '../../src/ledger/notifications.ts'
import { createLogger } from '../../src/log.ts'
import type { NotifyEvent } from '../../src/notify/event.ts'
import { startReceiver } from '../notify/receivers.ts'
import { useRedis } from '../redis.ts'
import { runInProcess } from './in-process.ts'

const redis = useRedis()
let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'df-notify-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const test = (notify: unknown) => {
  writeFileSync(join(cwd, 'dataferry.config.json'), JSON.stringify({ notify }))
  return runInProcess(['notify', 'test'], { cwd })
}

describe('notify test', () => {
  it('tells everybody, says who took it, and ends with 1 where somebody did not', async () => {
    await using good = await startReceiver()
    await using bad = await startReceiver([404])
    const secret = join(cwd, 'secret')
    writeFileSync(secret, 'key\n', { mode: 0o600 })
    const webhooks = [{ url: good.url, secretFile: 'secret' }, { url: bad.url }]
    const { code, stdout, stderr } = await test({ webhooks })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^told {4}the webhook at http/m)
    expect(stdout).toMatch(/^failed {2}the webhook at http:\S+: it answered with 404$/m)
    expect(stdout + stderr).not.toContain('path-secret')
    expect(good.received[0]?.headers['x-dataferry-signature']).toMatch(/^sha256=[0-9a-f]{64}$/)
    expect(bad.received[0]?.headers['x-dataferry-signature']).toBeUndefined()
  })

  it.each([
    [undefined, /Nobody is named under "notify"/],
    [{ webhooks: [{ url: 'ftp://a' }] }, /key "notify\.webhooks\.0\.url": expected the URL of a receiver/],
    [{ webhooks: [{ url: 'http://a', secret: 'x' }] }, /key "notify\.webhooks\.0": Unrecognized key/],
    [{ webhooks: [{ url: 'http://a', events: ['nothing'] }] }, /expected some of batch-finished/],
    [{ webhooks: [{ url: 'http://a', secretEnv: 'DF_NO_SUCH' }] }, /the variable DF_NO_SUCH is not set/],
    [{ webhooks: [{ url: 'http://a', secretFile: 'gone' }] }, /the file cannot be read/],
    [{ webhooks: [{ url: 'http://u:p@h' }] }, /webhooks\.0\.url": a user name or password does not belong in it/],
    [{ mail: { smtp: 'smtp://u:p@h', from: 'a@b', to: ['c@d'] } }, /a password does not belong in the config file/],
    [{ mail: { smtp: 'smtp://h', from: 'a@b', to: ['c@d\r\nBcc: e@f'] } }, /expected a mail address/],
    [{ staleAfter: '36' }, /key "notify\.staleAfter": expected a duration/],
  ])('%j is refused in one sentence', async (notify, message) => {
    const { code, stderr } = await test(notify)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })
})

describe('what is told', () => {
  const DAY = 86_400_000
  const entry: LedgerEntry = {
    id: 'b-20261127-030000-abcd',
    state: 'paused',
    reason: 'TOKEN_REJECTED: the server does not accept the token.',
    destination: 'file:///srv/data',
    servers: [],
    createdAt: '2026-11-27T00:00:00.000Z',
    planned: 0,
    planComplete: true,
    attached: false,
    tokenServers: [],
    owner: undefined,
  }

  it('is each thing once, over restarts; a stale mirror again only after it was well', async () => {
    const prefix = `${redis.prefix}:watch`
    const told: NotifyEvent[] = []
    let now = Date.parse('2026-11-27T00:00:00Z')
    const mirrors = new MirrorRuns(redis.client, prefix)
    const workers: HeardWorker[] = []
    const notifications = new Notifications(redis.client, prefix)
    const watch = (): Watch =>
      new Watch({
        context: { config: load({ env: {}, cwd }), log: createLogger('silent') },
        ledger: { list: () => Promise.resolve([entry, { ...entry, id: 'by-hand', reason: 'by hand' }]) },
        mirrors,
        workers: { list: () => Promise.resolve(workers) },
        notifications,
        publish: async (event) => {
          told.push(event)
          await notifications.publish(event.id, JSON.stringify({ event }))
        },
        staleAfterMs: 2 * DAY,
        clock: () => new Date(now),
      })
    const ended = (run: string, complete: boolean, changed: number) =>
      mirrors.ended({
        mirror: 'm',
        destination: 'file:///srv/data',
        run,
        endedAt: new Date(now).toISOString(),
        complete,
        changed,
        fetched: changed,
      })
    const kinds = () => told.splice(0).map(({ kind }) => kind)
    await watch().look()
    await watch().look()
    expect(kinds()).toEqual(['batch-waits'])
    now += DAY
    await ended('r1', true, 3)
    await watch().look()
    await watch().look()
    expect(told[0]?.text).toBe('Mirror m: 3 datasets changed, 3 files fetched.')
    expect(kinds()).toEqual(['mirror-changed'])
    // Two end before anybody looks.
    await ended('r1b', true, 1)
    await ended('r1c', true, 2)
    await watch().look()
    expect(told.map(({ facts }) => [facts['run'], facts['changed']])).toEqual([
      ['r1b', 1],
      ['r1c', 2],
    ])
    expect(kinds()).toEqual(['mirror-changed', 'mirror-changed'])
    now += DAY
    await ended('r2', false, 0)
    await watch().look()
    expect(kinds()).toEqual([])
    now += 1.5 * DAY
    await watch().look()
    now += DAY
    await watch().look()
    expect(told[0]?.facts['lastSuccess']).toBe('2026-11-28T00:00:00.000Z')
    expect(kinds()).toEqual(['mirror-stale'])
    await ended('r3', true, 0)
    await watch().look()
    expect(kinds()).toEqual([])
    now += 3 * DAY
    await watch().look()
    expect(kinds()).toEqual(['mirror-stale'])
    const since = new Date(now).toISOString()
    workers.push(workerThat(since, 'one'), workerThat(new Date(now + 1_000).toISOString(), 'other'))
    now += 59_000
    await watch().look()
    expect(kinds()).toEqual([])
    now += 1_000
    await watch().look()
    await watch().look()
    expect(told.map(({ text }) => text)).toEqual([
      '/srv/data cannot be used from one: it is full.',
      'https://a.example waits for you: put a new token there.',
    ])
    expect(kinds()).toEqual(['batch-waits', 'batch-waits'])
    const expiring = [{ server: 'https://b.example', expires: '2026-12-06T00:00:00.000Z', place: '/t' }]
    for (const host of ['one', 'other']) workers.push({ ...workerThat(since, host), expiring })
    await watch().look()
    await watch().look()
    expect(told[0]?.text).toBe(
      'The API token for https://b.example expires on 2026-12-06. Put a new one into /t before that.',
    )
    expect(kinds()).toEqual(['batch-waits'])
  })

  it('is not held up by a destination that cannot be opened', async () => {
    const prefix = `${redis.prefix}:away`
    const told: string[] = []
    const mirrors = new MirrorRuns(redis.client, prefix)
    const notifications = new Notifications(redis.client, prefix)
    const away: LedgerEntry = { ...entry, id: 'away', state: 'finished', destination: 'nowhere://x' }
    const watch = new Watch({
      context: { config: load({ env: {}, cwd }), log: createLogger('silent') },
      ledger: { list: () => Promise.resolve([away, entry]) },
      mirrors,
      workers: { list: () => Promise.resolve([]) },
      notifications,
      publish: (event) => Promise.resolve(void told.push(event.kind)),
      staleAfterMs: DAY,
      clock: () => new Date('2026-11-27T00:00:00Z'),
    })
    const run = { mirror: 'm', destination: 'file:///srv/data', run: 'r1', complete: true, changed: 1, fetched: 1 }
    await mirrors.ended({ ...run, endedAt: '2026-11-27T00:00:00.000Z' })
    await watch.look()
    await watch.look()
    expect(told).toEqual(['batch-waits', 'mirror-changed'])
  })
})

/** A worker that can use neither its destination nor its token. */
function workerThat(since: string, host: string): HeardWorker {
  return {
    ...{ host, space: 's', pid: 1, startTime: '1', id: host, tokens: [], scopes: [], holds: [] },
    ...{ since, at: since, silentMs: 0 },
    destinations: [{ destination: 'file:///srv/data', reason: 'it is full.', since, nextLookMs: 0 }],
    refused: [{ server: 'https://a.example', reason: 'put a new token there.', since }],
  }
}
