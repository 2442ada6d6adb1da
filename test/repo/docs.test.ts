import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { referencePages } from '../../scripts/reference.ts'
import { DATAFERRY_VERSION } from '../../src/dataverse/version.ts'
import { VERBS } from '../../src/cli/commands.ts'
import { parserFor, readArguments } from '../../src/cli/parser.ts'
import { ERROR_CODES } from '../../src/errors.ts'
import { ADDRESSES } from '../../src/manifest/dataverse-url.ts'
import { readManifest } from '../../src/manifest/read-manifest.ts'
import { aboutSetting, SETTING_NAMES } from '../../src/config/about-settings.ts'

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
const pages = await referencePages()

it.each([...pages.keys()])('%s is what `npm run docs` makes of the code', async (path) => {
  expect(await read(path)).toBe(pages.get(path))
})

it('the command page has every command with its example, and every setting with its flags and variables', async () => {
  const page = await read('docs/cli.md')
  for (const verb of VERBS) {
    const { examples } = await verb.load()
    expect(page).toContain(`### \`dataferry ${verb.name}\`\n\n\`\`\`text\nExample:\n  ${examples[0]}\n`)
  }
  for (const name of SETTING_NAMES) {
    const { flags = [], env, help } = aboutSetting(name)
    expect(help).not.toBe('')
    for (const word of [name, ...flags, ...env]) expect(page).toContain(`\`${word}\``)
  }
})

it('the error page has every code once, each with what happened and what to do', async () => {
  const page = await read('docs/errors.md')
  for (const [code, { meaning, advice }] of Object.entries(ERROR_CODES)) {
    expect(page.split(`| \`${code}\` |`)).toHaveLength(2)
    expect([meaning, advice].filter((sentence) => /^[A-Z`d].*\.$/.test(sentence))).toHaveLength(2)
  }
})

it('the manifest page shows addresses that are read as they stand', async () => {
  const server = 'https://dv.example.edu'
  const shown = ADDRESSES.filter(({ refused }) => !refused).map(({ example }) => `${server}${example}`)
  const page = await read('docs/manifests.md')
  for await (const line of readManifest(lines(shown), { name: 'm', servers: [server] })) {
    expect(line).toHaveProperty('entry.server', server)
    expect(page).toContain(`| \`${shown[line.line - 1]?.slice(server.length)}\` |`)
  }
})

async function* lines(texts: readonly string[]): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(Buffer.from(texts.join('\n')))
}

it('every example is understood by its command', async () => {
  for (const verb of VERBS) {
    const command = await verb.load()
    for (const example of command.examples) {
      const [, args = ''] = new RegExp(`(?:^|\\| )dataferry ${verb.name}( .*)?$`).exec(example) ?? [
        '',
        '--not-an-example',
      ]
      const parse = () =>
        readArguments(parserFor(verb.name, verb.summary, command), command, args.split(' ').filter(Boolean))
      expect(parse, example).not.toThrow()
    }
  }
})

it('servers are told the version of the package', async () => {
  expect(JSON.parse(await read('package.json'))).toMatchObject({ version: DATAFERRY_VERSION })
})
