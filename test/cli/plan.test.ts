import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { World } from '../fakes/dataverse/world.ts'
import { runInProcess, type Ended } from './in-process.ts'
import { useStandIn } from './use-stand-in.ts'

const TABLE = { original: 'a,b\n1,x\n', header: ['a', 'b'], tab: '1\t"x"\n', originalName: 'table.dta' }
const ONE = 'doi:10.5072/FK2/ONE'
const TWO = 'doi:10.5072/FK2/TWO'

function world(): World {
  const made = new World()
  made.dataset(ONE, {
    files: [
      { id: 10, label: 'hello.txt', directory: 'raw', content: 'Hello, Dataverse!' },
      { id: 11, label: 'table.tab', tabular: TABLE },
    ],
  })
  made.dataset(TWO, { files: [{ id: 12, label: 'held.bin', content: 'held', restricted: true }] })
  return made
}

const here = useStandIn({ world: world() })

let folders = 0
function plan(...args: readonly string[]): Promise<Ended> {
  const to = join(here.cwd, `to-${++folders}`)
  return runInProcess(['plan', ...args, '--to', to], { cwd: here.cwd, env: { DATAVERSE_SERVER: here.dataverse.url } })
}

async function manifest(name: string, text: string): Promise<string> {
  const path = join(here.cwd, name)
  await writeFile(path, text)
  return path
}

it('several manifests are read one after the other, and a bad line is named with its file', async () => {
  const table = await manifest('a.csv', 'id,path\n10,one.txt')
  const list = await manifest('b.txt', `# ids\n${ONE}\n`)
  const good = await plan(table, list, '11', '10', '--json')
  expect(good.stderr).toBe('')
  expect(good.record()).toMatchObject({ event: 'plan', items: 3, duplicates: 2, complete: true })
  const bad = await manifest('c.txt', '10\nnonsense\n')
  const refused = await plan(table, bad)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain(`${bad}:2: "nonsense" is not a file id, PID or URL`)
})

it('a line that the listing contradicts is named with its manifest, before anything is fetched', async () => {
  const first = await manifest('first.csv', 'id\n10\n')
  const second = await manifest('second.csv', `id,md5\n10,${'0'.repeat(32)}\n11,\n`)
  const { code, stdout } = await plan(first, second)
  expect(code).toBe(1)
  expect(stdout).toContain(
    `${second} line 2: MANIFEST_MISMATCH: ${second}:2 says md5 ${'0'.repeat(32)}, but the server`,
  )
  expect(stdout).toMatch(/ 1 {2}cannot be planned/)
})

it('a table that a row calls .tab comes under the name of its original', async () => {
  const rows = await manifest('tab.csv', 'id,path\n11,x.tab\n')
  const { record, stdout } = await plan(rows, '--json')
  expect(stdout).toContain('"renamed":1')
  expect(record()).toMatchObject({ items: 1, renamed: 1, problems: 0 })
})

it('a misspelt column is refused, and ignored on demand', async () => {
  const rows = await manifest('odd.csv', 'id,Versoin\n10,1.0\n')
  const refused = await plan(rows)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('odd.csv:1: there is no column "Versoin": did you mean version?')
  const ignored = await plan(rows, '--ignore-columns')
  expect(ignored.code).toBe(0)
  expect(ignored.stderr).toContain('odd.csv: columns not used: "Versoin"')
})

it('filters are part of what makes a batch, counted in the plan, and refused when they make no sense', async () => {
  const to = ['--to', join(here.cwd, 'filtered')]
  const env = { DATAVERSE_SERVER: here.dataverse.url }
  const run = (...args: readonly string[]): Promise<Ended> =>
    runInProcess(['plan', ONE, ...to, ...args], { cwd: here.cwd, env })
  const batch = ({ record }: Ended): unknown => (record() as { batch: string }).batch
  const some = await run('--include', '*.txt', '--include', '*.dta', '--exclude', 'raw/', '--json')
  expect(some.record()).toMatchObject({ items: 1, filtered: 1 })
  const same = await run('--exclude', 'raw/', '--include', '*.dta', '--include', '*.txt', '--json')
  expect(batch(same)).toBe(batch(some))
  const other = await run('--max-size', '10', '--content-type', 'text/*', '--json')
  expect(other.record()).toMatchObject({ items: 1, filtered: 1 })
  expect(batch(other)).not.toBe(batch(some))
  expect((await run('--min-size', '1K')).stdout).toMatch(/ 2 {2}left out by filters/)
  expect((await run('--min-size', '2M', '--max-size', '1M')).stderr).toContain('--min-size 2097152 is more than')
  expect((await run('--min-size', 'big')).stderr).toContain('--min-size: expected a number of bytes')
  expect((await run('--include', '')).stderr).toContain('--include: expected a pattern such as *.csv')
})

it('what is neither a file nor a reference is refused by name', async () => {
  const { code, stderr } = await plan('10', 'no-such-file')
  expect(code).toBe(2)
  expect(stderr).toContain('no-such-file is neither a file nor an id, PID or URL: check the spelling')
})

it('--list names every file with what would happen to it, sums that up, and ends with the command that does it', async () => {
  const to = join(here.cwd, 'listed')
  const table = await manifest('list.csv', `id,path\n10,there.txt\n10,same-size.txt\n12,held.txt\n11,t.tab\n99,gone\n`)
  await mkdir(to, { recursive: true })
  await writeFile(join(to, 'there.txt'), 'Hello, Dataverse!')
  await writeFile(join(to, 'same-size.txt'), 'Hello, dataverse!')
  const args = ['plan', table, '--list', '--exclude', 'no such*', '--to', to, '--server', here.dataverse.url]
  const { code, stdout } = await runInProcess(args, { cwd: here.cwd, env: {} })
  expect(code).toBe(1)
  const lines = stdout.split('\n')
  expect(lines.slice(0, 5).map((line) => line.replaceAll(/ {2,}/g, '|'))).toEqual([
    expect.stringMatching(/^already there\|17 B\|md5:[0-9a-f]{32}\|there\.txt$/),
    expect.stringMatching(/^in the way\|17 B\|md5:[0-9a-f]{32}\|same-size\.txt$/),
    expect.stringMatching(/^withheld\|4 B\|md5:[0-9a-f]{32}\|held\.txt$/),
    expect.stringMatching(/^fetch\|8 B\|md5:[0-9a-f]{32}\|t\.dta$/),
    expect.stringMatching(/^cannot be planned\|\?\|-\|gone$/),
  ])
  expect(stdout).toMatch(/ 1 {2}fetch \(8 B\)\n +1 {2}withheld \(4 B\)\n +1 {2}already there \(17 B\)/)
  expect(lines.slice(-3)).toEqual([
    'To fetch them:',
    `  dataferry run ${table} --exclude 'no such*' --server ${here.dataverse.url} --to ${to}`,
    '',
  ])
})

it('--list --json has a record for each file, one for the totals and one for the plan', async () => {
  const to = join(here.cwd, 'listed-json')
  const { code, stdout } = await runInProcess(['plan', ONE, TWO, '--list', '--json', '--to', to], {
    cwd: here.cwd,
    env: { DATAVERSE_SERVER: here.dataverse.url },
  })
  expect(code).toBe(0)
  const records = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as object]))
  expect(records).toMatchObject([
    { event: 'file', path: 'doi-10.5072-FK2-ONE/raw/hello.txt', size: 17, outlook: 'fetch' },
    { event: 'file', path: 'doi-10.5072-FK2-ONE/table.dta', size: 8, outlook: 'fetch' },
    { event: 'file', outlook: 'withheld', withheld: 'restricted' },
    { event: 'totals', fetch: { files: 2, bytes: 25 }, withheld: { files: 1, bytes: 4 }, 'in the way': { files: 0 } },
    { event: 'plan', items: 3 },
  ])
})
