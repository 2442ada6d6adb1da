import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { World } from '../fakes/dataverse/world.ts'
import { scriptedServer } from '../dataverse/scripted-server.ts'
import { runInProcess } from './in-process.ts'
import { useStandIn } from './use-stand-in.ts'

const DATASET = 'doi:10.5072/FK2/ONE'
const TABLE = { original: 'a,b\n1,x\n', header: ['a', 'b'], tab: '1\t"x"\n', originalName: 'table.csv' }
const TOKENS = {
  admin: { user: '@admin', superuser: true, curates: 'all' },
  jane: { user: '@jane' },
  joe: { user: '@joe' },
} as const

function world(): World {
  const made = new World()
  made.dataset(DATASET, {
    files: [
      { id: 10, label: 'hello.txt', content: 'Hello, Dataverse!', pid: `${DATASET}/HELLO` },
      { id: 11, label: 'table.tab', tabular: TABLE },
      { id: 12, label: 'secret.txt', content: 'secret', restricted: true },
      { id: 13, label: 'stored.bin', content: 'stored', store: 's3-redirect' },
    ],
  })
  made.dataset('doi:10.5072/FK2/BOOKED', {
    guestbook: { id: 7, nameRequired: true, emailRequired: true },
    files: [{ id: 31, label: 'booked.txt', content: 'booked' }],
  })
  made.dataset('doi:10.5072/FK2/MANY', {
    files: [
      { id: 40, label: 'a.txt', content: 'a', restricted: true },
      { id: 41, label: 'b.txt', content: 'b', restricted: true },
      { id: 42, label: 'open.txt', content: 'c' },
    ],
  })
  made.dataset('doi:10.5072/FK2/ATREQUEST', {
    guestbook: { id: 9, institutionRequired: true },
    guestbookAtRequest: true,
    files: [{ id: 50, label: 'asked.txt', content: 'x', restricted: true }],
  })
  return made
}

const here = useStandIn({ world: world(), tokens: TOKENS })

function run(args: readonly string[], token?: string, server: string = here.dataverse.url) {
  const env = {
    ...(server !== '' && { DATAVERSE_SERVER: server }),
    ...(token !== undefined && { DATAVERSE_API_TOKEN: token }),
  }
  return runInProcess(args, { cwd: here.cwd, env })
}

it('access is asked for, seen, granted, revoked and rejected', async () => {
  expect((await run(['access', 'list', '12'], 'admin')).stdout).toBe('Nobody has requested access to 12.\n')
  expect((await run(['access', 'request', '12'], 'jane')).stdout).toContain('requested')
  const table = await run(['access', 'list', '12'], 'admin')
  expect(table.stdout).toMatch(/^USER +STATE +NAME +E-MAIL\n@jane +created/)
  const listed = await run(['access', 'list', '12', '--json'], 'admin')
  expect(listed.record()).toMatchObject({ event: 'access-request', identifier: '@jane' })
  const may = await run(['access', 'permissions', '12', '--json'], 'jane')
  expect(may.record()).toMatchObject({ event: 'permissions', canDownloadFile: false, requested: true })
  const granted = await run(['access', 'grant', '12', '@jane', '--json'], 'admin')
  expect(granted.record()).toMatchObject({ event: 'access', action: 'grant', id: '12', user: '@jane' })
  const allowed = await run(['access', 'permissions', '12'], 'jane')
  expect(allowed.stdout).toMatch(/download it .* yes\n/)
  expect(allowed.stdout).toMatch(/request for it is pending.* no\n/)
  expect((await run(['access', 'revoke', '12', '@jane'], 'admin')).code).toBe(0)
  await run(['access', 'request', '12'], 'jane')
  expect((await run(['access', 'reject', '12', '@jane'], 'admin')).stdout).toContain('rejected')
  expect((await run(['access', 'list', '12', '--history'], 'admin')).stdout).toContain('rejected')
  expect((await run(['access', 'allow', DATASET, '--off'], 'admin')).stdout).toContain('no longer')
  const page = `${here.dataverse.url}/dataset.xhtml?persistentId=${DATASET}`
  expect((await run(['access', 'allow', page], 'admin')).stdout).toContain('will now')
})

it.each<[string[], RegExp]>([
  [['access', 'grant', '12'], /needs a user such as @jane/],
  [['access', 'grant', '12', 'jane@example.org'], /does not accept e-mail addresses/],
  [['access', 'lst', '12'], /did you mean list\?/],
  [['access', 'request', '12', '@jane'], /takes no user/],
  [['access', 'request'], /needs a file, -m MANIFEST or --dataset ID/],
  [['access', 'grant', '--dataset', DATASET], /say --all-pending/],
  [['access', 'list', '12', '--dataset', DATASET], /not both/],
  [['access', 'permissions', '--dataset', DATASET], /takes one file/],
  [['access', 'allow', 'doi:10.5072/FK2/ONE/HELLO/', '@jane'], /takes no user/],
  [['get', '10', '13'], /--zip fetches them as one ZIP/],
  [['get', '10', '--zip', '--bundle'], /cannot be combined/],
  [['get', '10', `${DATASET}/HELLO`, '--zip'], /database ids only/],
  [['get', '11', '--format', 'tab', '--no-var-header'], /applies only one/],
  [['get', '11', '--format', 'bundle'], /expected original, tab, RData or prep/],
  [['get', '10', '--range', 'x'], /--range: expected/],
  [['get', '11', '--bundle', '--range', '0-4'], /--range does not apply/],
  [['get', 'nonsense'], /not a file id, PID or URL/],
  [['get', '10', '-o', ''], /-o is empty/],
  [['get', '10', '-o', '-', '--json'], /--json uses standard output itself/],
  [['get', '31', '--guestbook', 'nowhere.json'], /--guestbook: .*nowhere\.json: /],
  [['url', `${DATASET}@2.0`], /does not name a single file/],
])('%j is explained before anything is sent', async (args, message) => {
  const before = here.dataverse.requests.length
  const { code, stderr } = await run(args, 'admin')
  expect({ code, sent: here.dataverse.requests.length - before }).toEqual({ code: 2, sent: 0 })
  expect(stderr).toMatch(message)
  expect(stderr).not.toContain('    at ')
})

it.each<[string[], number, RegExp]>([
  [['get', '99'], 1, /did not deliver file 99: it was not found/],
  [['get', '12'], 1, /did not deliver file 12: this user has no access to it/],
  [['get', '31'], 1, /guestbook must be answered first.*It asks for name, email/],
  [['get', DATASET], 2, /names a dataset: --dataset-zip/],
  [['url', '12'], 1, /did not deliver file 12/],
  [['access', 'request', '12'], 2, /set DATAVERSE_API_TOKEN/],
])('%j ends with %i and one sentence', async (args, code, message) => {
  const ended = await run(args)
  expect(ended.code).toBe(code)
  expect(ended.stderr).toMatch(message)
})

it('a rejected token is the machinery’s failure, and is not shown', async () => {
  const { code, stderr } = await run(['get', '10'], 'expired-0000')
  expect(code).toBe(3)
  expect(stderr).toContain('does not accept the token')
  expect(stderr).not.toContain('expired-0000')
})

it('an address on the command line names its server itself, and gets no token that was meant for another one', async () => {
  const page = `${here.dataverse.url}/file.xhtml?fileId=10`
  const elsewhere = await run(['get', page, '-o', join(here.cwd, 'page.txt')], 'admin', 'https://elsewhere.example')
  expect(elsewhere.code).toBe(0)
  expect(await readFile(join(here.cwd, 'page.txt'), 'utf8')).toBe('Hello, Dataverse!')
  expect(here.dataverse.requests.slice(-2).map(({ hasToken }) => hasToken)).toEqual([false, false])
  const nowhere = await run(['get', '10'], undefined, '')
  expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('--server') as string })
})

it('url prints an address that gives the file, and says when it is a secret', async () => {
  const own = await run(['url', '11', '--format', 'original'])
  expect(own).toMatchObject({
    code: 0,
    stdout: `'${here.dataverse.url}/api/access/datafile/11?format=original'\n`,
    stderr: '',
  })
  const stored = await run(['url', '13'])
  expect(stored.stderr).toContain('keep it to yourself')
  expect(await (await fetch(await shellReads(stored.stdout))).text()).toBe('stored')
  expect((await run(['url', '13', '--json'])).record()).toMatchObject({ event: 'url', secret: true })
})

it.each(["http://127.0.0.2/it's;$(touch%20x)`id`", 'http://127.0.0.2/two words\t& <more>', 'http://127.0.0.2/%0a\xff'])(
  'url prints one line that a shell reads as the address, whatever the server says: %s',
  async (location) => {
    await using server = await scriptedServer((_, response) => response.writeHead(303, { location }).end())
    const { stdout } = await run(['url', '1', '--server', server.url], undefined, '')
    const recorded = (await run(['url', '1', '--json', '--server', server.url], undefined, '')).record()
    expect(stdout).toMatch(/^[\x21-\x7e]+\n$/)
    expect(recorded).toMatchObject({ url: await shellReads(stdout) })
  },
)

async function shellReads(printed: string): Promise<string> {
  return (await promisify(execFile)('bash', ['-c', `printf %s ${printed.trim()}`])).stdout
}

it('columns that a table lacks are named, and nothing is fetched', async () => {
  const before = here.dataverse.requests.length
  const { code, stderr } = await run(['get', '11', '--variables', '11000,7', '-o', join(here.cwd, 'columns.tab')])
  expect(code).toBe(2)
  expect(stderr).toContain('File 11 has no variable 7. It has 11000 (a), 11001 (b).')
  expect(here.dataverse.requests.slice(before).filter(({ url }) => url.includes('/access/'))).toEqual([])
  const own = join(here.cwd, 'own.tab')
  expect((await run(['get', '11', '--variables', 'v11001', '-o', own])).code).toBe(0)
  expect(await readFile(own, 'utf8')).toBe('b\n"x"\n')
})

it('all forms of a file that is not tabular are refused before anything is fetched', async () => {
  const before = here.dataverse.requests.length
  const { code, stderr } = await run(['get', '10', '--bundle', '-o', join(here.cwd, 'forms.zip')])
  expect(code).toBe(1)
  expect(stderr).toContain('File 10 (hello.txt) is not tabular')
  expect(here.dataverse.requests.slice(before).filter(({ url }) => url.includes('/access/'))).toEqual([])
})

it('a guestbook is answered from a file', async () => {
  const answers = join(here.cwd, 'answers.json')
  await writeFile(answers, '{"name": "A", "email": "a@example.org"}')
  const path = join(here.cwd, 'booked.txt')
  const { code, record } = await run(['get', '31', '--guestbook', answers, '-o', path, '--json'])
  expect(code).toBe(0)
  expect(record()).toMatchObject({ event: 'file', path, size: 6, verified: 'checksum' })
  await writeFile(answers, '{"guestbookResponse": {"name": "A", "email": "a@example.org"}}')
  expect((await run(['get', '31', '--guestbook', answers, '-o', `${path}2`])).code).toBe(0)
  await writeFile(answers, '{"nmae": "A"}')
  expect((await run(['get', '31', '--guestbook', answers])).stderr).toContain('there is no entry nmae')
})

describe('access to many files', () => {
  const MANY = 'doi:10.5072/FK2/MANY'
  const record = (text: string): Record<string, unknown>[] =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => ({ ...(JSON.parse(line) as object) }))

  it('is requested by a manifest, listed and granted by a dataset, each file with a row', async () => {
    const manifest = join(here.cwd, 'many.csv')
    await writeFile(manifest, `id\n40\n41\n42\n${MANY}\n99\n`)
    const dry = await run(['access', 'request', '-m', manifest, '-n'], 'jane')
    expect(dry.stdout).toMatch(
      /^FILE +PATH +RESULT\n40 +.*a\.txt +would be requested\n41 +.*b\.txt +would be requested\n/,
    )
    const first = await run(['access', 'request', '-m', manifest], 'jane')
    expect(first.stdout).toMatch(/^40 +\S*a\.txt +requested$/m)
    expect(first.stdout).toMatch(/^- +\S* +.*99/m)
    expect(first.code).toBe(1)
    expect(first.stderr).toContain('2 requested, 1 failed')
    const again = record((await run(['access', 'request', '-m', manifest, '--json'], 'jane')).stdout)
    expect(again.map(({ file, outcome }) => [file, outcome])).toEqual([
      [40, 'pending'],
      [41, 'pending'],
      [undefined, 'failed'],
    ])
    await run(['access', 'request', '--dataset', MANY], 'joe')
    const listed = await run(['access', 'list', '--dataset', MANY], 'admin')
    expect(listed.stdout).toMatch(
      /^FILE +PATH +USER +RESULT\n40 +a\.txt +@jane +pending\n40 +a\.txt +@joe +pending\n41/,
    )
    expect((await run(['access', 'list', '--dataset', MANY], 'jane')).code).toBe(1)
    const granted = await run(['access', 'grant', '--all-pending', '--dataset', MANY, '--json'], 'admin')
    expect(granted.code).toBe(0)
    expect(record(granted.stdout).map(({ file, user, outcome }) => [file, user, outcome])).toEqual([
      [40, '@jane', 'granted'],
      [40, '@joe', 'granted'],
      [41, '@jane', 'granted'],
      [41, '@joe', 'granted'],
    ])
    const nothing = await run(['access', 'grant', '--all-pending', '--dataset', MANY], 'admin')
    expect(nothing).toMatchObject({ code: 0, stdout: '', stderr: '2 restricted files: nothing to do.\n' })
    const had = record((await run(['access', 'request', '--dataset', MANY, '--json'], 'jane')).stdout)
    expect(had.map(({ outcome }) => outcome)).toEqual(['available', 'available'])
  })

  it('answers a guestbook that is asked with the request, and not otherwise', async () => {
    const pid = 'doi:10.5072/FK2/ATREQUEST'
    const refused = await run(['access', 'request', '--dataset', pid], 'jane')
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain('institution')
    const answers = join(here.cwd, 'at-request.yaml')
    await writeFile(answers, 'institution: Example University\n')
    expect(await run(['access', 'request', '--dataset', pid, '--guestbook', answers], 'jane')).toMatchObject({
      code: 0,
    })
    const made = here.dataverse.guestbookRecords.filter(({ event }) => event === 'AccessRequest')
    expect(made).toMatchObject([
      { guestbook: 9, file: 50, user: '@jane', response: { institution: 'Example University' } },
    ])
  })
})
