import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { questionnaire } from '../../src/access/questionnaire.ts'
import { readAnswers } from '../../src/access/read-answers.ts'
import { respond } from '../../src/access/respond.ts'
import type { Guestbook } from '../../src/model/guestbook.ts'

const HERE = 'https://demo.dataverse.org'
const THERE = 'https://other.example.edu'
const BOOK: Guestbook = {
  id: 7,
  name: 'Use of the data',
  enabled: true,
  required: ['name', 'email'],
  questions: [
    { id: 31, question: 'What for?', required: true, options: ['Teaching', 'Research'], multiline: false },
    { id: 32, question: 'Tell us: "more"\n# of it', required: false, options: [], multiline: true },
  ],
}

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-answers-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(text: string, servers: readonly string[] = [HERE]) {
  const path = join(folder, 'answers')
  await writeFile(path, text)
  return readAnswers(path, servers, '--guestbook')
}

const WHOLE = { name: 'Ada', email: 'ada@example.org', answers: [{ id: 31, value: 'Teaching' }] }

describe('a file of answers', () => {
  it.each<[string, string]>([
    ['YAML with answers by text', 'name: Ada\nemail: ada@example.org\nanswers:\n  what  FOR?: Teaching\n'],
    ['YAML with answers by number', 'name: Ada\nemail: ada@example.org\nanswers:\n  31: Teaching\n'],
    ['a list', 'name: Ada\nemail: ada@example.org\nanswers:\n  - {id: 31, question: What for?, value: Teaching}\n'],
    ['JSON', JSON.stringify(WHOLE)],
    ['the wrapper of the server', JSON.stringify({ guestbookResponse: WHOLE })],
    ['a byte order mark', `\uFEFF${JSON.stringify(WHOLE)}`],
  ])('is taken as %s', async (_, text) => {
    expect(respond(await read(text), BOOK, HERE)).toEqual({ response: WHOLE, lacks: [] })
  })

  it('says first what is for this guestbook, then what is for this server, then what is for all', async () => {
    const answers = await read(
      `name: Ada
email: ada@example.org
answers: { What for?: Research }
servers:
  ${HERE}/:
    email: ada@here.example.org
    guestbooks:
      7: { answers: { 31: Teaching } }
      8: { name: A. Example }
  ${THERE}:
    position: Archivist
`,
      [HERE, THERE],
    )
    const here = { name: 'Ada', email: 'ada@here.example.org', answers: [{ id: 31, value: 'Teaching' }] }
    expect(respond(answers, BOOK, HERE).response).toEqual(here)
    expect(respond(answers, { ...BOOK, id: 8 }, HERE).response).toMatchObject({
      name: 'A. Example',
      answers: [{ id: 31, value: 'Research' }],
    })
    const there = {
      name: 'Ada',
      email: 'ada@example.org',
      position: 'Archivist',
      answers: [{ id: 31, value: 'Research' }],
    }
    expect(respond(answers, BOOK, THERE).response).toEqual(there)
  })

  it.each<[string, RegExp]>([
    ['nmae: secret-name', /--guestbook: .*answers: there is no entry nmae\.$/],
    [
      'name: A\nservers:\n  https://a.example: {nmae: secret-name}',
      /line 3: servers\.https:\/\/a\.example: there is no entry nmae\.$/,
    ],
    ['name: "secret-name', /line 1: Missing closing "quote\.$/],
    ['name: secret-name\n}', /line 2: /],
    ['name: A\nname: secret-name', /line 2: Map keys must be unique\.$/],
    ['name: {first: secret-name}', /line 1: name: expected text\.$/],
    ['answers: [{value: secret-name}]', /line 1: answers\.0: expected the question’s id or its text\.$/],
    [
      'guestbooks: {seven: {name: secret-name}}',
      /line 1: guestbooks\.seven: expected answers by the number of a guestbook/,
    ],
    ['servers: {"ftp://x": {name: secret-name}}', /line 1: servers\.ftp:\/\/x: expected answers by the URL/],
    ['- secret-name', /answers: Invalid input: expected object/],
    ['a: &a [secret-name]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: [*c,*c,*c]', /alias/],
    ['x'.repeat((1 << 20) + 1), /longer than 1048576 bytes\.$/],
  ])('that cannot be used is refused with its place, and never quoted: %j', async (text, message) => {
    const error = await read(text).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) as string })
    expect(String(error)).not.toContain('secret-name')
  })

  it('may name questions by number for all servers only while there is one', async () => {
    for (const text of ['answers: { 31: Teaching }', 'guestbooks: { 7: { name: A } }']) {
      await expect(read(text, [HERE, THERE])).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('under "servers:"') as string,
      })
    }
    await expect(read('answers: { What for?: Teaching }', [HERE, THERE])).resolves.toBeDefined()
  })

  it('shows nothing of itself', async () => {
    const answers = await read('name: secret-name')
    expect([inspect(answers), JSON.stringify({ answers })].join()).not.toContain('secret-name')
  })
})

describe('a response', () => {
  it('names everything that is missing or wrong, and invents nothing', async () => {
    const answers = await read('email: ada\nanswers: { What for?: Fun }\nguestbooks: { 7: { answers: { 99: x } } }')
    const { response, lacks } = respond(answers, BOOK, HERE)
    expect(response).toEqual({ email: 'ada' })
    expect(lacks).toEqual([
      { entry: 'name', problem: 'is required' },
      { entry: 'email', problem: 'is not an e-mail address' },
      { entry: 'What for?', id: 31, problem: 'must be one of: Teaching | Research' },
      { entry: '99', id: 99, problem: 'is not asked there' },
    ])
    expect(respond(undefined, BOOK, HERE).lacks.map(({ entry }) => entry)).toEqual(['name', 'email', 'What for?'])
  })

  it('leaves to the account what that says', async () => {
    const answers = await read('answers: { What for?: Teaching }')
    expect(respond(answers, BOOK, HERE, 'user').lacks).toEqual([])
    expect(respond(answers, BOOK, HERE, { name: 'Ada' }).lacks).toEqual([{ entry: 'email', problem: 'is required' }])
  })

  it('takes no answer to a question that has become another one', async () => {
    const answers = await read('answers: [{ id: 31, question: Are you a student?, value: Teaching }]')
    expect(respond(answers, BOOK, HERE, 'user').lacks).toEqual([
      { entry: 'What for?', id: 31, problem: 'is another question now' },
    ])
  })

  it('may have several lines where the question takes text', async () => {
    const answers = await read('answers: [{ id: 32, value: [one, two] }, { id: 31, value: [Teaching] }]')
    const { response, lacks } = respond(answers, BOOK, HERE, 'user')
    expect(response.answers).toEqual([{ id: 32, value: ['one', 'two'] }])
    expect(lacks.map(({ id }) => id)).toEqual([31])
  })
})

it('a printed guestbook is a file of answers, before and after it is filled in', async () => {
  const printed = questionnaire(BOOK, HERE, 'doi:10.5072/FK2/ABC')
  expect(respond(await read(printed), BOOK, HERE).lacks.map(({ entry }) => entry)).toEqual([
    'name',
    'email',
    'What for?',
  ])
  const filled = printed
    .replace('name: #', 'name: Ada #')
    .replace('email: #', 'email: ada@example.org #')
    .replace('value: # required', 'value: Teaching # required')
    .replace('value: # optional', 'value: [one, two] # optional')
  const answers = [
    { id: 31, value: 'Teaching' },
    { id: 32, value: ['one', 'two'] },
  ]
  const responded = respond(await read(filled, [HERE, THERE]), BOOK, HERE)
  expect(responded).toEqual({ response: { name: 'Ada', email: 'ada@example.org', answers }, lacks: [] })
})
