import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { records } from './cli.ts'
import { aheadBy, decide, requestsMade } from './curator.ts'
import { until } from './service.ts'
import { useDataverse, useHome } from './use-home.ts'

const PID = 'doi:10.5072/FK2/LATER'
const DAY_MS = 86_400_000
const day = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10)
const EMBARGO = day(10)
const RETENTION = day(-3)

const home = useHome()
const dataverse = useDataverse({
  tokens: { jane: { user: '@jane' }, curator: { user: '@curator', curates: 'all' } },
  world: {
    datasets: [
      {
        pid: PID,
        files: [
          { id: 10, label: 'open.txt', content: 'open' },
          { id: 11, label: 'restricted.txt', content: 'restricted', restricted: true },
          { id: 12, label: 'embargoed.txt', content: 'embargoed', embargo: { dateAvailable: EMBARGO } },
          { id: 13, label: 'over.txt', content: 'over', retention: { dateUnavailable: RETENTION } },
        ],
      },
      {
        pid: 'doi:10.5072/FK2/SOON',
        files: [{ id: 20, label: 'soon.txt', content: 'soon', embargo: { dateAvailable: EMBARGO } }],
      },
    ],
  },
})

const TOKEN = { DATAVERSE_API_TOKEN: 'jane', DATAFERRY_ACCESS_LOOK: '300ms' }

test('access is requested once, waited for, and used by the same command; what cannot come fails with its day', async () => {
  const args = ['run', PID, '--server', dataverse.url, '--to', home.data, '--request-access', '--yes']
  const first = await home.run(args, TOKEN)
  expect(first.stderr).not.toContain('dataferry:')
  expect(first.code).toBe(1)
  expect(first.stdout).toContain('1 waits for access, which was requested')
  const [id = ''] = /\S+$/.exec(first.stdout.trim())?.[0]?.split('/').slice(-1) ?? []
  const record = (name: string): Promise<string> => readFile(join(home.data, '.dataferry', id, name), 'utf8')
  expect(await record('waiting.csv')).toMatch(/restricted\.txt.*WAITING_ACCESS/)
  expect(await record('failures.csv')).toMatch(new RegExp(`SOURCE_EMBARGOED.*${EMBARGO}`))
  expect(await record('failures.csv')).toMatch(new RegExp(`SOURCE_RETENTION_OVER.*${RETENTION}`))
  const status = await home.run(['status', '--json'])
  expect(records(status.stdout).find(({ event }) => event === 'batch')).toMatchObject({
    ...{ state: 'parked', waiting: 1, failed: 2, done: 1, open: 0 },
  })
  expect((await home.run(['status'])).stdout).toContain('1 file waits for access')

  // Nothing has changed: it ends in the same way, and nothing is requested again.
  expect((await home.run([...args, '--json'], TOKEN)).code).toBe(1)
  await decide(dataverse, 'grant', 11)
  const last = await home.run([...args, '--json'], TOKEN)
  expect(last.code).toBe(1)
  expect(records(last.stdout).find(({ event }) => event === 'summary')).toMatchObject({
    ...{ batch: id, done: 2, waiting: 0, failed: 2, missing: 0 },
    failures: { SOURCE_EMBARGOED: 1, SOURCE_RETENTION_OVER: 1 },
  })
  expect(await readFile(join(home.data, 'doi-10.5072-FK2-LATER', 'restricted.txt'), 'utf8')).toBe('restricted')
  expect(await requestsMade(dataverse)).toEqual(new Map([[11, 1]]))
})

test('a command that may wait for an embargo stays for it, and fetches the file on its day', async () => {
  const to = join(home.folder, 'soon')
  const args = ['run', 'doi:10.5072/FK2/SOON', '--server', dataverse.url, '--to', to, '--wait-for', 'embargo', '--json']
  const { child, ended } = home.start(args)
  let out = ''
  child.stdout?.on('data', (text: string) => (out += text))
  await until('it waits', () => Promise.resolve(out.includes('"waiting":1')))
  child.kill('SIGINT')
  expect((await ended).code).toBe(130)
  await dataverse.set({ clockAheadMs: 11 * DAY_MS })
  const later = await home.run(args, aheadBy(11 * DAY_MS))
  expect(later.code).toBe(0)
  expect(await readFile(join(to, 'doi-10.5072-FK2-SOON', 'soon.txt'), 'utf8')).toBe('soon')
})

test('without a token nothing can be requested, which is said before anything is fetched', async () => {
  const args = ['run', PID, '--server', dataverse.url, '--to', join(home.folder, 'none'), '--request-access', '--yes']
  const { code, stderr } = await home.run(args)
  expect(code).toBe(2)
  expect(stderr).toContain('DATAVERSE_API_TOKEN')
})
