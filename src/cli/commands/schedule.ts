import type { Command } from '../command.ts'
import { SCHEDULE_ACTIONS } from '../schedule/action-names.ts'

/** `dataferry schedule`: commands that `dataferry serve` runs at their times. */
export const command: Command = {
  examples: [
    "dataferry schedule add nightly --cron '0 3 * * *' -- mirror run climate --to ./mirror",
    "dataferry schedule add weekly --cron '0 20 * * 5' --tz Europe/Berlin --between 20:00-06:00 -- run list.csv --to ./data",
    'dataferry schedule next nightly 5',
  ],
  about:
    '`dataferry serve` starts the commands, on any number of machines that share a Redis each due time once. What was ' +
    'missed while none ran is made up once; a due time at which the last run still goes is skipped.',
  operands: [
    { name: 'action', help: SCHEDULE_ACTIONS.join(', ') },
    { name: 'name', help: 'of the schedule', optional: true },
    {
      name: 'words',
      help: 'with add, behind --: the command (mirror run, run, enqueue or verify); with next: how many',
      optional: true,
      many: true,
    },
  ],
  settings: ['redis', 'prefix', 'stateDir'],
  flags: [
    { flags: '--cron <times>', help: "with add: five fields as in a crontab, '0 3 * * *', or @daily and the like" },
    { flags: '--tz <zone>', help: 'with add: time zone, such as Europe/Berlin; default: the one of this machine' },
    { flags: '--between <hours>', help: 'with add: hours in which it may run, 20:00-06:00; it parks at their end' },
    { flags: '--jitter <time>', help: 'with add: start up to this much later, 10m, the same on every machine' },
  ],
  stop: { stopping: 'what was fetched is kept.' },
  run: async (context) => (await import('../actions/schedule.ts')).run(context),
}
