import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import axe from 'axe-core'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { names } from '../../src/batch/folder.ts'
import { writeReport } from '../../src/batch/report.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { CHROMIUM, CHROMIUM_FLAGS, describeInBrowser } from '../dashboard/chromium.ts'
import { done, failed, itemAt, plannedBatch, recorded, waits } from './fixtures.ts'

const EVIL = `<img src=x onerror="document.title='owned'">"'&\u202e<script>document.title='owned'</script><style>*{display:none}</style>`

interface Audit {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[]
}

describeInBrowser('the page of a statement', () => {
  let folder: string
  let browser: Browser
  let page: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'df-statement-'))
    const sink = diskSink(folder)
    const { records } = sink
    const origin = { dataset: 'doi:10.5072/FK2/A', version: '1.0' }
    const items = [itemAt('a', { origin }), itemAt(EVIL, { origin: { dataset: EVIL } }), itemAt('w')]
    const { batch, plan } = await plannedBatch(records, items)
    const bad = { ...failed(1, 'SOURCE_DENIED', EVIL), message: EVIL }
    await recorded(records, [done(0, 'a', bytesOf(10)), bad, waits(2, 'w')])
    await writeReport(records, batch, plan, { isFinal: true })
    await sink.close()
    page = pathToFileURL(join(folder, '.dataferry', names.page(batch.id))).href
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args: CHROMIUM_FLAGS })
  })
  afterAll(async () => {
    await browser.close()
    await rm(folder, { recursive: true })
  })

  it.each(['light', 'dark'] as const)('is accessible, asks nobody, and runs nothing: %s', async (colorScheme) => {
    const context = await browser.newContext({ colorScheme, viewport: { width: 400, height: 800 } })
    const tab = await context.newPage()
    const said: string[] = []
    const asked: string[] = []
    tab.on('console', (message) => said.push(message.text()))
    tab.on('pageerror', (error) => said.push(error.message))
    tab.on('request', (request) => asked.push(request.url()))
    await tab.goto(page)
    await tab.evaluate(axe.source)
    const { violations } = await tab.evaluate<Audit>("axe.run(document, { resultTypes: ['violations'] })")
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
    expect(said).toEqual([])
    expect(asked).toEqual([page])
    expect(await tab.title()).toBe('Statement of batch b1')
    expect(await tab.locator('main').innerText()).toContain('<script>document.title')
    // Nothing is wider than a narrow window, or than paper.
    expect(await tab.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400)
    await tab.setViewportSize({ width: 1100, height: 800 })
    const broken = "[...document.querySelectorAll('td>code')].filter((one) => one.getClientRects().length > 1).length"
    expect(await tab.evaluate<number>(broken)).toBe(0)
    expect((await tab.pdf()).length).toBeGreaterThan(1000)
    await context.close()
  })
})
