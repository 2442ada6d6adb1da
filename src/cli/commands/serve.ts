import type { Command } from '../command.ts'
import { command as workCommand } from './work.ts'

/** `dataferry serve`: workers and schedules in one process tree. */
export const command: Command = {
  examples: [
    'dataferry serve --server https://demo.dataverse.org',
    'dataferry serve --redis redis://queue.example.org --server https://demo.dataverse.org',
    'dataferry serve install --systemd --user --server https://demo.dataverse.org',
  ],
  about:
    'Runs until SIGTERM or Ctrl-C; then everything in flight is parked, and goes on at the next start. A part that crashes is ' +
    'started again. `work` on further machines takes part in what the schedules start.',
  operands: [{ name: 'action', help: 'install: write a systemd unit that runs this command line', optional: true }],
  settings: workCommand.settings,
  flags: [
    ...workCommand.flags.filter(({ flags }) => flags.startsWith('--to ')),
    { flags: '--part <name>', help: 'only one part of it: workers or schedules; the others run elsewhere' },
    { flags: '--systemd', help: 'with install: as a systemd unit' },
    { flags: '--user', help: 'with install: of this user, not of the machine' },
  ],
  stop: { stopping: 'what was fetched is kept.' },
  run: async (context) => (await import('../actions/serve.ts')).run(context),
}
