import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { records, type Started } from './cli.ts'
import { startFront, type Front } from './front.ts'
import { useDataverse, useHome } from './use-home.ts'

const FILES = 2_000
/** Looks come every 50 ms to 200 ms here, so that these seconds hold as many of them as an hour does by default. */
const AWAY_MS = 2_500
const SHORT = { DATAFERRY_OUTAGE_FIRST: '50ms', DATAFERRY_OUTAGE_MAX: '200ms', DATAFERRY_CONNECT_TIMEOUT: '2s' }

const home = useHome()
const dataverse = useDataverse({
  world: {
    datasets: [
      {
        pid: 'doi:10.5072/FK2/MANY',
        files: Array.from({ length: FILES }, (_, i) => ({
          id: 100 + i,
          label: `${i}.bin`,
          content: { size: 2_000, seed: i },
        })),
      },
    ],
  },
})
let front: Front
beforeAll(async () => {
  front = await startFront(dataverse.url)
})
afterAll(() => front[Symbol.asyncDispose]())

/** One attempt only: whatever uses one fails its file. */
function run(name: string): Started {
  const args = [
    'run',
    'doi:10.5072/FK2/MANY',
    '--server',
    front.url,
    '--to',
    join(home.folder, name),
    '--retries',
    '1',
    '--json',
  ]
  return home.start(args, SHORT)
}

/** Rejects when the command ends without having said it. */
async function untilSaid({ child, ended, said }: Started, what: RegExp): Promise<void> {
  const heard = new Promise<void>((resolve) => {
    const listen = (): void => {
      if (what.test(said())) resolve()
    }
    child.stdout?.on('data', listen)
    listen()
  })
  await Promise.race([heard, ended])
  expect(said()).toMatch(what)
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves when so many files have ended. */
function untilDone({ child }: Started, many: number): Promise<void> {
  return new Promise((resolve) => {
    child.stdout?.on('data', (text: string) => {
      for (const [, done] of text.matchAll(/"done":(\d+)/g)) if (Number(done) >= many) resolve()
    })
  })
}

const ON_HOLD = /has been on hold since \d\d:\d\d:\d\d, (?:next look at|being looked at)/

const OUTAGES: readonly (readonly [string, () => Promise<void>, () => Promise<void>])[] = [
  ['refuses connections', () => front.away('refused'), () => front.back()],
  ['is answered for by a proxy with 502', () => front.away('502'), () => front.back()],
  [
    'restarts, and answers every address with a page and 404',
    () => dataverse.set({ deploying: true }),
    () => dataverse.set({ deploying: false }),
  ],
]

test.each(OUTAGES)(
  'a server that %s in the middle of a batch fails nothing, and uses no attempt',
  async (_, away, back) => {
    await dataverse.set({ latencyMs: 5 })
    const started = run(`middle-${Math.random()}`)
    await untilDone(started, FILES / 20)
    await away()
    await Promise.all([after(AWAY_MS), untilSaid(started, ON_HOLD)])
    await back()
    const { code, stdout, stderr } = await started.ended
    expect(stderr).not.toContain('dataferry:')
    expect(code).toBe(0)
    const all = records(stdout)
    expect(all.find(({ event }) => event === 'summary')).toMatchObject({ done: FILES, failed: 0, missing: 0 })
    const told = all.flatMap(({ notices }): unknown[] => (Array.isArray(notices) ? notices : []))
    expect(told).toContainEqual(expect.stringMatching(ON_HOLD))
  },
)

test('a server that is away while a batch is planned is waited for, and said to be', async () => {
  await front.away('refused')
  const started = run('planning')
  await untilSaid(started, /Planning has been on hold since/)
  await front.back()
  const { code, stdout } = await started.ended
  expect(code).toBe(0)
  expect(records(stdout).find(({ event }) => event === 'summary')).toMatchObject({ done: FILES, failed: 0 })
})

test('a run gives up when it was told to, is parked, and goes on when the server is back', async () => {
  await dataverse.set({ latencyMs: 5 })
  const to = join(home.folder, 'parked')
  const args = ['run', 'doi:10.5072/FK2/MANY', '--server', front.url, '--to', to, '--retries', '1', '--json']
  const started = home.start([...args, '--give-up-after', '2s'], SHORT)
  await untilDone(started, FILES / 20)
  await front.away('refused')
  const parked = await started.ended
  expect(parked.code).toBe(3)
  expect(parked.stderr).toContain('has been away for too long')
  await front.back()
  const { code, stdout } = await home.start(args, SHORT).ended
  expect(code).toBe(0)
  expect(records(stdout).find(({ event }) => event === 'summary')).toMatchObject({ failed: 0, missing: 0 })
})
