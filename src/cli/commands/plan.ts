import { PLANS, type Command, type Context } from '../command.ts'
import { FILTER_FLAGS } from '../filter-flags.ts'
import { FINDING_FLAGS } from '../find-datasets.ts'
import { pasted, typedAgain } from '../pasted.ts'
import { placeFor } from '../places.ts'
import { printList } from '../plan-list.ts'
import { planBatch, printPlan } from '../planning.ts'
import { DESTINATION_SETTINGS } from '../destination.ts'
import { SERVER_SETTINGS } from '../sources.ts'
import { withPlanning } from '../with-planning.ts'

/** Flags of every command that plans. */
export const PLANNING_FLAGS: Command['flags'] = [
  { flags: '-m, --manifest <file>', help: 'the manifest, - for standard input' },
  ...FINDING_FLAGS,
  ...FILTER_FLAGS,
  { flags: '--ignore-columns', help: 'treat columns that look like misspelt known ones as columns of your own' },
  { flags: '--new', help: 'begin a new batch even if an unfinished one of this manifest exists' },
]

/** `dataferry plan`: what would be fetched, with sizes and checksums where the server lists them, without fetching it. */
export const command: Command = {
  examples: [
    'dataferry plan manifest.csv --server https://demo.dataverse.org --to ./data',
    'dataferry plan doi:10.5072/FK2/ABCDEF --list --include "*.csv" --server https://demo.dataverse.org',
    'dataferry plan --collection climate --query "temperature" --server https://demo.dataverse.org',
  ],
  about:
    'Writes the plan to .dataferry/<batch>/ at the destination; `dataferry run` with the same manifest carries it out.',
  operands: [{ name: 'manifest', help: 'files, - for standard input, or ids and PIDs', optional: true, many: true }],
  settings: [
    ...SERVER_SETTINGS,
    ...DESTINATION_SETTINGS,
    'format',
    'existing',
    'bundle',
    'bundleUnverified',
    'outageFirstMs',
    'outageMaxMs',
    'giveUpAfterMs',
  ],
  flags: [
    ...PLANNING_FLAGS,
    { flags: '--list', help: 'list every file with its size, its checksum and what would happen to it' },
  ],
  stop: PLANS,
  run: (context) =>
    withPlanning(context, async (sink, opened, sources) => {
      const state = await planBatch(context, sink, opened, { sources })
      const allFit = !context.has('list') || (await printList(context, sink, opened, state))
      const code = await printPlan(context.out, sink, opened, state)
      if (context.has('list')) {
        context.out.line('To fetch them:')
        context.out.line(`  ${runLine(context, command, sink.url)}`)
      }
      return allFit ? code : 1
    }),
}

/** The command that carries the plan out. A manifest on standard input is gone, but its batch is on record. */
function runLine(context: Context, typed: Command, url: string): string {
  const { args, text, config, out } = context
  if ([...args, text('manifest')].includes('-')) return pasted(config, 'resume', [placeFor(out, url)])
  return typedAgain(context, 'run', typed, ['list', 'new'])
}
