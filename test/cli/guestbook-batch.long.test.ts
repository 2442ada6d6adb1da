import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { records } from '../e2e/cli.ts'
import { filesBelow } from '../e2e/everything-kept.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { guestbookFiles, guestbookRecords } from '../guestbook-records.ts'
import { useRedis } from '../redis.ts'
import { runInProcess, type Ended } from './in-process.ts'

const BOOK = {
  id: 8,
  name: 'Use',
  nameRequired: true,
  emailRequired: true,
  customQuestions: [{ id: 31, question: 'What for?', required: true, options: ['Teaching', 'Research'] }],
}
const ANSWERS = 'name: Ada-Canary\nemail: ada@example.org\nanswers:\n  what for?: Research\n'
const SOME = 'doi:10.5072/FK2/SOME'
const FREE = 'doi:10.5072/FK2/FREE'
const SMALL = 'doi:10.5072/FK2/SMALL'
const MIRRORED = 'doi:10.5072/FK2/MIRRORED'
const TERMS = 'doi:10.5072/FK2/TERMS'
const CLOSED = 'doi:10.5072/FK2/CLOSED'
const CLOSED_FILES = Array.from({ length: 12 }, (_, i) => 901 + i)

function world(): World {
  const made = new World()
  const small = (id: number) => ({ id, label: `${id}.txt`, content: `content of ${id}` })
  made.dataset(SOME, { id: 2, guestbook: BOOK, files: [201, 202].map(small) })
  made.dataset(FREE, { id: 3, files: [301, 302].map(small) })
  made.dataset(SMALL, { id: 6, guestbook: BOOK, files: Array.from({ length: 40 }, (_, i) => small(600 + i)) })
  made.dataset(MIRRORED, { id: 7, guestbook: BOOK, files: [701, 702].map(small) })
  made.dataset(TERMS, { id: 8, terms: { termsOfUse: 'Only for good.', disclaimer: 'As it is.' }, files: [small(801)] })
  made.dataset(CLOSED, {
    id: 9,
    guestbook: BOOK,
    guestbookAtRequest: true,
    files: CLOSED_FILES.map((id) => ({ ...small(id), restricted: true })),
  })
  return made
}

const redis = useRedis()
let dataverse: StandIn
let folder = ''
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'df-guestbooks-')))
  await writeFile(join(folder, 'answers.yaml'), ANSWERS)
  dataverse = await startDataverse({
    world: world(),
    tokens: {
      editor: { user: '@ed', curates: [SOME] },
      jane: { user: '@jane' },
      owner: { user: '@owner', curates: 'all' },
    },
  })
})
afterAll(async () => {
  await dataverse.close()
  await rm(folder, { recursive: true })
})

interface Home {
  readonly folder: string
  readonly data: string
}

/** Runs commands with a destination and a Redis of their own. */
async function withHome(
  work: (home: Home, dataferry: (...args: readonly string[]) => Promise<Ended>, token?: string) => Promise<void>,
  token?: string,
): Promise<void> {
  const home = await mkdtemp(join(folder, 'home-'))
  const data = join(home, 'data')
  const env = {
    REDIS_URL: redis.url,
    DATAFERRY_PREFIX: redis.prefix.replace('}', `-${home.slice(-6)}}`),
    DATAFERRY_RETRY_WAIT: '10ms',
    ...(token !== undefined && { DATAVERSE_API_TOKEN: token }),
  }
  const servers = ['--server', dataverse.url, '--to', data]
  await work({ folder: home, data }, (...args) => runInProcess([...args, ...servers], { cwd: home, env }))
}

const answers = () => ['--guestbook', join(folder, 'answers.yaml')]
const recordsOf = (dataset: number) => guestbookRecords(dataverse, dataset)
const filesOf = (dataset: number) => guestbookFiles(dataverse, dataset)

test('small files behind a guestbook travel in bundles, with one record each', () =>
  withHome(async (_, dataferry) => {
    const { code, stdout } = await dataferry('run', SMALL, ...answers(), '--bundle', 'auto', '--json')
    expect(code).toBe(0)
    expect(new Set(filesOf(6)).size).toBe(40)
    expect(filesOf(6)).toHaveLength(40)
    const items = records(stdout).filter(({ event }) => event === 'item')
    expect(items.filter(({ guestbook }) => guestbook)).toHaveLength(40)
    expect(dataverse.requests.filter(({ url }) => /datafiles\/600,/.test(url)).length).toBeGreaterThan(0)
  }))

test('answers that do not fit end a run before anything is fetched, with a table; completed, the same command goes on', () =>
  withHome(async (home, dataferry) => {
    const wrong = join(folder, 'wrong.yaml')
    const args = ['run', SOME, FREE, '--guestbook', wrong]
    await writeFile(wrong, 'email: ada\nanswers:\n  What for?: Fun\n')
    const before = dataverse.requests.length
    const { code, stdout, stderr } = await dataferry(...args)
    expect(code).toBe(2)
    expect(stdout).toMatch(/^DATASET +GUESTBOOK +ENTRY +PROBLEM$/m)
    expect(stdout).toMatch(/^doi:10\.5072\/FK2\/SOME +8 \(Use\) +name +is required$/m)
    expect(stdout).toMatch(/^ +email +is not an e-mail address$/m)
    expect(stdout).toMatch(/^ +What for\? +must be one of: Teaching \| Research$/m)
    expect(stderr).toContain(
      'does not answer a guestbook of this batch, as the table shows. Nothing is fetched until it does.',
    )
    expect(stderr).toContain(`dataferry guestbook show ${SOME} --server ${dataverse.url}\n`)
    const json = records((await dataferry(...args, '--json')).stdout)
    expect(json).toContainEqual({
      event: 'unanswered-guestbook',
      server: dataverse.url,
      id: 8,
      name: 'Use',
      dataset: SOME,
      lacks: [
        { entry: 'name', problem: 'is required' },
        { entry: 'email', problem: 'is not an e-mail address' },
        { entry: 'What for?', id: 31, problem: 'must be one of: Teaching | Research' },
      ],
    })
    expect((await dataferry('plan', ...args.slice(1))).code).toBe(2)
    const fetched = dataverse.requests
      .slice(before)
      .filter(({ url, status }) => url.includes('/access/') && status < 300)
    expect(fetched).toEqual([])
    expect(recordsOf(2)).toEqual([])
    await writeFile(wrong, ANSWERS)
    expect((await dataferry(...args)).code).toBe(0)
    expect(filesOf(2)).toEqual([201, 202])
    const kept = await readdir(join(home.data, '.dataferry'), { recursive: true })
    expect(kept.filter((name) => name.endsWith('batch.json'))).toHaveLength(1)
  }))

test('without answers the files behind a guestbook fail, the others come, and retry takes answers', () =>
  withHome(async (_, dataferry) => {
    const before = filesOf(2).length
    const { code, stdout, stderr } = await dataferry('run', SOME, FREE)
    expect(code).toBe(1)
    expect(stdout).toContain('2 of 4 files are there')
    expect(stdout).toContain('SOURCE_GUESTBOOK')
    expect(stderr).toContain('A guestbook must be answered before the files behind can be fetched')
    expect(stderr).toContain(`dataferry guestbook show ${SOME}`)
    expect(filesOf(2)).toHaveLength(before)
    expect((await dataferry('retry', ...answers())).code).toBe(0)
    expect(filesOf(2)).toHaveLength(before + 2)
  }))

test('a mirror takes answers when it is run, and asks again for what stood behind a guestbook', () =>
  withHome(async (home, dataferry) => {
    const list = join(home.folder, 'list.txt')
    await writeFile(list, MIRRORED)
    expect((await dataferry('mirror', 'create', 'm', '--datasets', list, ...answers())).code).toBe(0)
    expect((await dataferry('mirror', 'run', 'm')).code).toBe(1)
    expect(recordsOf(7)).toEqual([])
    const { code, stderr } = await dataferry('mirror', 'run', 'm', ...answers())
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(filesOf(7)).toEqual([701, 702])
    expect((await dataferry('mirror', 'run', 'm', ...answers())).code).toBe(0)
    expect(filesOf(7)).toEqual([701, 702])
    const kept = (await filesBelow(home.data)).filter(
      (text) => text.includes('Ada-Canary') || text.includes('answers.yaml'),
    )
    expect(kept).toEqual([])
  }))

test('terms of use hold up nothing; accepted, their text is kept with the receipts', () =>
  withHome(async (home, dataferry) => {
    const first = await dataferry('run', TERMS)
    expect(first.code).toBe(0)
    expect(first.stderr).toContain(`${TERMS} has terms of use of their own. --accept-terms keeps their text`)
    const { code, stderr } = await dataferry('run', TERMS, '--new', '--accept-terms')
    expect(code).toBe(0)
    expect(stderr).toContain('The terms of use of 1 dataset are kept with the receipts.')
    const root = join(home.data, '.dataferry')
    const kept = (await readdir(root, { recursive: true })).filter((name) => name.includes('/terms/'))
    expect(kept).toEqual([
      expect.stringMatching(/^(?:manifest|command-line)[^/]*\/terms\/doi-10\.5072-FK2-TERMS_1\.0\.json$/) as string,
    ])
    expect(JSON.parse(await readFile(join(root, kept[0] ?? ''), 'utf8'))).toMatchObject({
      dataset: TERMS,
      version: '1.0',
      terms: { termsOfUse: 'Only for good.', disclaimer: 'As it is.' },
    })
  }))

test('those who may edit a dataset need no answers', () =>
  withHome(async (_, dataferry) => {
    const before = filesOf(2).length
    const wrong = join(folder, 'nobody.yaml')
    await writeFile(wrong, 'position: Editor\n')
    const { code, stderr } = await dataferry('run', SOME, '--guestbook', wrong)
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(filesOf(2)).toHaveLength(before)
  }, 'editor'))

test('a guestbook that is asked with a request for access is checked at planning, and answered once with each request', () =>
  withHome(async (_, dataferry) => {
    const args = ['run', CLOSED, '--request-access', '--yes']
    const wrong = join(folder, 'at-request.yaml')
    await writeFile(wrong, 'position: Reader\n')
    const refused = await dataferry(...args, '--guestbook', wrong)
    expect(refused.code).toBe(2)
    expect(refused.stdout).toMatch(/What for\? +is required: Teaching \| Research/)
    expect(recordsOf(9)).toEqual([])
    const asked = (): number => dataverse.requests.filter(({ url }) => url.includes('/guestbooks/')).length
    const before = asked()
    const { code, stderr } = await dataferry(...args, ...answers(), '--jobs', '1')
    expect({ code, stderr }).toMatchObject({ code: 1 })
    const requested = [...recordsOf(9)].sort((a, b) => a.file - b.file)
    expect(requested).toMatchObject(CLOSED_FILES.map((file) => ({ event: 'AccessRequest', user: '@jane', file })))
    // Once at planning, and once for each of the files that were begun with at the same time.
    expect(asked() - before).toBeLessThanOrEqual(1 + 4)
    for (const file of CLOSED_FILES) {
      const granted = await fetch(`${dataverse.url}/api/access/datafile/${file}/grantAccess/@jane`, {
        method: 'PUT',
        headers: { 'X-Dataverse-key': 'owner' },
      })
      expect(granted.status).toBe(200)
    }
    expect((await dataferry(...args, ...answers())).code).toBe(0)
    expect(recordsOf(9)).toHaveLength(CLOSED_FILES.length)
  }, 'jane'))
