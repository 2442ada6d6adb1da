import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { VERBS } from '../../src/cli/commands.ts'
import { parserFor, readArguments } from '../../src/cli/parser.ts'
import { NEEDED, pasted } from '../../src/cli/pasted.ts'
import { load } from '../../src/config/config.ts'
import { shellWord } from '../../src/model/shell-word.ts'

const FLAGS = {
  server: { flag: '--server', value: ['https://a.example', 'https://b.example/dv'] },
  tokenFile: { flag: '--token-file', value: "my files/jane's.token" },
  s3Endpoint: { flag: '--endpoint', value: 'http://127.0.0.1:9000' },
  destination: { flag: '--to', value: './data' },
  redis: { flag: '--redis', value: 'redis://queue.example' },
  prefix: { flag: '--prefix', value: '{mine}' },
  jobs: { flag: '-j', value: '7' },
} as const
const config = { given: FLAGS, namedFile: './my config.json' }

it('a printed command repeats the flags that say where things are, quoted for the shell, and no others', () => {
  expect(pasted(config, 'retry', ['d1d2'])).toBe(
    "dataferry retry d1d2 --server https://a.example --server https://b.example/dv --token-file 'my files/jane'\\''s.token'" +
      " --endpoint http://127.0.0.1:9000 --redis redis://queue.example --prefix '{mine}' --config './my config.json'",
  )
  expect(pasted(config, 'status', [])).not.toContain('--server')
  // Nothing but its destination says where a mirror is.
  expect(pasted(config, 'mirror', ['run', 'm'])).toContain(' --to ./data ')
})

it('what came from the environment is not repeated: it is there when the command is pasted', () => {
  const env = { DATAVERSE_SERVER: 'https://a.example', REDIS_URL: 'redis://:secret@queue.example' }
  expect(pasted(load({ env, cwd: '/', home: '/' }), 'retry', ['d1d2'])).toBe('dataferry retry d1d2')
})

it.each(VERBS.filter(({ name }) => name in NEEDED))(
  'dataferry $name takes all that is repeated for it',
  async (verb) => {
    const command = await verb.load()
    const given = Object.fromEntries(Object.entries(FLAGS).filter(([name]) => name !== 'tokenFile'))
    const operands = command.operands.flatMap(({ optional }) => (optional ? [] : ['x']))
    const words = pasted({ given, namedFile: undefined }, verb.name as keyof typeof NEEDED, operands)
      .split(' ')
      .slice(2)
    const parse = () => readArguments(parserFor(verb.name, verb.summary, command), command, words)
    expect(parse).not.toThrow()
  },
)

it.each([
  'plain',
  'a b',
  "it's",
  '$HOME `id` "x" \\',
  '',
  '-x',
  '~/a',
  '=ls',
  'a\nb',
  '\u202egnp',
  'Größe',
  '{a,b}*?[x]',
])('the shell reads %j as it was', (word) => {
  expect(execFileSync('bash', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word)
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  expect(shellWord(word)).not.toMatch(/[\u0000-\u001f\u202e]/)
})
