import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Started } from './cli.ts'
import { makeHome, records } from './cli.ts'
import { aheadBy, decide, requestsMade } from './curator.ts'
import { startDataverseProcess } from '../fakes/dataverse/process.ts'
import { startService, until } from './service.ts'

const DAY_MS = 86_400_000
const KILLS = 6
const BOOKED = 20
const [OPEN, GRANTED, UNANSWERED, REJECTED, EMBARGOED] = [150, 20, 15, 5, 10]
const EMBARGO = new Date(Date.now() + 10 * DAY_MS).toISOString().slice(0, 10)

const book = (id: number): { id: number; nameRequired: boolean; emailRequired: boolean } => ({
  ...{ id, nameRequired: true, emailRequired: true },
})

const files = (count: number, from: number, more: object = {}): { id: number; label: string }[] =>
  Array.from({ length: count }, (_, i) => ({
    id: from + i,
    label: `${from + i}.bin`,
    content: { size: 1_000 + i, seed: from + i },
    ...more,
  }))

test('of 200 files that are open, granted one by one, rejected, unanswered or embargoed, each ends right, through kills and a lost Redis', async () => {
  await using service = await startService({
    keepRequests: 200_000,
    tokens: { jane: { user: '@jane' }, curator: { user: '@curator', curates: 'all' } },
    world: {
      datasets: [
        { pid: 'doi:10.5072/FK2/OPEN', files: files(OPEN - BOOKED, 1_000) },
        { pid: 'doi:10.5072/FK2/BOOK', guestbook: book(7), files: files(BOOKED, 5_000) },
        {
          pid: 'doi:10.5072/FK2/ASK',
          ...{ guestbook: book(8), guestbookAtRequest: true },
          files: files(GRANTED + UNANSWERED, 2_000, { restricted: true }),
        },
        {
          pid: 'doi:10.5072/FK2/NO',
          ...{ guestbook: book(9), guestbookAtRequest: true },
          files: files(REJECTED, 3_000, { restricted: true }),
        },
        { pid: 'doi:10.5072/FK2/SOON', files: files(EMBARGOED, 4_000, { embargo: { dateAvailable: EMBARGO } }) },
      ],
    },
  })
  const { dataverse, env } = service
  Object.assign(env, { DATAVERSE_API_TOKEN: 'jane', DATAFERRY_ACCESS_LOOK: '300ms' })
  await dataverse.set({ latencyMs: 20 })
  const answers = join(service.at('.'), 'answers.yaml')
  await mkdir(service.at('.'), { recursive: true })
  await writeFile(answers, 'name: Jane Doe\nemail: jane@example.org\n')
  env['DATAFERRY_GUESTBOOK'] = answers
  const datasets = ['OPEN', 'BOOK', 'ASK', 'NO', 'SOON'].map((name) => `doi:10.5072/FK2/${name}`)
  const wait = ['--request-access', '--yes', '--wait-for', 'embargo', '--wait-at-most', '60d']
  const id = await service.enqueue('all', ...datasets, ...wait)
  let worker: Started = service.work(0, '--processes', '1')
  const killed = async (): Promise<void> => {
    worker.child.kill('SIGKILL')
    await worker.ended
    worker = service.work(0, '--processes', '1')
  }
  const lost = async (): Promise<void> => {
    await service.client.flushall()
    expect((await service.run(1, 'resume', service.at('all'), '--enqueue')).code).toBe(0)
  }
  const counts = async (what: Record<string, unknown>): Promise<boolean> => {
    const found = await service.batch(id).catch(() => undefined)
    // What a killed worker had put in its place, and not on record yet, is already there for the next one.
    const batch: Record<string, unknown> = { ...found, there: (found?.done ?? 0) + (found?.kept ?? 0) }
    return Object.entries(what).every(([name, value]) => batch[name] === value)
  }

  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(1_000 + ((kill * 617) % 1_500))
    await killed()
  }
  const waiting = GRANTED + UNANSWERED + REJECTED + EMBARGOED
  await until('all that is open has come, and 50 wait', () => counts({ state: 'waiting', there: OPEN, waiting }))

  for (let i = 0; i < GRANTED; i++) {
    await decide(dataverse, 'grant', 2_000 + i)
    if (i % 5 === 1) await killed()
    if (i % 8 === 3) await lost()
    await until(`grant ${i + 1} was used`, () => counts({ there: OPEN + i + 1 }))
  }
  for (let i = 0; i < REJECTED; i++) await decide(dataverse, 'reject', 3_000 + i)
  await until('the rejected ones have failed', () => counts({ failed: REJECTED }))

  const move = async (days: number): Promise<void> => {
    await dataverse.set({ clockAheadMs: days * DAY_MS })
    Object.assign(env, aheadBy(days * DAY_MS))
    await killed()
  }
  await move(11)
  await lost()
  await until('the embargo is over', () => counts({ there: OPEN + GRANTED + EMBARGOED, waiting: UNANSWERED }))
  await move(110)
  await until('nobody has answered', () => counts({ state: 'finished', waiting: 0 }))
  expect(await counts({ there: OPEN + GRANTED + EMBARGOED, failed: REJECTED + UNANSWERED })).toBe(true)

  const codes = new Map<string, number>()
  const there = new Set<number>()
  for (const line of await service.outcomes('all')) {
    if (line.state === 'done' || line.state === 'kept') there.add(line.n)
    if (line.state === 'failed') codes.set(line.code, (codes.get(line.code) ?? 0) + 1)
  }
  expect(there.size).toBe(OPEN + GRANTED + EMBARGOED)
  expect(codes).toEqual(
    new Map([
      ['ACCESS_REJECTED', REJECTED],
      ['ACCESS_UNANSWERED', UNANSWERED],
    ]),
  )
  const made = await requestsMade(dataverse)
  expect(made.size).toBe(GRANTED + UNANSWERED + REJECTED)
  expect([...new Set(made.values())]).toEqual([1])
  const booked = await dataverse.guestbookRecords()
  const of = (event: string): number[] => booked.flatMap((one) => (one.event === event ? [one.file] : []))
  expect(of('AccessRequest').sort()).toEqual([...made.keys()].sort())
  expect(new Set(of('Download')).size).toBe(BOOKED)
  expect(of('Download')).toHaveLength(BOOKED)
})

test('a token that expires in mid-batch is waited for, and a new one is taken from its file', async () => {
  await using home = await makeHome()
  const tomorrow = new Date(Date.now() + DAY_MS).toISOString().slice(0, 10)
  const dataverse = await startDataverseProcess({
    tokens: { old: { user: '@jane', expires: tomorrow }, new: { user: '@jane' } },
    world: { datasets: [{ pid: 'doi:10.5072/FK2/LONG', files: files(60, 100) }] },
    latencyMs: 500,
  })
  const place = join(home.folder, 'token')
  await writeFile(place, 'old', { mode: 0o600 })
  const args = ['run', 'doi:10.5072/FK2/LONG', '--server', dataverse.url, '--to', home.data, '--token-file', place]
  const { child, ended } = home.start(args)
  let said = ''
  child.stderr?.on('data', (text: string) => (said += text))
  await until('it is warned of', () => Promise.resolve(said.includes(`expires on ${tomorrow}`)))
  const shown = (what: string): Promise<boolean> =>
    home
      .run(['status', '--json'])
      .then(({ stdout }) => records(stdout).some((one) => one['event'] === 'token' && one[what] !== undefined))
  await until('its end is shown elsewhere', () => shown('expires'))
  await until('some files', async () => (await dataverse.counters(110)).counted > 0)
  await dataverse.set({ clockAheadMs: 2 * DAY_MS })
  await until('the wait is said', () => Promise.resolve(said.includes('Put a new one into')))
  await until('the wait is shown elsewhere', () => shown('refusedSince'))
  expect((await home.run(['status'])).stdout).toContain(`${dataverse.url} has been on hold for the workers on `)
  await dataverse.set({ latencyMs: 20 })
  await writeFile(place, 'new', { mode: 0o600 })
  const { code, stdout } = await ended
  expect(stdout).toContain('All 60 files are there')
  expect(code).toBe(0)
  expect(`${said}${stdout}`).not.toMatch(/failed/)
  await dataverse.close()
})
