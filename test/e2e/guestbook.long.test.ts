import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { guestbookFiles, guestbookRecords } from '../guestbook-records.ts'
import { makeHome, records, type Ended, type Home } from './cli.ts'
import { filesBelow, redisValues } from './everything-kept.ts'

/** Words of an answer that are easy to find wherever they must not be. */
const CANARY = 'Ada-Canary-7f3a'
const MAIL = 'canary-7f3a@example.org'
const PURPOSE = 'purpose-canary-7f3a'

const BOOK = {
  id: 7,
  name: 'Use',
  nameRequired: true,
  emailRequired: true,
  customQuestions: [
    { id: 31, question: 'What for?', required: true, options: ['Teaching', 'Research'] },
    { id: 32, question: 'Tell us more', type: 'textarea' as const },
  ],
}
const ANSWERS = `name: ${CANARY}
email: ${MAIL}
answers:
  what for?: Research
  Tell us more: [${PURPOSE}, and more]
`
const TABLE = { original: 'a,b\n1,x\n', header: ['a', 'b'], tab: '1\t"x"\n', originalName: 'table.csv' }
const ALL = 'doi:10.5072/FK2/ALL'
const SOME = 'doi:10.5072/FK2/SOME'
const FREE = 'doi:10.5072/FK2/FREE'
const LARGE = 'doi:10.5072/FK2/LARGE'
const OLD = 'doi:10.5072/FK2/OLD'
const LARGE_SIZE = 6_000_000

function world(): World {
  const made = new World()
  const small = (id: number) => ({ id, label: `${id}.txt`, content: `content of ${id}` })
  made.dataset(ALL, {
    id: 1,
    guestbook: BOOK,
    files: [
      ...[101, 102, 103].map(small),
      { ...small(104), store: 's3-redirect' },
      { id: 105, label: 'table.tab', tabular: TABLE },
    ],
  })
  made.dataset(SOME, { id: 2, guestbook: { ...BOOK, id: 8 }, files: [201, 202].map(small) })
  made.dataset(FREE, { id: 3, files: [301, 302].map(small) })
  made.dataset(LARGE, {
    id: 4,
    guestbook: BOOK,
    files: [{ id: 401, label: 'large.bin', content: { size: LARGE_SIZE, seed: 4 } }],
  })
  made.dataset(OLD, {
    id: 5,
    guestbook: BOOK,
    files: [{ id: 501, label: 'old.bin', content: { size: LARGE_SIZE, seed: 5 } }],
  })
  return made
}

let now = Date.now()
let dataverse: StandIn
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-answers-'))
  await writeFile(join(folder, 'answers.yaml'), ANSWERS)
  dataverse = await startDataverse({ world: world(), clock: () => (now += 1) })
})
afterAll(async () => {
  await dataverse.close()
  await rm(folder, { recursive: true })
})

async function withHome(
  work: (home: Home, dataferry: (...args: readonly string[]) => Promise<Ended>) => Promise<void>,
) {
  await using home = await makeHome()
  const servers = ['--server', dataverse.url, '--to', home.data]
  await work(home, (...args) => home.run([...args, ...servers]))
}

const answers = () => ['--guestbook', join(folder, 'answers.yaml')]
const recordsOf = (dataset: number) => guestbookRecords(dataverse, dataset)
const filesOf = (dataset: number) => guestbookFiles(dataverse, dataset)

test('files and archives behind a guestbook come with one record for each file, and the answer is kept nowhere', () =>
  withHome(async (home, dataferry) => {
    const manifest = join(home.folder, 'manifest.csv')
    await writeFile(
      manifest,
      `kind,id,path
dataset,${ALL},files/
dataset,${FREE},free/
zip,101;102,two.zip
dataset-zip,${ALL},all.zip
bundle,105,forms.zip
`,
    )
    const seen: string[] = []
    const log = join(home.folder, 'log.txt')
    const running = dataferry('run', manifest, ...answers(), '--json', '--log-file', log, '--log-level', 'debug')
    const look = setInterval(
      () =>
        void redisValues(home)
          .then((values) => seen.push(...values))
          .catch(() => undefined),
      100,
    )
    const { code, stdout, stderr } = await running
    clearInterval(look)
    expect(seen.length).toBeGreaterThan(0)
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) as string })
    expect(filesOf(1)).toEqual([101, 101, 101, 102, 102, 102, 103, 103, 104, 104, 105, 105, 105])
    const said = {
      name: CANARY,
      email: MAIL,
      answers: [
        { id: 31, value: 'Research' },
        { id: 32, value: [PURPOSE, 'and more'] },
      ],
    }
    for (const { response } of recordsOf(1)) expect(response).toEqual(said)
    const items = records(stdout).filter(({ event }) => event === 'item')
    const [guarded, free] = [items.filter(({ guestbook }) => guestbook), items.filter(({ guestbook }) => !guestbook)]
    expect(guarded.map(({ path }) => path).sort()).toHaveLength(8)
    for (const { guestbook } of guarded) {
      expect(guestbook).toEqual({ id: 7, answeredAt: expect.stringMatching(/^\d{4}-.*Z$/) as string })
    }
    expect(free.map(({ path }) => path).sort()).toEqual(['free/301.txt', 'free/302.txt'])
    seen.push(stdout, stderr, ...(await filesBelow(home.folder)))
    expect(seen.join('\n')).toContain('answeredAt')
    expect(seen.filter((text) => [CANARY, MAIL, PURPOSE].some((word) => text.includes(word)))).toEqual([])
  }))

test('workers answer from a setting of their own', () =>
  withHome(async (home, dataferry) => {
    const before = filesOf(2).length
    const enqueued = await dataferry('enqueue', SOME, ...answers())
    expect(enqueued.code).toBe(0)
    expect(enqueued.stdout).toMatch(/dataferry work .*--guestbook /)
    const env = { DATAFERRY_GUESTBOOK: join(folder, 'answers.yaml') }
    const { code } = await home.run(['work', '--until-done', '--processes', '2', '--server', dataverse.url], env)
    expect(code).toBe(0)
    expect(filesOf(2)).toHaveLength(before + 2)
  }))

/** Runs a batch of one large file, kills it in the middle, and runs it again. @returns the second run */
async function killedAndContinued(home: Home, pid: string, file: number, between: () => void): Promise<Ended> {
  const args = ['run', pid, ...answers(), '--server', dataverse.url, '--to', home.data, '--json']
  dataverse.set({ bytesPerSecond: 2_000_000 })
  const { child, ended } = home.start(args)
  await vi.waitUntil(() => dataverse.records.file(file).bytes > 2_500_000, { timeout: 60_000 })
  child.kill('SIGKILL')
  await ended
  between()
  dataverse.set({ bytesPerSecond: 0 })
  return home.run(args)
}

test('a run that is killed goes on with its answer while the server lets it count', () =>
  withHome(async (home) => {
    const { code, stdout } = await killedAndContinued(home, LARGE, 401, () => undefined)
    expect(code).toBe(0)
    const [item] = records(stdout).filter(({ event }) => event === 'item')
    expect(item).toMatchObject({ verified: 'checksum', guestbook: { id: 7 } })
    expect(filesOf(4)).toEqual([401])
    expect(dataverse.records.file(401).counted).toBe(1)
  }))

test('after a minute the server wants another answer, and gets it', () =>
  withHome(async (home) => {
    const { code } = await killedAndContinued(home, OLD, 501, () => (now += 61_000))
    expect(code).toBe(0)
    expect(filesOf(5)).toEqual([501, 501])
  }))
