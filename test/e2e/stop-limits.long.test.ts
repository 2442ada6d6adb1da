import { expect, test } from 'vitest'
import { records } from './cli.ts'
import { until } from './service.ts'
import { useDataverse, useHome } from './use-home.ts'

const MIB = 1 << 20
const LARGE = 24 * MIB

const home = useHome()
const dataverse = useDataverse({
  world: {
    collections: [{ alias: 'climate' }],
    datasets: [
      {
        pid: 'doi:10.5072/FK2/A',
        collection: 'climate',
        files: [{ id: 1, label: 'a.bin', content: { size: LARGE, seed: 1 } }],
      },
      { pid: 'doi:10.5072/FK2/B', files: [{ id: 2, label: 'b.bin', content: { size: LARGE, seed: 2 } }] },
      { pid: 'doi:10.5072/FK2/C', files: [{ id: 3, label: 'c.bin', content: { size: LARGE, seed: 3 } }] },
    ],
  },
  bytesPerSecond: 8 * MIB,
})

/** What the server has sent of each file so far. */
const sent = () => Promise.all([1, 2, 3].map(async (file) => (await dataverse.counters(file)).bytes))

const at = (name: string) => ['--server', dataverse.url, '--to', `${home.data}/${name}`]

test('run parks at the byte when its transfer is used up, ends with 10, and the same command continues', async () => {
  const args = ['run', '1', ...at('a')]
  const first = await home.run([...args, '--max-transfer', '6M'])
  const [once = 0] = await sent()
  expect(first.stderr).toContain('Stopping (--max-transfer: ')
  expect(first.stderr).toContain('Parked. The same command continues where it stopped')
  expect(first.code).toBe(10)
  // What is on its way when the limit is met still arrives: far less than the file.
  expect(once).toBeGreaterThan(0)
  expect(once).toBeLessThan(LARGE)
  const status = records((await home.run(['status', '--json'])).stdout)
  const kept = status.find(({ event, state }) => event === 'batch' && state === 'parked')?.['openBytes']
  const second = await home.run([...args, '--json'])
  expect(second.code).toBe(0)
  const from = Number(/"resumedFrom":([1-9]\d*)/.exec(second.stdout)?.[1])
  expect(from).toBeGreaterThan(0)
  // What status tells of a part is what is gone on with.
  expect(kept).toBe(from)
})

test('run parks when its time is over', async () => {
  const args = ['run', '2', ...at('b')]
  const first = await home.run([...args, '--max-duration', '1500ms'])
  expect(first.stderr).toContain('Stopping (--max-duration: ')
  expect(first.code).toBe(10)
  expect((await home.run(args)).code).toBe(0)
})

test('a shared run has the workers park as well, which count its bytes, and the same command continues', async () => {
  const worker = home.start(['work', '--server', dataverse.url, '--processes', '2'])
  const isThere = async (): Promise<boolean> =>
    records((await home.run(['status', '--json'])).stdout).some(({ event }) => event === 'worker')
  try {
    await until('a worker is there', isThere)
    const args = ['run', '3', '--share', ...at('c')]
    const first = await home.run([...args, '--max-transfer', '6M'])
    expect(first.stderr).not.toContain('No worker is running')
    expect(first.code).toBe(10)
    const status = await home.run(['status'])
    expect(status.stdout).toContain('by a stop limit of its command')
    const second = await home.run([...args, '--json'])
    expect(second.code).toBe(0)
    expect(second.stdout).toMatch(/"resumedFrom":[1-9]/)
  } finally {
    worker.child.kill('SIGTERM')
    expect((await worker.ended).code).toBe(0)
  }
})

test('work with several processes stops when all of them together have received so much', async () => {
  for (const file of ['1', '2', '3']) expect((await home.run(['enqueue', file, ...at(`d${file}`)])).code).toBe(0)
  const before = await sent()
  const args = ['work', '--server', dataverse.url, '--processes', '2', '--until-done']
  const first = await home.run([...args, '--max-transfer', '6M'])
  expect(first.stderr).toContain('Stopping (--max-transfer: ')
  expect(first.code).toBe(10)
  const received = (await sent()).map((bytes, n) => bytes - (before[n] ?? 0))
  expect(received.filter((bytes) => bytes > 0).length).toBeGreaterThan(1)
  expect(received.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(LARGE)
  expect((await home.run(args)).code).toBe(0)
})

test('a run of a mirror parks at the byte at either of its limits, and the same command continues', async () => {
  const create = ['mirror', 'create', 'm', '--collection', 'climate', ...at('mirror')]
  expect((await home.run(create)).code).toBe(0)
  const args = ['mirror', 'run', 'm', ...at('mirror')]
  for (const limit of [
    ['--max-transfer', '6M'],
    ['--max-duration', '2s'],
  ]) {
    const { code, stderr } = await home.run([...args, ...limit])
    expect(stderr).toContain(`Stopping (${limit[0] ?? ''}: `)
    expect(code).toBe(10)
  }
  const before = (await sent())[0] ?? 0
  expect((await home.run(args)).code).toBe(0)
  expect(((await sent())[0] ?? 0) - before).toBeLessThan(LARGE)
})

test('serve parks at the byte when its workers have received so much, and work when its time is over', async () => {
  expect((await home.run(['enqueue', '1', ...at('e')])).code).toBe(0)
  const before = (await sent())[0] ?? 0
  const serving = await home.run(['serve', '--server', dataverse.url, '--processes', '2', '--max-transfer', '6M'])
  expect(serving.stderr).toContain('Stopping (--max-transfer: ')
  expect(serving.code).toBe(10)
  const working = ['work', '--server', dataverse.url, '--processes', '1']
  const limited = await home.run([...working, '--max-duration', '1500ms'])
  expect(limited.stderr).toContain('Stopping (--max-duration: ')
  expect(limited.code).toBe(10)
  expect((await home.run([...working, '--until-done'])).code).toBe(0)
  // What is on its way when a limit is met is fetched again, and no more.
  expect(((await sent())[0] ?? 0) - before).toBeLessThan(1.5 * LARGE)
})
