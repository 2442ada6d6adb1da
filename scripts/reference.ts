import { VERBS } from '../src/cli/commands.ts'
import { commandHelp, programHelp } from '../src/cli/help.ts'
import { ERROR_CODES, type Remedy } from '../src/errors.ts'
import { aboutSetting, SETTING_NAMES, type SettingName } from '../src/config/about-settings.ts'
import { manifestsPage } from './manifests-page.ts'
import { code, fenced, NOTICE, page, table } from './markdown.ts'

/** The pages that are made from the code, by their path in the repository. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/cli.md', await cliPage()],
    ['docs/errors.md', errorsPage()],
    ['docs/manifests.md', manifestsPage()],
  ])
}

async function cliPage(): Promise<string> {
  const helps = await Promise.all(
    VERBS.map(async (verb) => `### \`dataferry ${verb.name}\`\n\n${fenced(commandHelp(verb, await verb.load()))}`),
  )
  return page([
    '# Command line',
    NOTICE,
    fenced(await programHelp(VERBS)),
    '## Streams and exit codes',
    'Results go to standard output, everything else to standard error; with `--json` every result is one JSON object per line.',
    table(
      ['Code', 'Meaning'],
      [
        ['0', 'everything requested is there'],
        ['1', 'something failed or still waits; the report says what, why and what to do'],
        ['2', 'the command line, a setting or the manifest cannot be used; nothing was fetched'],
        ['3', 'it cannot start or continue: Redis, the destination or the server'],
        ['10', 'a stop limit was reached, such as --max-duration; the same command continues where it stopped'],
        ['130', 'interrupted; the same command continues where it stopped'],
      ],
    ),
    '## Settings',
    'A flag beats the environment, which beats `dataferry.config.json` in the current folder (or the file of `--config`), which beats the default. `dataferry config` shows the settings in force and where each came from.',
    table(['Key in the file', 'Flag', 'Environment', 'Default', 'Meaning'], SETTING_NAMES.map(settingRow)),
    'Durations carry their unit: `500ms`, `60s`, `30m`, `1h`, `90d`.',
    '## Tokens',
    'An API token is never given on the command line or in the config file itself. The token of the default server comes from `DATAVERSE_API_TOKEN`, `DATAVERSE_KEY` or a file; those of further servers come from files or variables that the config file names:',
    fenced(CONFIG_EXAMPLE, 'json'),
    'A token is sent only to the server it is configured for: not to storage hosts, and not to another server that a flag names. A server that is neither in the config file nor on the command line is never contacted.',
    '## Commands',
    ...helps,
  ])
}

const CONFIG_EXAMPLE = `{
  "server": "https://demo.dataverse.org",
  "tokenFile": "~/.config/dataferry/demo-token",
  "destination": "./data",
  "jobs": 4,
  "servers": [
    { "url": "https://dataverse.example.edu", "tokenFile": "~/.config/dataferry/example-token" },
    { "url": "https://data.example.org/dvn", "tokenEnv": "EXAMPLE_ORG_TOKEN" }
  ]
}`

function settingRow(name: SettingName): string[] {
  const { flags = [], env, fallback = '', help } = aboutSetting(name)
  return [code(name), flags.map(code).join('<br>'), env.map(code).join('<br>'), fallback && code(fallback), help]
}

const GROUPS = {
  source: 'The server',
  bytes: 'The bytes received',
  sink: 'The destination',
  input: 'Your request',
  system: 'This machine and Redis',
} as const

const REMEDIES: Readonly<Record<Remedy, string>> = {
  retry: 'retried, continuing with what was kept',
  restart: 'retried from the first byte',
  throttle: 'all workers pause for this server; no attempt is used',
  park: 'handed back and parked until the cause is gone',
  fail: 'not retried',
}

function errorsPage(): string {
  const codes = Object.entries(ERROR_CODES)
  const sections = Object.entries(GROUPS).flatMap(([group, title]) => [
    `## ${title}`,
    table(
      ['Code', 'What happened', 'What dataferry does', 'What you do'],
      codes
        .filter(([, entry]) => entry.group === group)
        .map(([name, { meaning, remedy, advice }]) => [code(name), meaning, REMEDIES[remedy], advice]),
    ),
  ])
  return page([
    '# Error codes',
    NOTICE,
    'Every failure has one of these codes: in messages, in `report.json` and `failures.csv`, in logs and with `--json`. Codes never change their meaning.',
    ...sections,
  ])
}
