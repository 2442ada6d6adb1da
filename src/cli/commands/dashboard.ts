import type { Command } from '../command.ts'
import { DASHBOARD_FLAGS, DESTINATION_SETTINGS, SERVER_SETTINGS } from '../shared-flags.ts'

/** `dataferry dashboard`: pages that show everything of one Redis, without working. */
export const command: Command = {
  examples: [
    'dataferry dashboard',
    'dataferry dashboard link',
    'dataferry dashboard --redis redis://queue.example.org --to /srv/data --server https://demo.dataverse.org',
  ],
  about:
    'Listens on this machine alone. `dashboard link`, in another terminal, prints an address that signs one browser in. ' +
    'It shows all batches, servers and workers of this Redis; --to allows new batches for a destination.',
  operands: [{ name: 'action', help: 'link: print an address that works once, within five minutes', optional: true }],
  settings: [
    ...SERVER_SETTINGS,
    ...DESTINATION_SETTINGS.filter((name) => name !== 'destination'),
    'redis',
    'prefix',
    'stateDir',
    'jobs',
  ],
  flags: DASHBOARD_FLAGS,
  stop: { stopping: 'the pages are closed; work goes on.' },
  run: async (context) => (await import('../actions/dashboard.ts')).run(context),
}
