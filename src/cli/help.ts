import type { Command } from './command.ts'
import { DEFAULT_VERB, type Verb } from './commands.ts'
import { parserFor, quietParser } from './parser.ts'

/** The `--help` of one verb: first what can be typed, then what it means. */
export function commandHelp(verb: Verb, command: Command): string {
  return `${examples(command)}\n\n${parserFor(verb.name, verb.summary, command).helpInformation()}`.trimEnd()
}

/** The `--help` of the whole program. */
export async function programHelp(verbs: readonly Verb[]): Promise<string> {
  const main = verbs.find(({ name }) => name === DEFAULT_VERB) ?? verbs[0]
  const parser = quietParser('dataferry')
    .usage('<command> [flags]')
    .description('Downloads files in bulk from Dataverse repositories: every file verified, resumed after any crash.')
  for (const { name, summary } of verbs) parser.command(name).summary(summary)
  const lines = [
    main === undefined ? '' : `${examples(await main.load())}\n`,
    parser.helpInformation(),
    'Flags of a command: dataferry <command> --help',
    'Exit codes: 0 all there, 1 something failed, 2 usage, settings or manifest, 3 cannot start or continue, 10 a stop limit was reached, 130 interrupted',
  ]
  return lines.join('\n').trim()
}

function examples({ examples: [first, ...more] }: Command): string {
  return ['Example:', ...[first, ...more].map((line) => `  ${line}`)].join('\n')
}
