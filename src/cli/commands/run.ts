import { PARKS, type Command } from '../command.ts'
import { command as planCommand } from './plan.ts'
import { ACCESS_FLAGS, ACCESS_SETTINGS, PLANNING_FLAGS } from '../shared-flags.ts'

/** `dataferry run`: plans, fetches, waits and reports. */
export const command: Command = {
  examples: [
    'dataferry run manifest.csv --server https://demo.dataverse.org --to ./data',
    'dataferry run doi:10.5072/FK2/ABCDEF --server https://demo.dataverse.org',
    'cat ids.txt | dataferry run - --server https://demo.dataverse.org',
  ],
  about:
    'After any interruption, the same command continues where it stopped. The batch belongs to this command alone; with ' +
    '--share every worker of this Redis takes part, and Ctrl-C leaves it to them.',
  operands: planCommand.operands,
  settings: [
    ...planCommand.settings,
    ...ACCESS_SETTINGS,
    'share',
    'jobs',
    'segments',
    'retries',
    'limitRate',
    'maxDurationMs',
    'maxTransfer',
    'redis',
    'prefix',
    'stateDir',
    'logLevel',
  ],
  flags: [
    ...PLANNING_FLAGS,
    ...ACCESS_FLAGS,
    { flags: '-n, --dry-run', help: 'only plan: print the totals and fetch nothing' },
    { flags: '--complete', help: 'fetch files that the server leaves out of a ZIP individually, beside the archive' },
  ],
  stop: PARKS,
  run: async (context) => (await import('../actions/run.ts')).run(context),
}
