import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { World } from '../fakes/dataverse/world.ts'
import { runInProcess } from './in-process.ts'
import { useStandIn } from './use-stand-in.ts'

const BOOKED = 'doi:10.5072/FK2/BOOKED'
const OFF = 'doi:10.5072/FK2/OFF'
const FREE = 'doi:10.5072/FK2/FREE'

function world(): World {
  const made = new World()
  const customQuestions = [
    { id: 31, question: 'What for?', required: true, options: ['Teaching', 'Research'] },
    { id: 32, question: 'Tell us more', type: 'textarea' as const },
  ]
  made.dataset(BOOKED, {
    id: 5,
    guestbook: { id: 7, name: 'Use', nameRequired: true, emailRequired: true, customQuestions },
    files: [{ id: 31, label: 'booked.txt', content: 'booked', pid: `${BOOKED}/FILE` }],
  })
  made.dataset(OFF, { id: 6, guestbook: { id: 8, enabled: false }, files: [{ id: 32, label: 'a.txt' }] })
  made.dataset(FREE, { id: 7, files: [{ id: 33, label: 'b.txt' }] })
  return made
}

const here = useStandIn({ world: world() })
const run = (...args: readonly string[]) =>
  runInProcess(args, { cwd: here.cwd, env: { DATAVERSE_SERVER: here.dataverse.url } })

it.each([BOOKED, '5', '31', `${BOOKED}/FILE`])('guestbook show prints what is asked of %s', async (id) => {
  const { code, stdout, stderr } = await run('guestbook', 'show', id)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^# Guestbook 7 \(Use\) of doi:10\.5072\/FK2\/BOOKED on http/)
  expect(stdout).toContain('name: # required\n')
  expect(stdout).toContain('institution: # optional\n')
  expect(stdout).toContain('question: What for?\n            value: # required, one of: Teaching | Research\n')
  const { record } = await run('guestbook', 'show', id, '--json')
  expect(record()).toMatchObject({
    event: 'guestbook',
    dataset: BOOKED,
    guestbook: { id: 7, required: ['name', 'email'], questions: [{ id: 31 }, { id: 32, multiline: true }] },
  })
})

it.each([
  [FREE, 'has no guestbook. There is nothing to answer.'],
  [OFF, 'has a guestbook that is switched off. There is nothing to answer.'],
])('guestbook show says where there is nothing to answer: %s', async (id, said) => {
  expect(await run('guestbook', 'show', id)).toMatchObject({ code: 0, stdout: `${id} ${said}\n` })
})

it.each<[string[], number, RegExp]>([
  [['show', '99'], 1, /file 99/],
  [['show', 'doi:10.5072/FK2/NONE'], 1, /NONE/],
  [['shwo', BOOKED], 2, /There is no "guestbook shwo"; use show\./],
])('guestbook %j is explained', async (args, code, message) => {
  const ended = await run('guestbook', ...args)
  expect(ended.code).toBe(code)
  expect(ended.stderr).toMatch(message)
})

it('a printed guestbook, filled in, is what the server records', async () => {
  const { stdout } = await run('guestbook', 'show', BOOKED)
  const answers = join(here.cwd, 'answers.yaml')
  const get = () => run('get', '31', '-o', join(here.cwd, 'booked.txt'), '-e', 'overwrite', '--guestbook', answers)
  await writeFile(answers, stdout)
  const unanswered = await get()
  expect(unanswered.code).toBe(1)
  expect(unanswered.stderr).toContain(
    'name is required, email is required, "What for?" is required: Teaching | Research',
  )
  expect(here.dataverse.guestbookRecords).toEqual([])
  const filled = stdout
    .replace('name: #', 'name: Ada #')
    .replace('email: #', 'email: ada@example.org #')
    .replace('value: # required', 'value: Research # required')
  await writeFile(answers, filled)
  expect(await get()).toMatchObject({ code: 0, stderr: '' })
  const response = { name: 'Ada', email: 'ada@example.org', answers: [{ id: 31, value: 'Research' }] }
  expect(here.dataverse.guestbookRecords).toMatchObject([{ guestbook: 7, file: 31, user: undefined, response }])
})

it('a file of answers that cannot be used ends a command before it does anything', async () => {
  const answers = join(here.cwd, 'wrong.yaml')
  await writeFile(answers, 'name: Ada\nemial: ada@example.org\n')
  const before = here.dataverse.requests.length
  for (const args of [
    ['run', '31'],
    ['get', '31'],
    ['access', 'request', '31'],
    ['mirror', 'list'],
  ]) {
    const { code, stderr } = await run(...args, '--guestbook', answers)
    expect({ args, code }).toEqual({ args, code: 2 })
    expect(stderr).toContain(`--guestbook: ${answers}: there is no entry emial.`)
    expect(stderr).not.toContain('ada@example.org')
  }
  expect(here.dataverse.requests.length).toBe(before)
})
