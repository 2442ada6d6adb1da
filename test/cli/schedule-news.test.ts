import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ScheduleNews } from '../../src/cli/schedule/news.ts'
import type { LedgerEntry } from '../../src/ledger/ledger.ts'
import { MirrorRuns } from '../../src/ledger/mirror-runs.ts'
import { Notifications } from '../../src/ledger/notifications.ts'
import { notifyEventSchema } from '../../src/notify/event.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import type { ScheduleEvent } from '../../src/schedule/scheduled-run.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const AT = '2026-11-27T03:00:00.000Z'
const DATA = 'file:///srv/data'
let stateDir: string
let prefix: string
let round = 0
let paused: LedgerEntry | undefined
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'df-news-'))
  prefix = `${redis.prefix}:news:${++round}`
  paused = undefined
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

/** Who is told what of a run that ends like this. */
async function told(
  command: readonly string[],
  end: Partial<ScheduleEvent>,
  shared = false,
): Promise<readonly unknown[]> {
  const folder = new ScheduleFolder(stateDir)
  await folder.write({
    v: 1,
    name: 'n',
    cron: '0 3 * * *',
    tz: 'UTC',
    jitterMs: 0,
    command: [...command],
    cwd: '/',
    createdAt: AT,
    since: AT,
  })
  const notifications = new Notifications(redis.client, prefix)
  const news = new ScheduleNews({
    folder,
    notifications,
    mirrors: new MirrorRuns(redis.client, prefix),
    ledger: { get: () => Promise.resolve(paused) },
    clock: () => new Date(AT),
  })
  const event = { v: 1, name: 'n', at: AT, event: 'ended', run: AT, ...end } as ScheduleEvent
  for (let times = 0; times < 2; times++) {
    await news.of(event, shared ? { id: 'b-20261127-030000-abcd', destination: DATA } : undefined)
  }
  return [...(await notifications.open()).values()].map((text) => {
    const { kind, text: said } = notifyEventSchema.parse((JSON.parse(text) as { event: unknown }).event)
    return [kind, said]
  })
}

describe('a run of a schedule that fails', () => {
  it('is told once where nothing else tells of it', async () => {
    expect(await told(['verify', 'data'], { code: 1, report: `${DATA}/.dataferry/verified/summary.json` })).toEqual([
      [
        'schedule-failed',
        'Schedule n: verify ended with 1: something failed or is wrong. Look with: dataferry schedule show n',
      ],
    ])
  })

  it.each([
    ['a manifest that is gone', ['run', 'list.csv'], { code: 2 }],
    ['a server that is away', ['mirror', 'run', 'm'], { code: 3 }],
    ['a process that kept dying', ['verify', 'data'], {}],
  ])('is told: %s', async (_, command, end) => {
    expect(await told(command, end)).toHaveLength(1)
  })

  it.each([
    ['it ended well', ['verify', 'data'], { code: 0 }],
    ['it reached a limit', ['run', 'list.csv'], { code: 10 }],
    ['a person stopped it', ['run', 'list.csv'], { code: 130 }],
    ['it goes on later', ['run', 'list.csv'], { code: 3, parked: 'the scheduler was stopped' }],
    ['its batch is told', ['run', 'list.csv'], { code: 1, report: `${DATA}/.dataferry/b/report.json` }],
  ])('is not told where %s', async (_, command, end) => {
    expect(await told(command, end)).toEqual([])
  })

  it('is not told where its mirror is told of, or its batch waits for a person', async () => {
    const run = { mirror: 'm', destination: DATA, run: 'r1', endedAt: AT, complete: false, fetched: 0 }
    const end = { code: 1, report: `${DATA}/.dataferry/mirrors/m/runs/r1/run.json` }
    await new MirrorRuns(redis.client, prefix).ended({ ...run, changed: 1 })
    expect(await told(['mirror', 'run', 'm'], end)).toEqual([])
    paused = {
      id: 'b-20261127-030000-abcd',
      state: 'paused',
      reason: 'TOKEN_REJECTED: the server does not accept the token.',
      destination: DATA,
      servers: [],
      createdAt: AT,
      planned: 0,
      planComplete: true,
      attached: false,
      tokenServers: [],
      owner: undefined,
    }
    expect(await told(['run', 'list.csv'], { code: 3 }, true)).toEqual([])
    expect(await told(['mirror', 'run', 'm'], { ...end, report: end.report.replace('r1', 'r2') })).toHaveLength(1)
  })
})
