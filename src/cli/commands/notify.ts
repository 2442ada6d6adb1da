import type { Command } from '../command.ts'

/** `dataferry notify`: whether those that the config file names can be told. */
export const command: Command = {
  examples: ['dataferry notify test'],
  about:
    '`dataferry serve` tells those that `notify` in the config file names: of batches that have ended, failed or wait for a ' +
    'person, of mirrors that changed or are stale, and of schedules that were skipped twice.',
  operands: [{ name: 'action', help: 'test: tell everybody something now, and say who took it' }],
  settings: [],
  flags: [],
  run: async (context) => (await import('../actions/notify.ts')).run(context),
}
