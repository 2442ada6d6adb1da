import { PLANS, type Command } from '../command.ts'
import { FILTER_FLAGS } from '../filter-flags.ts'
import { FINDING_FLAGS } from '../find-datasets.ts'
import { planBatch, printPlan } from '../planning.ts'
import { DESTINATION_SETTINGS } from '../destination.ts'
import { SERVER_SETTINGS } from '../sources.ts'
import { withPlanning } from '../with-planning.ts'

/** `dataferry plan`: what would be fetched, fixed to the byte where the server says so, without fetching it. */
export const command: Command = {
  examples: [
    'dataferry plan manifest.csv --server https://demo.dataverse.org --to ./data',
    'dataferry plan doi:10.5072/FK2/ABCDEF --server https://demo.dataverse.org',
    'dataferry plan --collection climate --query "temperature" --server https://demo.dataverse.org',
  ],
  about:
    'Writes the plan to .dataferry/<batch>/ at the destination; `dataferry run` with the same manifest carries it out.',
  operands: [{ name: 'manifest', help: 'files, - for standard input, or ids and PIDs', optional: true, many: true }],
  settings: [...SERVER_SETTINGS, ...DESTINATION_SETTINGS, 'format', 'existing', 'bundle', 'bundleUnverified'],
  flags: [
    { flags: '-m, --manifest <file>', help: 'the manifest, - for standard input' },
    ...FINDING_FLAGS,
    ...FILTER_FLAGS,
    { flags: '--ignore-columns', help: 'take a column whose name is nearly a known one for one of your own' },
    { flags: '--new', help: 'begin a new batch even where an unfinished one of this manifest is there' },
  ],
  stop: PLANS,
  run: (context) =>
    withPlanning(context, async (sink, opened, sources) => {
      const state = await planBatch(sink, opened, { sources, signal: context.signal })
      return printPlan(context.out, sink, opened, state)
    }),
}
