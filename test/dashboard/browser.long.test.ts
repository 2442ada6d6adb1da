import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildPages } from '../../scripts/build-pages.mjs'
import { listBatches } from '../../src/batch/folder.ts'
import { Links } from '../../src/dashboard/links.ts'
import { BatchLogs } from '../../src/ledger/batch-logs.ts'
import { batchKeys } from '../../src/ledger/redis/keys.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { Slots } from '../../src/ledger/slots.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import { ResultsKeeper } from '../../src/proof/verify/keep-results.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { all, failed, recorded } from '../batch/fixtures.ts'
import { runInProcess } from '../cli/in-process.ts'
import { demoWorld } from '../fakes/dataverse/demo-world.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { nodeProgram } from '../node-program.ts'
import { useRedis } from '../redis.ts'
import { CHROMIUM, CHROMIUM_FLAGS, describeInBrowser } from './chromium.ts'
import { settleMany, stageBatch } from './stage.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const SHOTS = fileURLToPath(new URL('../../docs/images/', import.meta.url))
/** A person sees a change within two seconds; the rest is for a machine that has much to do. */
const LIVE_MS = 10_000
const OPEN_MS = 100
const MILLION = 1_000_000
const BIG = 'climate-20261127-081502-77c1'
const PAUSED = 'survey-20261127-093000-1f0c'
const ENDED = 'interviews-20261126-201500-b2aa'
/** Its failures are on record at its destination. */
const FAILED = 'census-20261125-110000-77aa'
/** Its own command works on it. */
const OWNED = 'maps-20261124-120000-5e01'
/** Known to Redis for the time of a test. */
const SHORT_LIVED = 'letters-20261123-120000-0b0b'
const SERVERS = ['https://demo.dataverse.org', 'https://dataverse.example.edu'] as const
const ALL_PAGES = [
  '/',
  '/batches',
  `/batches/${BIG}`,
  `/batches/${BIG}/items`,
  '/new',
  '/mirrors',
  '/schedules',
  '/proof',
  '/servers',
  '/workers',
]
const EVIL = '<img src=x onerror="document.title=\'owned\'">\u202e<script>document.title="owned"</script>.csv'

describeInBrowser('the pages', () => {
  const redis = useRedis()
  let folder: string
  let dataverse: StandIn
  let board: ChildProcess
  let browser: Browser
  let base: string
  let ledger: RedisLedger
  let moving: NodeJS.Timeout
  let settled = 470_000

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'df-pages-'))
    await buildPages(join(process.env['TEST_PROGRAMS'] ?? '', 'dashboard-pages'))
    const world = demoWorld()
    const guestbook = { id: 7, name: '<b>Use</b>', nameRequired: true }
    world.dataset('doi:10.5072/FK2/GUARDED', { guestbook, files: [{ label: 'a.txt', content: 'a' }] })
    dataverse = await startDataverse({ world })
    ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
    await stage()
    await mkdir(join(folder, 'new'))
    await keepMirror()
    const args = ['dashboard', '--port', '0', '--json', '--to', join(folder, 'new'), '--server', dataverse.url]
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      REDIS_URL: redis.url,
      DATAFERRY_PREFIX: redis.prefix,
      DATAFERRY_STATE_DIR: join(folder, 'state'),
    }
    board = spawn(process.execPath, [...nodeProgram(MAIN), ...args, '--log-file', join(folder, 'log')], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [printed] = (await once(board.stdout ?? board, 'data')) as [Buffer]
    base = /"url":"([^"]+)"/.exec(printed.toString())?.[1] ?? ''
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: CHROMIUM_FLAGS })
  })
  afterAll(async () => {
    clearInterval(moving)
    await browser.close()
    const ended = once(board, 'exit')
    board.kill('SIGTERM')
    await ended
    await dataverse.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  })

  /** Batches of every kind, with one that goes on. */
  async function stage(): Promise<void> {
    const at = (name: string): string => join(folder, name)
    const pathOf = (n: number): string =>
      `doi-10.5072-FK2-CLIMATE/grids/${1900 + (n % 120)}/grid-${String(n).padStart(7, '0')}.nc`
    await stageBatch(ledger, { id: BIG, folder: at('archive'), items: MILLION, servers: SERVERS, pathOf })
    await stageBatch(ledger, {
      id: PAUSED,
      folder: at('survey'),
      items: 5_000,
      servers: [SERVERS[0]],
      pathOf: (n) => `survey/${n}.csv`,
    })
    await stageBatch(ledger, {
      id: ENDED,
      folder: at('archive'),
      items: 800,
      servers: [SERVERS[1]],
      pathOf: (n) => `interviews/${n}.wav`,
    })
    await settleMany(ledger, BIG, 0, 400_000)
    await settleMany(ledger, BIG, 400_000, 460_000, 'kept')
    for (let n = 460_000; n < 460_230; n++) {
      const message = `demo.dataverse.org did not deliver file ${n + 1}: this user has no access to it (403).`
      await ledger.settle(BIG, n, {
        state: 'failed',
        bytes: 0,
        error: { code: 'SOURCE_DENIED', message, path: n === 460_000 ? EVIL : pathOf(n) },
      })
    }
    for (let n = 460_300; n < 460_312; n++) {
      const message = `The bytes of file ${n + 1} do not have the MD5 that the server lists.`
      await ledger.settle(BIG, n, {
        state: 'failed',
        bytes: 0,
        error: { code: 'CHECKSUM_MISMATCH', message, path: pathOf(n) },
      })
    }
    for (let n = 460_400; n < 460_418; n++) await ledger.settle(BIG, n, { state: 'waiting', bytes: 0 })
    await settleMany(ledger, PAUSED, 0, 2_600)
    await ledger.setState(PAUSED, 'paused', 'by hand')
    await settleMany(ledger, ENDED, 0, 800)
    await ledger.setState(ENDED, 'finished')
    await stageFailures()
    await verify('archive', { path: EVIL, batch: BIG }, { path: pathOf(7), batch: BIG })
    const schedules = new ScheduleFolder(at('state'))
    const now = new Date().toISOString()
    const daily = {
      v: 1,
      cron: '0 3 * * *',
      tz: 'Europe/Berlin',
      jitterMs: 0,
      cwd: folder,
      createdAt: now,
      since: now,
    } as const
    await schedules.write({ ...daily, name: 'nightly', command: ['mirror', 'run', 'climate', '--to', '/srv/climate'] })
    await schedules.write({ ...daily, name: 'survey', command: ['mirror', 'run', 'survey', '--to', at('new')] })
    const servers = new Servers(redis.client, redis.prefix)
    await servers.set(SERVERS[0], { concurrency: 8, bandwidth: 50 * 1024 ** 2 })
    await servers.hold(SERVERS[1], {
      by: 'outage',
      reason: 'dataverse.example.edu does not answer: connect ETIMEDOUT',
      limits: { firstMs: 3_000_000, maxMs: 3_000_000 },
    })
    const workers = new Workers(redis.client, redis.prefix)
    const slots = new Slots(redis.client, { usualLimit: 4, prefix: redis.prefix })
    const began = new Date().toISOString()
    const me = await ownProcess()
    let turn = 0
    const move = async (): Promise<void> => {
      turn++
      const holds = Array.from({ length: 6 }, (_, i) => ({
        batch: BIG,
        n: 900_000 + i,
        path: pathOf(900_000 + i),
        bytes: (turn * 30_000 + i * 43_000) % 262_144,
        size: 262_144,
      }))
      const now = new Date().toISOString()
      await workers.beat({
        ...me,
        host: 'mirror-1',
        id: 'w1',
        tokens: [],
        scopes: ['public'],
        // Nobody waits for it with anything else.
        serves: [{ scope: 'public', servers: [...SERVERS] }],
        since: began,
        at: now,
        destinations: [],
        holds,
      })
      await slots.claim(SERVERS[0], 'w1', { wanted: 6, inUse: 6 })
      const more = 60 + Math.round(40 * Math.sin(turn / 4) + 15 * Math.sin(turn * 1.7))
      await settleMany(ledger, BIG, settled, settled + more)
      settled += more
    }
    const log = (text: string, level: 'info' | 'error') => ({ at: now, host: 'mirror-1', pid: 4_711, level, text })
    await new BatchLogs(redis.client, redis.prefix).add(BIG, [
      log('batch begins here destination=file:///srv/archive entries=1000000', 'info'),
      log(`item ended n=460000 path=${EVIL} state=failed code=SOURCE_DENIED`, 'info'),
      log('unexpected error while working on a job n=460301', 'error'),
    ])
    await move()
    moving = setInterval(() => void move().catch(() => undefined), 1_000)
  }

  /** A batch with failures that are on record, one that a command works on, and one that Redis is about to forget. */
  async function stageFailures(): Promise<void> {
    const pathOf = (n: number): string => `census/${n}.csv`
    const staged = { folder: join(folder, 'census'), servers: [SERVERS[1]], pathOf }
    for (const [id, items] of [
      [FAILED, 20],
      [OWNED, 5],
      [SHORT_LIVED, 5],
    ] as const) {
      await stageBatch(ledger, { ...staged, id, items })
    }
    const failures = Array.from({ length: 15 }, (_, n) => {
      return failed(n, n < 12 ? 'CHECKSUM_MISMATCH' : 'SOURCE_DENIED', pathOf(n))
    })
    await recorded(diskSink(staged.folder).records, failures, 'w1', FAILED)
    for (const { n, code, message, path } of failures) {
      await ledger.settle(FAILED, n, { state: 'failed', bytes: 0, error: { code, message, path } })
    }
    await settleMany(ledger, FAILED, 15, 20)
    const error = { code: 'CHECKSUM_MISMATCH', message: 'It differs.', path: pathOf(0) }
    await ledger.settle(OWNED, 0, { state: 'failed', bytes: 0, error })
    const me = await ownProcess()
    await redis.client.hset(batchKeys(redis.prefix, OWNED).batch, { attached: '1' })
    await ledger.attach(OWNED, { ...me, id: 'its-command' })
  }

  /** As a verification of a destination leaves it that has found some files missing, and the others right. */
  async function verify(place: string, ...missing: { readonly path: string; readonly batch: string }[]): Promise<void> {
    const { records } = diskSink(join(folder, place))
    const bytes = { size: 262_144, checksum: { algorithm: 'md5', hex: 'd41d8cd98f00b204e9800998ecf8427e' } } as const
    const keeper = await ResultsKeeper.open(records, { now: () => new Date(), by: '1.2.3' })
    for (let n = 0; n < 50; n++) await keeper.add({ state: 'ok', path: `interviews/${n}.wav`, ...bytes })
    for (const one of missing) await keeper.add({ state: 'missing', n: 0, expected: bytes, ...one })
    const at = new Date().toISOString()
    const [held, none] = [
      { files: 50, bytes: 50 * bytes.size },
      { files: 0, bytes: 0 },
    ]
    await keeper.end({
      mode: 'full',
      startedAt: at,
      endedAt: at,
      read: held,
      held,
      neverRead: none,
      found: {},
      by: '1.2.3',
    })
  }

  /** A mirror of a small dataset, where the dashboard may begin something. */
  async function keepMirror(): Promise<void> {
    const list = join(folder, 'list.txt')
    await writeFile(list, 'doi:10.5072/FK2/SURVEY\n')
    const words = ['mirror', 'create', 'survey', '--datasets', list, '--to', join(folder, 'new')]
    const env = { REDIS_URL: redis.url, DATAFERRY_PREFIX: redis.prefix, HOME: folder }
    const { code, stderr } = await runInProcess([...words, '--server', dataverse.url], { cwd: folder, env })
    expect({ code, stderr }).toMatchObject({ code: 0 })
  }

  /** A page of somebody who is signed in, and what went wrong in it. */
  async function open(
    path = '/',
    options: BrowserContextOptions = {},
    role: 'operator' | 'viewer' = 'operator',
  ): Promise<{ page: Page; problems: string[] }> {
    const context = await browser.newContext({
      viewport: { width: 1_200, height: 800 },
      colorScheme: 'light',
      reducedMotion: 'reduce',
      ...options,
    })
    const page = await context.newPage()
    const problems: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
    })
    page.on('pageerror', (error) => problems.push(error.message))
    const token = await new Links(redis.client, redis.prefix).make(role)
    await page.goto(`${base}/link#${token}`)
    await page.getByRole('navigation', { name: 'Pages' }).waitFor()
    expect(page.url()).not.toContain(token)
    if (path !== '/') await show(page, path)
    return { page, problems }
  }

  /** Batches where the dashboard may begin them. */
  async function batchesBegun(): Promise<string[]> {
    return (await listBatches(diskSink(join(folder, 'new')).records)).map(({ id }) => id)
  }

  async function show(page: Page, path: string): Promise<void> {
    await page.goto(base + path)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.locator('.loading').waitFor({ state: 'detached' })
  }

  it('no page breaks a rule of accessibility or has an error, in light and dark, wide and on a phone', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const viewport of [
        { width: 1_200, height: 800 },
        { width: 360, height: 740 },
      ]) {
        const { page, problems } = await open('/', { colorScheme, viewport, bypassCSP: false })
        const linked = await page.evaluate<string[]>(
          `[...document.querySelectorAll('nav a')].map((a) => a.getAttribute('href'))`,
        )
        expect(ALL_PAGES).toEqual(expect.arrayContaining(linked))
        for (const path of ALL_PAGES) {
          await show(page, path)
          const told = await violations(page)
          expect({ path, colorScheme, width: viewport.width, told }).toEqual({
            path,
            colorScheme,
            width: viewport.width,
            told: [],
          })
          const tooWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
          expect({ path, width: viewport.width, tooWide }).toEqual({ path, width: viewport.width, tooWide: false })
        }
        expect(problems).toEqual([])
        await page.context().close()
      }
    }
  })

  it('whoever is not signed in is told how, and that a token is not valid', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const context = await browser.newContext({ viewport: { width: 360, height: 740 }, colorScheme })
      const page = await context.newPage()
      await page.goto(`${base}/batches/${BIG}`)
      await page.getByText('dataferry dashboard link').waitFor()
      expect(await violations(page)).toEqual([])
      await page.getByLabel('Or give a token').fill('not-a-token-of-this-dashboard')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').getByText('is not valid').waitFor()
      await page.goto(`${base}/link#${'x'.repeat(43)}`)
      await page.getByRole('alert').getByText('is not valid').waitFor()
      await context.close()
    }
  })

  it('everything can be reached and done with the keyboard, and the focus is seen and stays', async () => {
    const { page } = await open()
    const focused = () => page.evaluate<string>('document.activeElement.textContent')
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the content')
    for (let i = 0; i < 3; i++) await page.keyboard.press('Tab')
    expect(await focused()).toBe('Batches')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Batches' }).waitFor()

    await show(page, `/batches/${PAUSED}`)
    const tabTo = async (name: string): Promise<void> => {
      for (let i = 0; i < 40 && (await focused()) !== name; i++) await page.keyboard.press('Tab')
      expect(await focused()).toBe(name)
    }
    await tabTo('Continue')
    await page.keyboard.press('Space')
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('open')
    await expect.poll(focused).toBe('Pause')
    // Whatever happens meanwhile.
    await settleMany(ledger, PAUSED, 2_600, 2_700)
    await page.getByText('2,700').first().waitFor({ timeout: LIVE_MS })
    expect(await focused()).toBe('Pause')
    await page.keyboard.press('Enter')
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('paused')
    await expect.poll(focused).toBe('Continue')

    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Cancel')
    for (const leave of ['Escape', 'Enter']) {
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').waitFor()
      expect(await focused()).toBe('Leave it')
      await page.keyboard.press(leave)
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      expect(await focused()).toBe('Cancel')
    }
    expect((await ledger.get(PAUSED))?.state).toBe('paused')
    await page.context().close()
  })

  it('a change is seen within two seconds, on the overview and on the page of the batch', async () => {
    for (const path of ['/', `/batches/${PAUSED}`]) {
      const { page } = await open(path)
      const tag =
        path === '/' ? page.locator('.batch-row', { hasText: PAUSED }).locator('.tag') : page.locator('.title .tag')
      await expect.poll(() => tag.textContent()).toBe('paused')
      await ledger.setState(PAUSED, 'open')
      await tag.filter({ hasText: 'queued' }).waitFor({ timeout: LIVE_MS })
      await ledger.setState(PAUSED, 'paused', 'by hand')
      await tag.filter({ hasText: 'paused' }).waitFor({ timeout: LIVE_MS })
      await page.context().close()
    }
  })

  it('lists and cards change while they are looked at, too', async () => {
    const servers = new Servers(redis.client, redis.prefix)
    const cases = [
      { path: '/batches', at: (page: Page) => page.locator('.batch-row', { hasText: PAUSED }), word: 'queued' },
      { path: '/servers', at: (page: Page) => page.getByRole('region', { name: SERVERS[0] }), word: 'paused' },
    ]
    for (const { path, at, word } of cases) {
      const { page } = await open(path)
      const tag = at(page).locator('.tag').first()
      await tag.waitFor()
      const before = await tag.textContent()
      await ledger.setState(PAUSED, 'open')
      await servers.set(SERVERS[0], { paused: 'by hand' })
      await tag.filter({ hasText: word }).waitFor({ timeout: LIVE_MS })
      await ledger.setState(PAUSED, 'paused', 'by hand')
      await servers.set(SERVERS[0], { paused: null })
      await tag.filter({ hasText: before ?? '' }).waitFor({ timeout: LIVE_MS })
      await page.context().close()
    }
  })

  it('a batch of a million files opens in a tenth of a second, and its files are found as they are read', async () => {
    const { page } = await open()
    const fastest = await page.evaluate(`(async () => {
      let best = Infinity
      for (let i = 0; i < 20; i++) {
        const began = performance.now()
        await (await fetch('/api/batches/${BIG}')).json()
        best = Math.min(best, performance.now() - began)
      }
      return best
    })()`)
    process.stderr.write(`a batch of ${MILLION} files opened in ${Number(fastest).toFixed(0)} ms\n`)
    expect(fastest).toBeLessThan(OPEN_MS)
    await show(page, `/batches/${BIG}/items`)
    await page.getByLabel('Part of the path').fill('GRID-0999999')
    await page.getByText('grid-0999999.nc').waitFor()
    await page.getByLabel('Part of the path').fill('')
    await page.getByLabel('State').selectOption('failed')
    await page.getByText('SOURCE_DENIED').first().waitFor()
    await expect.poll(() => page.locator('tbody tr').count()).toBe(100)
    await page.getByRole('button', { name: 'More' }).click()
    await expect.poll(() => page.locator('tbody tr').count()).toBe(200)
    // One that finds nothing reads the whole plan, and ends when it is left: the next one need not wait for it.
    await page.getByLabel('State').selectOption('any')
    await page.getByLabel('Part of the path').fill('nowhere')
    await page.getByText(/^Searching … [\d,]+ of 1,000,000$/).waitFor()
    await page.getByLabel('Part of the path').fill('grid-0000007')
    await page.getByText('grid-0000007.nc').waitFor()
    await page.context().close()
  })

  it('the log of a batch is that of every machine, and only text', async () => {
    const { page } = await open(`/batches/${BIG}`)
    const log = page.getByLabel('Last lines of the log')
    await log.getByText('batch begins here').waitFor()
    await log.getByText('mirror-1 (4711)').first().waitFor()
    await log.getByText('onerror=').waitFor()
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await page.title()).not.toContain('owned')
    const line = { at: new Date().toISOString(), host: 'mirror-2', pid: 7, level: 'info', text: 'batch waits' } as const
    await new BatchLogs(redis.client, redis.prefix).add(BIG, [line])
    await log.getByText('batch waits').waitFor({ timeout: LIVE_MS })
    await page.context().close()
  })

  it('a batch is paused, continued and cancelled from its page', async () => {
    const { page, problems } = await open(`/batches/${PAUSED}`)
    const tag = page.locator('.title .tag')
    const batch = page.getByRole('group', { name: 'This batch' })
    await batch.getByRole('button', { name: 'Continue' }).click()
    await page.locator('main > div[role=status]').getByText('It goes on').waitFor()
    await batch.getByRole('button', { name: 'Pause' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('paused')
    await expect.poll(() => tag.textContent()).toBe('paused')
    await batch.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click()
    expect((await ledger.get(PAUSED))?.state).toBe('paused')
    await batch.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('cancelled')
    await batch.getByRole('button', { name: 'Continue' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('open')
    await batch.getByRole('button', { name: 'Pause' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('paused')
    expect(problems).toEqual([])
    await page.context().close()
  })

  it('a batch that workers leave alone says which command goes on with it, and offers only what does something', async () => {
    const { batch } = batchKeys(redis.prefix, PAUSED)
    await redis.client.hset(batch, { attached: '1' })
    await ledger.setState(PAUSED, 'open')
    try {
      const { page, problems } = await open(`/batches/${PAUSED}`)
      await page.locator('.title .tag', { hasText: 'parked' }).waitFor()
      await page.getByText('It waits for its command').waitFor()
      await page.getByText(/^dataferry resume \S+ --enqueue$/).waitFor()
      const offered = page.getByRole('group', { name: 'This batch' }).getByRole('button')
      expect(await offered.allTextContents()).not.toContain('Pause')
      expect(problems).toEqual([])
      await page.context().close()
    } finally {
      await redis.client.hset(batch, { attached: '0' })
      await ledger.setState(PAUSED, 'paused', 'by hand')
    }
  })

  it('a server is limited, paused and continued from its card', async () => {
    const { page } = await open('/servers')
    const card = page.getByRole('region', { name: SERVERS[0] })
    const servers = new Servers(redis.client, redis.prefix)
    await card.getByLabel('Streams').fill('5')
    await card.getByLabel('MiB per second').fill('')
    await card.getByRole('button', { name: 'Set limits' }).click()
    await expect.poll(() => servers.get(SERVERS[0])).toMatchObject({ concurrency: 5, bandwidth: undefined })
    await card.getByRole('button', { name: 'Pause' }).click()
    await card.getByText('paused').first().waitFor()
    await card.getByRole('button', { name: 'Continue' }).click()
    await expect.poll(async () => (await servers.get(SERVERS[0])).hold).toBeUndefined()
    await servers.set(SERVERS[0], { concurrency: 8, bandwidth: 50 * 1024 ** 2 })
    await page.context().close()
  })

  it('the limits of a server can be set on the page of a batch, and a limit that is none is refused', async () => {
    const { page } = await open(`/batches/${PAUSED}`)
    const card = page.getByRole('region', { name: SERVERS[0] })
    const servers = new Servers(redis.client, redis.prefix)
    await card.getByLabel('Streams').fill('65')
    await card.getByRole('button', { name: 'Set limits' }).click()
    await card.getByRole('status').and(page.locator('.bad')).getByText('concurrency').waitFor()
    expect(await servers.get(SERVERS[0])).toMatchObject({ concurrency: 8 })
    await card.getByLabel('Streams').fill('6')
    await card.getByRole('button', { name: 'Set limits' }).click()
    await card.getByRole('status').and(page.locator('.good')).getByText('6 files at a time').waitFor()
    expect(await servers.get(SERVERS[0])).toMatchObject({ concurrency: 6 })
    await servers.set(SERVERS[0], { concurrency: 8, bandwidth: 50 * 1024 ** 2 })
    await page.context().close()
  })

  it('a schedule is paused, continued and run from its card, and says why it could not be', async () => {
    const { page, problems } = await open('/schedules')
    const schedules = new ScheduleFolder(join(folder, 'state'))
    const card = (name: string) => page.getByRole('region', { name, exact: true })
    await card('nightly').getByRole('button', { name: 'Pause' }).click()
    await card('nightly').getByText('nothing is started any more').waitFor()
    expect((await schedules.read('nightly'))?.pausedAt).toBeDefined()
    await card('nightly').getByRole('button', { name: 'Continue' }).click()
    await card('nightly').getByText('at its times again').waitFor()
    expect((await schedules.read('nightly'))?.pausedAt).toBeUndefined()
    // Its destination is not on this machine.
    await card('nightly').getByRole('button', { name: 'Run now' }).click()
    await card('nightly')
      .getByText(/ended with [23]/)
      .first()
      .waitFor()

    await card('survey').getByRole('button', { name: 'Run now' }).click()
    await card('survey').getByRole('status').and(page.locator('.good')).getByText('A run of survey has').waitFor()
    await card('survey').getByText('went well').waitFor({ timeout: 120_000 })
    await card('survey')
      .getByText(/^Report: .*\/run\.json/)
      .waitFor()
    expect(await schedules.history('survey')).toMatchObject([{ event: 'started' }, { event: 'ended', code: 0 }])

    expect(problems.filter(isNoRefusal)).toEqual([])
    await page.context().close()
  }, 240_000)

  it('a mirror is run from its card, through to its files, and says why it could not be', async () => {
    const { page } = await open('/mirrors')
    const card = page.getByRole('region', { name: 'survey', exact: true })
    await card.getByRole('button', { name: 'Run now' }).click()
    await card.getByRole('status').and(page.locator('.good')).getByText('A run of survey has').waitFor()
    await card.getByText('up to date').waitFor({ timeout: 120_000 })
    const files = await all(diskSink(join(folder, 'new')).list(new AbortController().signal))
    expect(files.length).toBeGreaterThan(5)
    const order = join(folder, 'new/.dataferry/mirrors/survey/mirror.json')
    await rename(order, `${order}-away`)
    await writeFile(order, '{')
    await card.getByRole('button', { name: 'Run now' }).click()
    await card.getByRole('status').and(page.locator('.bad')).getByText('is damaged').waitFor()
    await rename(`${order}-away`, order)
    await page.context().close()
  }, 240_000)

  it('what was verified is told for each destination, with what is wrong and whose it is, and changes with the next run', async () => {
    const { page, problems } = await open('/proof')
    const card = page.getByRole('region', { name: join(folder, 'archive'), exact: true })
    await card.getByText('2 wrong').waitFor()
    await card.getByText(': 2 missing, 0 changed').waitFor()
    await card.getByText('2 of them').or(card.getByText('Which')).click()
    await card.getByText('onerror=').waitFor()
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await page.title()).not.toContain('owned')
    const command = await card.getByText('--wanted again.csv').textContent()
    expect(command).toBe(`dataferry verify ${join(folder, 'archive')} --wanted again.csv`)
    await page
      .getByRole('region', { name: join(folder, 'survey'), exact: true })
      .getByText('never verified')
      .waitFor()
    await page.goto(base)
    const told = page.getByRole('region', { name: 'What needs attention' })
    await told.getByText('2 files are missing or changed').waitFor()
    await show(page, '/proof')
    await verify('archive')
    await card.getByText('as recorded').waitFor({ timeout: 60_000 })
    expect(problems).toEqual([])
    await page.context().close()
  })

  it('failures are told with what to do, downloaded, and tried again by code; their names are only text', async () => {
    const { page, problems } = await open(`/batches/${BIG}`)
    const group = page.getByRole('article').filter({ hasText: 'SOURCE_DENIED' })
    await group.getByText('230 files').waitFor()
    await group.getByText('5 of them').click()
    await group.getByText('onerror=').waitFor()
    expect(await page.title()).not.toContain('owned')
    expect(await page.locator('main img, main script').count()).toBe(0)
    // Redis alone knows these failures: nothing at the destination says so.
    await page
      .getByRole('article')
      .filter({ hasText: 'CHECKSUM_MISMATCH' })
      .getByRole('button', { name: 'Retry these' })
      .click()
    await page.getByRole('status').getByText('nothing to try again').waitFor()

    await show(page, `/batches/${FAILED}`)
    const download = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download failures.csv' }).click()
    expect((await download).suggestedFilename()).toBe(`${FAILED}-failures.csv`)
    const table = await readFile(await (await download).path(), 'utf8')
    expect(table.trim().split('\r\n')).toHaveLength(16)

    const changed = page.getByRole('article').filter({ hasText: 'CHECKSUM_MISMATCH' })
    await changed.getByRole('button', { name: 'Retry these' }).click()
    await page.getByRole('status').getByText('12 failed files are tried again').waitFor()
    await changed.waitFor({ state: 'detached', timeout: LIVE_MS })
    expect(await ledger.summary(FAILED)).toMatchObject({ failed: 3, done: 5 })
    await page.getByRole('button', { name: 'Retry all failures' }).click()
    await page.getByRole('status').getByText('3 failed files are tried again').waitFor()
    expect(await ledger.summary(FAILED)).toMatchObject({ failed: 0 })
    expect(problems).toEqual([])
    await page.context().close()
  })

  it('what is refused is told where it was asked for, with what to do', async () => {
    const { page } = await open(`/batches/${OWNED}`)
    const batch = page.getByRole('group', { name: 'This batch' })
    await page.getByRole('button', { name: 'Retry all failures' }).click()
    await page.getByRole('status').and(page.locator('.bad')).getByText('A command is working on this batch').waitFor()
    expect(await ledger.summary(OWNED)).toMatchObject({ failed: 1 })

    await show(page, `/batches/${SHORT_LIVED}`)
    await batch.getByRole('button', { name: 'Pause' }).waitFor()
    await ledger.forget(SHORT_LIVED)
    await batch.getByRole('button', { name: 'Pause' }).click()
    await page.getByRole('status').and(page.locator('.bad')).getByText('knows no batch').waitFor()
    await page.context().close()
  })

  it('a new batch is planned, looked at and started', async () => {
    const { page, problems } = await open('/new')
    await page.getByLabel('What to fetch').fill('doi:10.5072/FK2/NONE')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByText('cannot be planned').waitFor()
    await page.getByLabel('What to fetch').fill('what, is, this\n1,2,3')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('alert').getByText('line 1: ').waitFor()
    await page.getByLabel('What to fetch').fill('https://elsewhere.example/api/access/datafile/1')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('alert').getByText('choose a server of this dashboard').waitFor()
    await page.getByLabel('What to fetch').fill('doi:10.5072/FK2/GUARDED')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByText('dataferry guestbook show doi:10.5072/FK2/GUARDED').waitFor()
    await page.getByText('<b>Use</b>').waitFor()
    await page.getByLabel('What to fetch').fill('doi:10.5072/FK2/CLIMATE')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('button', { name: /^Fetch \d+ files$/ }).waitFor()
    expect(await batchesBegun()).toHaveLength(1)
    await page.getByRole('link', { name: 'Batches' }).click()
    await expect.poll(batchesBegun).toEqual([])
    await show(page, '/new')
    await page.getByLabel('What to fetch').fill('doi:10.5072/FK2/CLIMATE')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('button', { name: /^Fetch \d+ files$/ }).click()
    await page.getByRole('heading', { level: 1, name: /-/ }).waitFor()
    const id = decodeURIComponent(page.url().split('/').at(-1) ?? '')
    expect(await ledger.get(id)).toMatchObject({ state: 'open', attached: false, planComplete: true })
    expect(problems.filter(isNoRefusal)).toEqual([])
    await ledger.forget(id)
    await page.context().close()
    expect(await batchesBegun()).toEqual([id])
  })

  it('planning ends when its page is closed, and what is seen of the plan goes with a page that is closed', async () => {
    const before = await batchesBegun()
    const commands = async (): Promise<number> =>
      (await readFile(join(folder, 'log'), 'utf8')).split('command of the dashboard ended').length
    const plan = async (page: Page, manifest: string): Promise<void> => {
      await page.getByLabel('What to fetch').fill(manifest)
      await page.getByRole('button', { name: 'Show the plan' }).click()
    }
    const looking = (await open('/new')).page
    await plan(looking, 'doi:10.5072/FK2/SURVEY')
    await looking.getByRole('button', { name: /^Fetch \d+ files$/ }).waitFor()
    await looking.close({ runBeforeUnload: true })
    await expect.poll(batchesBegun).toEqual(before)
    dataverse.fault({ path: 'SURVEY', steps: [{ kind: 'stall', after: 1 }], repeat: true })
    const waiting = (await open('/new')).page
    const ended = await commands()
    await plan(waiting, 'doi:10.5072/FK2/SURVEY\n')
    await expect.poll(batchesBegun).toHaveLength(before.length + 1)
    await waiting.close()
    await expect.poll(commands, { timeout: 30_000 }).toBe(ended + 1)
    dataverse.clearFaults()
    await Promise.all([looking, waiting].map((page) => page.context().close()))
  })

  it('who may only look is offered nothing else, and who is signed out sees nothing', async () => {
    const { page } = await open(`/batches/${BIG}`, {}, 'viewer')
    await page.getByText('SOURCE_DENIED', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: /Pause|Cancel|Retry/ }).count()).toBe(0)
    await show(page, '/new')
    await page.getByText('that takes an operator').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('dataferry dashboard link').waitFor()
    await page.goto(`${base}/batches`)
    await page.getByText('dataferry dashboard link').waitFor()
    await page.context().close()
  })

  it('the pages ask nobody else for anything', async () => {
    const { page } = await open()
    const others: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(base)) others.push(request.url())
    })
    for (const path of ALL_PAGES) await show(page, path)
    expect(others).toEqual([])
    await page.context().close()
  })

  if (process.env['SCREENSHOTS'])
    it('pictures for the documentation', async () => {
      await mkdir(SHOTS, { recursive: true })
      await verify('archive', ...[3, 4, 5].map((n) => ({ path: `interviews/${n}.wav`, batch: ENDED })))
      const shots = [
        { name: 'overview', path: '/', height: 1_460 },
        { name: 'overview-dark', path: '/', height: 860, dark: true },
        { name: 'batch', path: `/batches/${BIG}`, height: 900 },
        { name: 'servers', path: '/servers', height: 520 },
        { name: 'proof', path: '/proof', height: 620 },
      ]
      for (const { name, path, height, dark } of shots) {
        const { page } = await open(path, { viewport: { width: 1_100, height }, colorScheme: dark ? 'dark' : 'light' })
        if (name === 'proof') await page.getByText('3 wrong').waitFor({ timeout: 60_000 })
        await page.locator('.uplot, .figures, .server').first().waitFor()
        await page.waitForLoadState('networkidle', { timeout: 3_000 }).catch(() => undefined)
        await writeFile(join(SHOTS, `dashboard-${name}.png`), await page.screenshot())
        await page.context().close()
      }
      const { page } = await open('/', { viewport: { width: 360, height: 740 } })
      await page.waitForLoadState('networkidle', { timeout: 3_000 }).catch(() => undefined)
      await writeFile(join(SHOTS, 'dashboard-phone.png'), await page.screenshot())
      await page.context().close()
    })
})

/** A browser tells of every answer that refuses, as it is to in some tests. */
function isNoRefusal(problem: string): boolean {
  return !problem.startsWith('Failed to load resource: the server responded with a status of')
}

interface Audit {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
}

/** What axe-core finds: through the debugger, as no page may load what is not its own. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const found = await page.evaluate<Audit>("axe.run(document, { resultTypes: ['violations'] })")
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`)
}
