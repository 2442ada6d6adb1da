import type { Command } from '../command.ts'
import { DASHBOARD_FLAGS } from '../shared-flags.ts'
import { command as workCommand } from './work.ts'

/** `dataferry serve`: workers, schedules and the dashboard in one process tree. */
export const command: Command = {
  examples: [
    'dataferry serve --server https://demo.dataverse.org',
    'dataferry serve --redis redis://queue.example.org --server https://demo.dataverse.org',
    'dataferry serve install --systemd --user --server https://demo.dataverse.org',
  ],
  about:
    'Runs until SIGTERM or Ctrl-C; then everything in flight is parked, and goes on at the next start. A part that crashes is ' +
    'started again. `dataferry dashboard link` signs a browser in. `work` on further machines takes part in what the schedules start.',
  operands: [{ name: 'action', help: 'install: write a systemd unit that runs this command line', optional: true }],
  settings: workCommand.settings,
  flags: [
    ...DASHBOARD_FLAGS.filter(({ flags }) => flags !== '--viewer'),
    { flags: '--part <name>', help: 'only workers, schedules, notifications or dashboard; the others run elsewhere' },
    { flags: '--systemd', help: 'with install: as a systemd unit' },
    { flags: '--user', help: 'with install: of this user, not of the machine' },
  ],
  stop: { stopping: 'what was fetched is kept.' },
  run: async (context) => (await import('../actions/serve.ts')).run(context),
}
