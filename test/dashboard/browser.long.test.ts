import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildPages } from '../../scripts/build-pages.mjs'
import { Links } from '../../src/dashboard/links.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { Slots } from '../../src/ledger/slots.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import { demoWorld } from '../fakes/dataverse/demo-world.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { nodeProgram } from '../node-program.ts'
import { useRedis } from '../redis.ts'
import { CHROMIUM, CHROMIUM_FLAGS, describeInBrowser } from './chromium.ts'
import { settleMany, stageBatch } from './stage.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const SHOTS = fileURLToPath(new URL('../../docs/images/', import.meta.url))
/** A person sees a change within this. */
const LIVE_MS = 2_000
const OPEN_MS = 100
const MILLION = 1_000_000
const BIG = 'climate-20261127-081502-77c1'
const PAUSED = 'survey-20261127-093000-1f0c'
const ENDED = 'interviews-20261126-201500-b2aa'
const SERVERS = ['https://demo.dataverse.org', 'https://dataverse.example.edu'] as const
const ALL_PAGES = [
  '/',
  '/batches',
  `/batches/${BIG}`,
  `/batches/${BIG}/items`,
  '/new',
  '/mirrors',
  '/schedules',
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
    await buildPages(join(process.env['TEST_PROGRAMS'] ?? '', 'src/dashboard/dashboard-pages'))
    dataverse = await startDataverse({ world: demoWorld() })
    ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
    await stage()
    await mkdir(join(folder, 'new'))
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
    const now = new Date().toISOString()
    await new ScheduleFolder(at('state')).write({
      v: 1,
      name: 'nightly',
      cron: '0 3 * * *',
      tz: 'Europe/Berlin',
      jitterMs: 0,
      command: ['mirror', 'run', 'climate', '--to', '/srv/climate'],
      cwd: folder,
      createdAt: now,
      since: now,
    })
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
    await move()
    moving = setInterval(() => void move().catch(() => undefined), 1_000)
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
        for (const path of ALL_PAGES) {
          await show(page, path)
          const { violations } = await audit(page)
          const told = violations.map(
            ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
          )
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

  it('everything can be reached and done with the keyboard', async () => {
    const { page } = await open()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
    for (let i = 0; i < 3; i++) await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Batches')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Batches' }).waitFor()
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
    await page.context().close()
  })

  it('a batch is paused, continued and cancelled from its page', async () => {
    const { page, problems } = await open(`/batches/${PAUSED}`)
    const tag = page.locator('.title .tag')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('status').getByText('It goes on').waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('paused')
    await expect.poll(() => tag.textContent()).toBe('paused')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click()
    expect((await ledger.get(PAUSED))?.state).toBe('paused')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('cancelled')
    await page.getByRole('button', { name: 'Continue' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('open')
    await page.getByRole('button', { name: 'Pause' }).click()
    await expect.poll(async () => (await ledger.get(PAUSED))?.state).toBe('paused')
    expect(problems).toEqual([])
    await page.context().close()
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

  it('a schedule is paused and continued from its card', async () => {
    const { page } = await open('/schedules')
    const schedules = new ScheduleFolder(join(folder, 'state'))
    const card = page.getByRole('region', { name: 'nightly' })
    await card.getByRole('button', { name: 'Pause' }).click()
    await card.getByText('nothing is started any more').waitFor()
    expect((await schedules.read('nightly'))?.pausedAt).toBeDefined()
    await card.getByRole('button', { name: 'Continue' }).click()
    await card.getByText('at its times again').waitFor()
    expect((await schedules.read('nightly'))?.pausedAt).toBeUndefined()
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
    const download = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download failures.csv' }).click()
    expect((await download).suggestedFilename()).toBe(`${BIG}-failures.csv`)
    await page
      .getByRole('article')
      .filter({ hasText: 'CHECKSUM_MISMATCH' })
      .getByRole('button', { name: 'Retry these' })
      .click()
    // Redis alone knows these failures: nothing at the destination says so.
    await page.getByRole('status').getByText('nothing to try again').waitFor()
    expect(problems).toEqual([])
    await page.context().close()
  })

  it('a new batch is planned, looked at and started', async () => {
    const { page, problems } = await open('/new')
    await page.getByLabel('What to fetch').fill('doi:10.5072/FK2/NONE')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByText('cannot be planned').waitFor()
    await page.getByLabel('What to fetch').fill('doi:10.5072/FK2/CLIMATE')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('button', { name: /^Fetch \d+ files$/ }).click()
    await page.getByRole('heading', { level: 1, name: /-/ }).waitFor()
    const id = decodeURIComponent(page.url().split('/').at(-1) ?? '')
    expect(await ledger.get(id)).toMatchObject({ state: 'open', attached: false, planComplete: true })
    expect(problems).toEqual([])
    await ledger.forget(id)
    await page.context().close()
  })

  it('who may only look is offered nothing else, and who is signed out sees nothing', async () => {
    const { page } = await open(`/batches/${BIG}`, {}, 'viewer')
    await page.getByText('SOURCE_DENIED').waitFor()
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

  it.runIf(process.env['SCREENSHOTS'])('pictures for the documentation', async () => {
    await mkdir(SHOTS, { recursive: true })
    const shots = [
      { name: 'overview', path: '/', height: 1_460 },
      { name: 'overview-dark', path: '/', height: 860, dark: true },
      { name: 'batch', path: `/batches/${BIG}`, height: 900 },
      { name: 'servers', path: '/servers', height: 520 },
    ]
    for (const { name, path, height, dark } of shots) {
      const { page } = await open(path, { viewport: { width: 1_100, height }, colorScheme: dark ? 'dark' : 'light' })
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

interface Audit {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
}

/** Runs axe-core in the page: through the debugger, as no page may load what is not its own. */
async function audit(page: Page): Promise<Audit> {
  await page.evaluate(axe.source)
  return page.evaluate<Audit>("axe.run(document, { resultTypes: ['violations'] })")
}
