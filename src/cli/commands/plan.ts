import { PLANS, type Command } from '../command.ts'
import { DESTINATION_SETTINGS, PLANNING_FLAGS, SERVER_SETTINGS } from '../shared-flags.ts'

/** `dataferry plan`: what would be fetched, with sizes and checksums where the server lists them, without fetching it. */
export const command: Command = {
  examples: [
    'dataferry plan manifest.csv --server https://demo.dataverse.org --to ./data',
    'dataferry plan doi:10.5072/FK2/ABCDEF --list --include "*.csv" --server https://demo.dataverse.org',
    'dataferry plan --collection climate --query "temperature" --server https://demo.dataverse.org',
  ],
  about:
    'Writes the plan to .dataferry/<batch>/ at the destination; `dataferry run` with the same manifest carries it out. ' +
    'Until then nothing of it is missed by `dataferry verify`.',
  operands: [{ name: 'manifest', help: 'files, - for standard input, or ids and PIDs', optional: true, many: true }],
  settings: [
    ...SERVER_SETTINGS,
    ...DESTINATION_SETTINGS,
    'guestbook',
    'format',
    'existing',
    'bundle',
    'bundleUnverified',
    'digest',
    'outageFirstMs',
    'outageMaxMs',
    'giveUpAfterMs',
  ],
  flags: [
    ...PLANNING_FLAGS,
    { flags: '--list', help: 'list every file with its size, its checksum and what would happen to it' },
  ],
  stop: PLANS,
  run: async (context) => (await import('../actions/plan.ts')).run(context, command),
}
